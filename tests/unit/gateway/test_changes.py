"""What Envoy has to be given, out of what it has."""

from __future__ import annotations

from fairway.gateway.envoy.admin import Versions, parse_versions
from fairway.gateway.envoy.changes import Held, changes, fitting, subscriptions, with_endpoints
from fairway.gateway.envoy.words import named
from fairway.gateway.snapshot import FILES, Snapshot, version_of


def held(snapshot: Snapshot) -> Held:
    return {kind: dict(snapshot.of(kind)) for kind in FILES}


def eds(name: str, *ports: int) -> dict[str, object]:
    places = [{"endpoint": {"port": port}} for port in ports]
    return {"cluster_name": name, "endpoints": [{"lb_endpoints": places}] if ports else []}


def cluster(name: str) -> dict[str, object]:
    return {"name": name, "type": "EDS", "eds_cluster_config": {"eds_config": {}}}


SNAPSHOT = Snapshot(
    listeners={"l": {"name": "l"}},
    routes={"r": {"name": "r", "weight": 1}},
    clusters={"a": cluster("a"), "b": cluster("b")},
    endpoints={"a": eds("a", 1), "b": eds("b")},
    secrets={"s": {"name": "s"}},
)


def test_nothing_is_written_when_envoy_has_everything() -> None:
    assert changes(held(SNAPSHOT), SNAPSHOT, None).nothing


def test_a_weight_change_touches_one_file() -> None:
    wanted = Snapshot(
        listeners=SNAPSHOT.listeners,
        routes={"r": {"name": "r", "weight": 2}},
        clusters=SNAPSHOT.clusters,
        endpoints=SNAPSHOT.endpoints,
        secrets=SNAPSHOT.secrets,
    )
    todo = changes(held(SNAPSHOT), wanted, None)
    assert (todo.routes, todo.endpoints, todo.clusters, todo.listeners, todo.secrets) == (
        ("r",), (), (), (), (),
    )  # fmt: skip
    assert not todo.relist


def test_a_listener_that_goes_rewrites_their_file_and_a_cluster_that_goes_waits() -> None:
    todo = changes(held(SNAPSHOT), Snapshot(), None)
    assert todo.relist == {"listeners"}
    assert not todo.clusters


def test_what_envoy_says_otherwise_is_written_again() -> None:
    def versions(kind: str) -> dict[str, str]:
        return {name: version_of({name: one}) for name, one in SNAPSHOT.of(kind).items()}  # type: ignore[arg-type]

    seen = Versions(
        listeners=version_of(dict(SNAPSHOT.listeners)),
        clusters=version_of(dict(SNAPSHOT.clusters)),
        routes={**versions("routes"), "r": "older"},
        endpoints=versions("endpoints"),
        secrets=versions("secrets"),
    )
    todo = changes(held(SNAPSHOT), SNAPSHOT, seen)
    assert todo.routes == ("r",)
    assert not todo.relist
    assert changes(held(SNAPSHOT), SNAPSHOT, Versions()).relist == {"listeners", "clusters"}


def test_only_clusters_with_endpoints_must_have_members() -> None:
    assert with_endpoints(SNAPSHOT, ["a", "b", "c"]) == ["a"]


def test_with_enough_watches_every_cluster_has_a_file() -> None:
    assert fitting(SNAPSHOT, 6) == SNAPSHOT


def test_with_too_few_watches_the_last_clusters_hold_their_endpoints() -> None:
    fitted = fitting(SNAPSHOT, 5)
    assert fitted.clusters["b"] == {
        "name": "b",
        "type": "STATIC",
        "load_assignment": SNAPSHOT.endpoints["b"],
    }
    assert (fitted.clusters["a"], fitted.endpoints) == (
        SNAPSHOT.clusters["a"],
        {"a": SNAPSHOT.endpoints["a"]},
    )


def test_some_of_the_machines_watches_are_left_to_others() -> None:
    assert subscriptions(8192) == 8128
    assert subscriptions(128) == 64
    assert subscriptions(64) == 16


def test_version_texts_are_sorted_by_what_they_are_of() -> None:
    page = "\n".join([
        'listener_manager.lds.version_text: "1"', 'cluster_manager.cds.version_text: "2"',
        'cluster.http_a_b_80_-.version_text: "3"', 'http.fw-80.rds.fw-80.version_text: "4"',
        'sds.tls_a_b.version_text: "5"',
    ])  # fmt: skip
    assert parse_versions(page) == Versions(
        listeners="1",
        clusters="2",
        endpoints={"http_a_b_80_-": "3"},
        routes={"fw-80": "4"},
        secrets={"tls_a_b": "5"},
    )


def test_envoys_message_names_what_it_refuses() -> None:
    said = "Error adding/updating listener(s) fw-80: cannot bind, fw-81: cannot bind"
    assert named(said, ["fw-80", "fw-81", "fw-82"]) == ("fw-80", "fw-81")
    assert named("missing ]", ["fw-80", "fw-81"]) == ("fw-80", "fw-81")

"""A Delivery is read strictly: what is not known is an error with its path."""

from typing import Any

import pytest
from delivery_records import delivery

from fairway.model.errors import InvalidInput
from fairway.release import spec
from fairway.release.deliveries import condition, judged
from fairway.release.spec import Gate

CONFIGURATION = {"repository": "acme/environments", "path": "{service}/prod"}
GATES: list[tuple[Any, str]] = [
    ({"all": []}, "gates.all"),
    ({"any": []}, "gates.any"),
    ({"all": [{"any": []}]}, "gates.all[0].any"),
    ({}, "gates"),
    ({"soak": {"duration": "1s"}, "qa": {"user": "q"}}, "gates"),
    ({"soak": {"duration": "soon"}}, "gates.soak.duration"),
    ({"soak": {"duration": "1s", "more": 1}}, "gates.soak"),
    ({"moon": {}}, "gates"),
    ({"approval": {"count": 0}}, "gates.approval.count"),
    ({"qa": {"user": ""}}, "gates.qa.user"),
    ({"window": {"schedule": "x", "duration": "1h"}}, "gates.window.schedule"),
    ({"window": {"schedule": "0 9 * * *", "duration": "1h", "timezone": "Mars"}},
     "gates.window.timezone"),
    ({"verification": {}}, "gates.verification"),
    ({"verification": {"analysis": {"template": "a"}, "pipeline": {}}}, "gates.verification"),
]  # fmt: skip


@pytest.mark.parametrize(("gates", "path"), GATES)
def test_a_gate_that_cannot_be_right_is_refused_with_its_path(gates: Any, path: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        delivery({"name": "dev"}, {"name": "production", "gates": gates})
    assert caught.value.where.startswith("spec.environments[1]")
    assert path in caught.value.where


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"cluser": "x"}, "spec.environments[0]"),
        ({"name": "Prod"}, "spec.environments[0].name"),
        ({"follows": ">=1", "name": "b"}, None),
        ({"registry": "A b"}, "spec.environments[0].registry"),
        ({"configuration": {"repository": "x", "path": "y"}},
         "spec.environments[0].configuration.repository"),
        ({"configuration": {"repository": "x/y", "path": "../y"}},
         "spec.environments[0].configuration.path"),
        ({"application": "{name}"}, "spec.environments[0].application"),
        ({"services": {"nobody": {}}}, "spec.environments[0].services.nobody"),
        ({"gates": {"soak": {"duration": "1s"}}}, "spec.environments[0].gates.soak"),
        ({"admits": "some"}, "spec.environments[0].admits"),
    ],
)  # fmt: skip
def test_an_environment_that_cannot_be_right_is_refused(change: Any, path: str | None) -> None:
    if path is None:
        delivery({"name": "dev", **change})
        return
    with pytest.raises(InvalidInput) as caught:
        delivery({"name": "dev", **change})
    assert caught.value.where.startswith(path)


def test_only_the_first_environment_follows_a_range() -> None:
    with pytest.raises(InvalidInput, match="first"):
        delivery({"name": "dev"}, {"name": "production", "follows": ">=1"})


def test_two_environments_do_not_share_a_part_of_the_registry() -> None:
    with pytest.raises(InvalidInput, match="already"):
        delivery({"name": "dev"}, {"name": "production", "registry": "dev"})


def test_a_service_may_have_gates_of_its_own_or_none() -> None:
    found = delivery(
        {"name": "dev"},
        {
            "name": "production",
            "gates": {"approval": {}},
            "application": "{service}",
            "services": {"shop": {"gates": "none", "application": "front"}},
        },
        services=("web", "shop"),
    )
    place = found.environment("production")
    assert place is not None
    assert isinstance(place.gates_of("web"), Gate)
    assert place.gates_of("shop") is None
    assert (place.application_of("web"), place.application_of("shop")) == ("web", "front")


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("0s", 0),
        ("90s", 90_000),
        ("1h30m", 5_400_000),
        ("2d", 172_800_000),
        ("", None),
        ("5", None),
    ],
)
def test_durations(text: str, wanted: int | None) -> None:
    assert spec.milliseconds(text) == wanted


def test_the_status_says_what_is_wrong_and_is_written_once() -> None:
    obj: dict[str, Any] = {"metadata": {"name": "shop", "generation": 2}, "spec": {"services": []}}
    found, problem = judged(obj)
    assert found is None
    status = condition(obj, problem)
    assert status is not None
    (said,) = status["conditions"]
    assert (said["status"], said["reason"]) == ("False", "Invalid")
    assert "spec" in said["message"]
    assert condition({**obj, "status": status}, problem) is None

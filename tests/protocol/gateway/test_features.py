"""A real Envoy with the composed configuration does what the Gateway API says."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from featurebench import Answer, Bench, serving
from gatewaycases import EMPTY, GATEWAYS, ROUTES
from gatewayworld import manifests


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("log") / "access.log"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def bench(tmp_path_factory: pytest.TempPathFactory, log: Path) -> AsyncIterator[Bench]:
    backends: dict[str, dict[str, Any]] = {name: {} for name in "abc"}
    backends["many"] = {"count": 3}
    text = f"{GATEWAYS}---\n{ROUTES}---\n{EMPTY}"
    place = {"access_log": str(log), "access_log_percent": 100.0}
    async with serving(
        tmp_path_factory.mktemp("envoy"), manifests(text), backends, **place
    ) as found:
        yield found


pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.mark.parametrize(
    ("path", "options", "backend"),
    [
        ("/m", {}, "a"),
        ("/m/", {}, "a"),
        ("/m/other", {}, "a"),
        ("/m/two", {}, "c"),
        ("/m/two/", {}, "b"),
        ("/m/two/three", {}, "b"),
        ("/m/twos", {}, "a"),
        ("/m", {"headers": {"version": "c"}}, "c"),
        ("/m", {"headers": {"version": "c12"}}, "c"),
        ("/m", {"headers": {"version": "xc12"}}, "a"),
        ("/m?version=c", {}, "c"),
        ("/m?version=d", {}, "a"),
        ("/m", {"method": "PATCH"}, "c"),
        ("/m/12", {}, "c"),
        ("/m/12/3", {}, "a"),
        ("/m/two/12", {"headers": {"version": "c"}}, "b"),
    ],
)
async def test_requests_go_where_their_most_specific_match_says(
    bench: Bench, path: str, options: dict[str, object], backend: str
) -> None:
    answer = await bench.ask("main", path, **options)  # type: ignore[arg-type]
    assert (answer.status, answer.backend) == (200, backend)


@pytest.mark.parametrize("path", ["/mm", "/unknown", "/"])
async def test_what_no_rule_matches_is_not_found(bench: Bench, path: str) -> None:
    assert (await bench.ask("main", path)).status == 404


@pytest.mark.parametrize(
    ("host", "path", "status"),
    [
        ("a.example.com", "/exact", 200),
        ("a.example.com", "/wild", 404),
        ("a.example.com", "/any", 404),
        ("b.example.com", "/wild", 200),
        ("b.example.com:8080", "/wild", 200),
        ("b.example.com", "/any", 404),
        ("other.org", "/any", 200),
        ("other.org", "/wild", 404),
        ("example.com", "/wild", 404),
    ],
)
async def test_a_request_belongs_to_the_closest_listener_only(
    bench: Bench, host: str, path: str, status: int
) -> None:
    assert (await bench.ask("isolated", path, host=host)).status == status


async def test_headers_are_changed_on_the_way_there_and_back(bench: Bench) -> None:
    asked = {"X-Set": "old", "X-Add": "one", "X-Remove": "x"}
    answer = await bench.ask("main", "/headers", headers=asked)
    seen = answer.echo["headers"]
    assert (seen["x-set"], seen["x-add"], seen["x-backend"]) == ("100%set", "more", "a")
    assert "x-remove" not in seen
    assert (answer.header("x-from"), answer.header("x-new")) == ("gateway", "1")
    assert "x-gone" not in answer.headers
    assert not [name for name in (*seen, *answer.headers) if name.startswith("x-envoy-up")]


@pytest.mark.parametrize(
    ("path", "host", "seen"),
    [
        ("/host", "one.example.org", "/host"),
        ("/sethost", "two.example.org", "/sethost"),
        ("/full/path?q=1", "example.com", "/one?q=1"),
        ("/prefix", "example.com", "/xyz"),
        ("/prefix/", "example.com", "/xyz/"),
        ("/prefix/a?q=1", "example.com", "/xyz/a?q=1"),
        ("/strip", "example.com", "/"),
        ("/strip/", "example.com", "/"),
        ("/strip/a/b", "example.com", "/a/b"),
    ],
)
async def test_hosts_and_paths_are_rewritten(bench: Bench, path: str, host: str, seen: str) -> None:
    echo = (await bench.ask("main", path)).echo
    assert (echo["headers"]["host"], echo["path"]) == (host, seen)


@pytest.mark.parametrize(
    ("path", "status", "location"),
    [
        ("/plain", 302, "http://x.org:8080/plain"),
        ("/scheme", 301, "https://redirect.example.com/scheme"),
        ("/port", 307, "http://redirect.example.com:8083/port"),
        ("/p80", 308, "http://redirect.example.com/p80"),
        ("/path/a?q=1", 303, "http://redirect.example.com:8080/new/a?q=1"),
        ("/whole/a", 302, "http://redirect.example.com:8080/new"),
    ],
)
async def test_redirects_name_a_port_only_where_one_is_needed(
    bench: Bench, path: str, status: int, location: str
) -> None:
    answer = await bench.ask("main", path, host="redirect.example.com")
    assert (answer.status, answer.header("location")) == (status, location)


@pytest.mark.parametrize(
    ("path", "status"),
    [("/zero", 500), ("/gone", 500), ("/none", 500), ("/empty", 503), ("/custom", 500)],
)
async def test_backends_that_cannot_answer_are_an_error(
    bench: Bench, path: str, status: int
) -> None:
    assert (await bench.ask("main", path)).status == status


async def test_a_missing_backend_costs_its_share_only(bench: Bench) -> None:
    count = Counter([(await bench.ask("main", "/half")).status for _ in range(200)])
    assert set(count) == {200, 500}
    assert 60 < count[500] < 140  # five standard errors


async def test_weights_split_and_zero_gets_nothing(bench: Bench) -> None:
    count = Counter([(await bench.ask("main", "/split")).backend for _ in range(400)])
    assert set(count) == {"a", "b"}
    assert 40 < count["b"] < 120  # five standard errors


async def test_a_client_with_a_cookie_stays_and_new_ones_are_split(bench: Bench) -> None:
    new = [await bench.ask("main", "/sticky") for _ in range(100)]
    assert set(Counter(each.backend for each in new)) == {"a", "b"}
    assert all(len(each.headers["set-cookie"]) == 2 for each in new)  # the backend and its pod
    for each in new[:10]:
        again = [await bench.ask("main", "/sticky", headers=cookies(each)) for _ in range(5)]
        assert {more.backend for more in again} == {each.backend}


async def test_a_client_stays_with_its_pod_by_cookie_or_header(bench: Bench) -> None:
    new = [await bench.ask("main", "/stay") for _ in range(30)]
    assert len({each.backend for each in new}) == 3
    assert "Max-Age=3600" in new[0].header("set-cookie")
    for each in new[:5]:
        again = [await bench.ask("main", "/stay", headers=cookies(each)) for _ in range(6)]
        assert {more.backend for more in again} == {each.backend}
    first = await bench.ask("main", "/header")
    asked = {"X-Pod": first.header("x-pod")}
    again = [await bench.ask("main", "/header", headers=asked) for _ in range(8)]
    assert {each.backend for each in again} == {first.backend}


def cookies(answer: Answer) -> dict[str, str]:
    pairs = [text.split(";")[0] for text in answer.headers["set-cookie"]]
    return {"Cookie": "; ".join(["other=1", *pairs])}


@pytest.mark.parametrize(
    ("path", "status"), [("/timeout", 504), ("/try", 504), ("/never", 200), ("/m", 200)]
)
async def test_timeouts_end_a_request(bench: Bench, path: str, status: int) -> None:
    assert (await bench.ask("main", f"{path}?wait=0.5")).status == status


async def test_clients_cannot_command_envoy(bench: Bench) -> None:
    asked = {
        "X-Envoy-Upstream-Rq-Timeout-Ms": "50",
        "X-Envoy-Retry-On": "5xx",
        "X-Envoy-Max-Retries": "9",
        "X-Envoy-Internal": "true",
        "X-Forwarded-For": "10.0.0.1",
    }
    before = len(bench.echoes["a"].asked)
    answer = await bench.ask("main", "/m?wait=0.3&status=503", headers=asked)
    assert answer.status == 503
    assert len(bench.echoes["a"].asked) == before + 1
    seen = answer.echo["headers"]
    own = {name for name in seen if name.startswith("x-envoy")}
    assert own <= {"x-envoy-external-address"}  # Envoy's own word for who asked
    assert seen["x-forwarded-for"].startswith("10.0.0.1,")


@pytest.mark.parametrize(
    ("fails", "answered", "status"), [(2, 500, 200), (3, 500, 500), (1, 502, 502), (2, 503, 200)]
)
async def test_failed_requests_are_tried_again_as_often_as_allowed(
    bench: Bench, fails: int, answered: int, status: int
) -> None:
    path = f"/retry?fail={fails}&status={answered}&id={fails}-{answered}"
    assert (await bench.ask("main", path)).status == status


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/again?hang=2&id=h2", 200),  # HTTPRouteRetryBackendTimeout
        ("/again?hang=3&id=h3", 504),
        ("/again?drop=2&id=d2", 200),  # HTTPRouteRetryConnectionError
        ("/again?drop=3&id=d3", 503),
        ("/again?fail=1&id=f1&status=500", 500),  # no codes are named
    ],
)
async def test_a_retry_begins_again_after_a_try_s_timeout_and_after_a_lost_connection(
    bench: Bench, path: str, status: int
) -> None:
    assert (await bench.ask("main", path)).status == status


async def test_copies_go_to_the_mirror_and_its_answer_to_nobody(bench: Bench) -> None:
    path = "/mirror?status=418&wait=0"
    before = len(bench.echoes["b"].asked), len(bench.echoes["c"].asked)
    answer = await bench.ask("main", path, host="mirrored.example.com")
    assert answer.backend == "a"
    await bench.until(lambda: len(bench.echoes["b"].asked) > before[0])
    copy = bench.echoes["b"].asked[before[0]]
    assert (copy["path"], copy["headers"]["host"]) == (path, "mirrored.example.com")
    assert len(bench.echoes["c"].asked) == before[1]


async def test_a_slow_mirror_slows_nobody(bench: Bench) -> None:
    mirror = bench.echoes["b"]
    mirror.gate.clear()
    answered, asked = mirror.answered, len(mirror.asked)
    try:
        for _ in range(3):
            assert (await bench.ask("main", "/mirror")).backend == "a"
        await bench.until(lambda: len(mirror.asked) == asked + 3)
        assert mirror.answered == answered
    finally:
        mirror.gate.set()


async def test_sampled_requests_are_logged_without_their_query(bench: Bench, log: Path) -> None:
    await bench.ask("main", "/m/logged?password=hunter2", host="logged.com")
    await bench.until(lambda: log.exists() and "/m/logged" in log.read_text())
    line = json.loads(next(each for each in log.read_text().splitlines() if "/m/logged" in each))
    assert (line["path"], line["status"], line["host"]) == ("/m/logged", 200, "logged.com")
    assert line["cluster"] == "http_shop_a_80_-"
    assert line["route"].startswith("HTTPRoute/shop/matches/")
    assert "hunter2" not in log.read_text()


def preflight(origin: str, method: str = "GET") -> dict[str, str]:
    return {
        "Origin": origin,
        "Access-Control-Request-Method": method,
        "Access-Control-Request-Headers": "x-1, x-2",
    }


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        ("https://www.foo.com", True),
        ("https://www.foo.com:443", True),
        ("https://a.b.bar.com", True),
        ("http://www.foo.com", False),
        ("https://bar.com", False),
        ("https://evil.com/.bar.com", False),
        ("https://www.foo.com.evil.com", False),
    ],
)
async def test_origins_are_told_what_they_may(bench: Bench, origin: str, allowed: bool) -> None:
    answer = await bench.ask("main", "/cors", method="OPTIONS", headers=preflight(origin))
    assert answer.status == 200
    if not allowed:
        assert "access-control-allow-origin" not in answer.headers
        return
    assert answer.header("access-control-allow-origin") == origin
    assert answer.header("access-control-allow-methods") == "GET, OPTIONS"
    assert answer.header("access-control-allow-headers") == "x-1, x-2"
    assert answer.header("access-control-max-age") == "3600"
    assert answer.header("access-control-allow-credentials") == "true"


async def test_wildcards_are_never_shown_where_credentials_are_allowed(bench: Bench) -> None:
    asked = preflight("https://any.org", "PUT")
    answer = await bench.ask("main", "/anycors", method="OPTIONS", headers=asked)
    assert answer.header("access-control-allow-methods") == "PUT"
    assert answer.header("access-control-allow-headers") == "x-1, x-2"
    simple = await bench.ask("main", "/anycors", headers={"Origin": "https://any.org"})
    assert simple.header("access-control-allow-origin") == "https://any.org"
    assert simple.backend == "a"

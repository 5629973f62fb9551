"""Ingress objects, with ingress-nginx's canaries, on a real Envoy."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from featurebench import Bench, low_ports, serving
from gatewaycases import INGRESSES
from gatewayworld import manifests, secret

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(not low_ports(), reason="ports below 1024 may not be bound here"),
]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def bench(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Bench]:
    objects = [*manifests(INGRESSES), secret("cert", "secure.com", "*.wild.com")]
    backends: dict[str, dict[str, Any]] = {name: {} for name in "abc"}
    place = {"own": "shop/own", "http_port": 8080, "https_port": 8443}
    async with serving(tmp_path_factory.mktemp("envoy"), objects, backends, **place) as found:
        yield found


@pytest.mark.parametrize(
    ("host", "path", "backend"),
    [
        ("shop.com", "/", "a"),
        ("shop.com", "/bb", "a"),
        ("shop.com", "/b", "b"),
        ("shop.com", "/b/", "b"),
        ("shop.com", "/b/c", "c"),
        ("shop.com", "/b/c/", "b"),
        ("other.org", "/", "c"),
        ("one.wild.com", "/", "b"),
        ("one.wild.com:8080", "/", "b"),
        ("two.one.wild.com", "/", "c"),  # one label only, unlike the Gateway API
    ],
)
async def test_hosts_and_paths_lead_to_their_backends(
    bench: Bench, host: str, path: str, backend: str
) -> None:
    for port in (80, 8080):
        answer = await bench.ask("own", path, host=host, port=port)
        assert (answer.status, answer.backend) == (200, backend)


async def test_routes_of_the_own_gateway_go_on_beside(bench: Bench) -> None:
    assert (await bench.ask("own", "/", host="x.gateway.org")).backend == "c"


async def test_a_missing_service_is_unavailable(bench: Bench) -> None:
    assert (await bench.ask("own", "/gone", host="shop.com")).status == 503


@pytest.mark.parametrize("port", [443, 8443])
async def test_certificates_serve_their_hosts(bench: Bench, port: int) -> None:
    answer = await bench.ask("own", "/", host="secure.com", port=port, sni="secure.com")
    assert answer.backend == "a"
    answer = await bench.ask("own", "/", host="one.wild.com", port=port, sni="one.wild.com")
    assert answer.backend == "b"
    answer = await bench.ask("own", "/", host="secure.com", port=port, sni="one.wild.com")
    assert answer.status == 421


async def test_http_is_sent_to_https_where_it_is_asked_for(bench: Bench) -> None:
    answer = await bench.ask("own", "/a?b=c", host="away.com", port=80)
    assert (answer.status, answer.header("location")) == (308, "https://away.com/a?b=c")
    answer = await bench.ask("own", "/a", host="away.com", port=8080)
    assert answer.header("location") == "https://away.com:8443/a"


@pytest.mark.parametrize(("path", "seen"), [("/api", "/"), ("/api/", "/"), ("/API/x/y", "/x/y")])
async def test_groups_of_a_path_are_rewritten(bench: Bench, path: str, seen: str) -> None:
    assert (await bench.ask("own", path, host="groups.com")).echo["path"] == seen


async def test_what_would_have_kept_somebody_out_is_closed(bench: Bench) -> None:
    assert (await bench.ask("own", "/", host="closed.com")).status == 503


@pytest.mark.parametrize(
    ("header", "cookie", "backend"),
    [
        ("always", "", "b"),
        ("never", "", "a"),
        ("always", "canary=never", "b"),
        ("never", "canary=always", "a"),
        ("other", "canary=always", "b"),
        ("", "x=1; canary=always", "b"),
        ("", "canary=never; x=1", "a"),
    ],
)
async def test_a_header_goes_before_a_cookie_and_both_before_the_weight(
    bench: Bench, header: str, cookie: str, backend: str
) -> None:
    headers = {"X-Canary": header} if header else {}
    headers |= {"Cookie": cookie} if cookie else {}
    answers = [await bench.ask("own", "/", host="canary.com", headers=headers) for _ in range(8)]
    assert {each.backend for each in answers} == {backend}


async def test_the_rest_is_split_by_weight(bench: Bench) -> None:
    asked = {"Cookie": "canary=maybe"}
    answers = [await bench.ask("own", "/", host="canary.com", headers=asked) for _ in range(400)]
    count = Counter(each.backend for each in answers)
    assert 57 < count["b"] < 143  # a quarter, five standard errors


@pytest.mark.parametrize(
    ("value", "backend"), [("beta", "b"), ("best of", "b"), ("abeta", "a"), ("always", "a")]
)
async def test_a_pattern_decides_by_itself(bench: Bench, value: str, backend: str) -> None:
    answer = await bench.ask("own", "/", host="valued.com", headers={"X-Canary": value})
    assert answer.backend == backend

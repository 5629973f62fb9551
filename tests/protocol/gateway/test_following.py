"""The gateway follows a real Kubernetes API: objects change, Envoy confirms, statuses tell."""

from __future__ import annotations

import asyncio
import base64
import os
import signal
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from gatewaybench import Load, Server, free_port, until
from gatewaytown import SPACE, Far, Town, end, get, town

from fairway.gateway import localhost, own
from fairway.gateway.live import Share
from fairway.gateway.snapshot import CONTROLLER, INGRESS_CONTROLLER, Composed, World
from fairway.gateway.watching import GATEWAY, GATEWAY_CLASS, HTTP_ROUTE, INGRESS_CLASS
from fairway.kit.aio import blocking
from fairway.kube.kind import CUSTOM_RESOURCE_DEFINITION, SECRET, SERVICE
from fairway.supervise.component import State
from fairway.testing.apiserver import ApiServer

pytestmark = pytest.mark.timeout(180)


@pytest.fixture
async def b() -> AsyncIterator[Server]:
    async with Far("b").run() as server:
        yield server


@pytest.fixture
def pair(a: Server, b: Server) -> tuple[Server, Server]:
    return a, b


async def test_a_route_answers_by_its_name_once_its_status_says_so(here: Town, a: Server) -> None:
    route = await here.route("web", {await here.backend(a): 1})
    found = await here.live("web", route["metadata"]["generation"])
    assert found.rules == {0: (Share(SPACE, "a", 80, 1),)}
    assert await get(here.http, "web.localhost") == (200, "a")
    assert (await get(here.http, "other.localhost"))[0] == 404


async def test_a_change_of_weights_is_told_with_its_generation(
    here: Town, a: Server, b: Server
) -> None:
    names = await here.backend(a), await here.backend(b)
    first = await here.route("web", dict(zip(names, (90, 10), strict=True)))
    before = await here.live("web", first["metadata"]["generation"])
    second = await here.route("web", dict(zip(names, (20, 80), strict=True)))
    after = await here.live("web", second["metadata"]["generation"])
    assert [share.weight for share in after.rules[0]] == [20, 80]
    assert after.version != before.version


async def test_a_change_of_another_route_leaves_a_routes_version_as_it_is(
    here: Town, a: Server, b: Server
) -> None:
    first = await here.route("web", {await here.backend(a): 1})
    before = await here.live("web", first["metadata"]["generation"])
    other = await here.route("other", {await here.backend(b): 1})
    await here.live("other", other["metadata"]["generation"])
    assert await here.live("web", 1) == before


async def test_a_refused_route_serves_as_before_and_says_what_envoy_said(
    here: Town, a: Server, b: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = await here.backend(a), await here.backend(b)
    good = await here.route("web", {names[0]: 1})
    await here.live("web", good["metadata"]["generation"])
    _break(monkeypatch, here, "x-bad")
    bad = [{"headers": [{"name": "x-bad", "value": "v"}]}]
    await here.route("web", {names[1]: 1}, matches=bad)
    said = await here.condition(HTTP_ROUTE, "web", "Accepted", status="False")
    assert "missing ]" in said["message"]
    live = await here.condition(HTTP_ROUTE, "web", "fairway.dev/Live", status="False")
    assert live["reason"] == "Rejected"
    assert await get(here.http, "web.localhost") == (200, "a")
    third = await here.route("other", {names[1]: 1})
    await here.live("other", third["metadata"]["generation"])
    assert await get(here.http, "other.localhost") == (200, "b")
    mended = await here.route("web", {names[1]: 1})
    await here.live("web", mended["metadata"]["generation"])
    assert await get(here.http, "web.localhost") == (200, "b")


def _break(patch: pytest.MonkeyPatch, here: Town, header: str) -> None:
    """Let a header's match become what Envoy refuses: nothing that we compose is, knowingly."""
    controller = here.service._controller
    assert controller is not None
    sound = controller._settler._compose

    def broken(world: World) -> Composed:
        found = sound(world)
        for config in found.snapshot.routes.values():
            for host in config["virtual_hosts"]:
                for match in (m for route in host["routes"] for m in _headers(route)):
                    if match["name"] == header:
                        match["string_match"] = {"safe_regex": {"regex": "(["}}
        return found

    patch.setattr(controller._settler, "_compose", broken)


def _headers(route: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = route["match"].get("headers", [])
    return found


async def test_one_bad_route_among_many_is_found_and_the_others_are_served(
    here: Town, a: Server
) -> None:
    name = await here.backend(a)
    with pytest.MonkeyPatch.context() as patch:
        _break(patch, here, "x-bad")
        for number in range(12):
            matches = [{"headers": [{"name": "x-bad", "value": "v"}]}] if number == 7 else None
            rule = {"matches": matches} if matches else {}
            await here.route(f"r{number}", {name: 1}, **rule)
        await here.condition(HTTP_ROUTE, "r7", "Accepted", status="False")
        for number in {*range(12)} - {7}:
            await here.condition(HTTP_ROUTE, f"r{number}", "fairway.dev/Live", status="True")
            assert await get(here.http, f"r{number}.localhost") == (200, "a")


async def test_a_killed_envoy_and_a_killed_fairway_lose_nothing_that_was_confirmed(
    tmp_path: Path, server: ApiServer, crds: Path, pair: tuple[Server, Server]
) -> None:
    a, b = pair
    root, ports = tmp_path / "gw", (free_port(), free_port())
    try:
        async with town(root, server.admin, crds, ports=ports) as first:
            names = await first.backend(a), await first.backend(b)
            route = await first.route("web", {names[0]: 1})
            await first.live("web", route["metadata"]["generation"])
            pid = first.envoy
        async with Load(ports[0], host="web.localhost").run() as load:
            await until(lambda: load.answers["a"] > 20, "traffic while nobody follows")
            async with town(root, server.admin, crds, ports=ports) as second:
                assert second.envoy == pid
                route = await second.route("web", {names[1]: 1})
                await second.live("web", route["metadata"]["generation"])
                before = load.answers["b"]
                await until(lambda: load.answers["b"] > before + 20, "traffic on b")
        assert not load.errors
        async with town(root, server.admin, crds, ports=ports) as third:
            os.kill(third.envoy, signal.SIGKILL)
            await until(lambda: _restarted(third, pid), "another Envoy")
            assert await get(ports[0], "web.localhost") == (200, "b")
            await third.kube.delete(HTTP_ROUTE, "web", SPACE)
    finally:
        await end(root)


def _restarted(found: Town, pid: int) -> bool:
    status = found.service.component()
    return status is not None and status.state is State.READY and status.pid != pid


async def test_a_restarted_api_server_changes_nothing_for_traffic(
    here: Town, server: ApiServer, a: Server
) -> None:
    route = await here.route("web", {await here.backend(a): 1})
    await here.live("web", route["metadata"]["generation"])
    server.kill("apiserver")
    try:
        assert await get(here.http, "web.localhost") == (200, "a")
    finally:
        await blocking(server.start)
    again = await here.route("web", {"a": 5})
    await here.live("web", again["metadata"]["generation"])


async def test_others_say_what_they_like_of_a_route(here: Town, a: Server) -> None:
    route = await here.route("web", {await here.backend(a): 1})
    await here.live("web", route["metadata"]["generation"])

    def add(found: dict[str, object]) -> dict[str, object]:
        status = found["status"]
        assert isinstance(status, dict)
        other = {
            "controllerName": "example.com/other",
            "parentRef": {"name": "elsewhere"},
            "conditions": [
                {
                    "type": "Accepted",
                    "status": "True",
                    "reason": "Accepted",
                    "message": "",
                    "lastTransitionTime": "2026-01-01T00:00:00Z",
                }
            ],
        }
        status["parents"] = [*status["parents"], other]
        return found

    await here.kube.update(HTTP_ROUTE, "web", SPACE, change=add, subresource="status")
    second = await here.route("web", {"a": 7})
    await here.live("web", second["metadata"]["generation"])
    parents = (await here.kube.get(HTTP_ROUTE, "web", SPACE))["status"]["parents"]
    assert {one["controllerName"] for one in parents} == {
        "example.com/other",
        "fairway.dev/gateway-controller",
    }


async def test_a_route_that_leaves_us_keeps_nothing_of_ours_in_its_status(
    here: Town, a: Server
) -> None:
    route = await here.route("web", {await here.backend(a): 1})
    await here.live("web", route["metadata"]["generation"])
    patch = [{"op": "replace", "path": "/spec/parentRefs", "value": [{"name": "elsewhere"}]}]
    await here.kube.patch(HTTP_ROUTE, "web", SPACE, body=patch, how="json")

    async def left() -> bool:
        status = (await here.kube.get(HTTP_ROUTE, "web", SPACE)).get("status") or {}
        return not status.get("parents")

    await until(left, "the status is empty")
    assert (await get(here.http, "web.localhost"))[0] == 404


async def test_our_own_gateway_speaks_https_with_a_certificate_for_localhost(
    here: Town, a: Server
) -> None:
    route = await here.route("web", {await here.backend(a): 1})
    await here.live("web", route["metadata"]["generation"])
    secret = await here.kube.get(SECRET, own.SECRET, own.NAMESPACE)
    context = ssl.create_default_context(cadata=base64.b64decode(secret["data"]["ca.crt"]).decode())

    at: Any = {"host": "127.0.0.1", "port": here.https, "ssl": context}

    async def verified() -> bool:
        try:
            _, writer = await asyncio.open_connection(**at, server_hostname="web.localhost")
        except ssl.SSLCertVerificationError:
            return False
        writer.close()
        return True

    await until(verified, "a certificate with the name that the route has brought")
    reader, writer = await asyncio.open_connection(**at, server_hostname="web.localhost")
    writer.write(b"GET / HTTP/1.1\r\nHost: web.localhost\r\nConnection: close\r\n\r\n")
    assert (await reader.read()).endswith(b"\r\n\r\na")
    writer.close()


async def test_a_new_certificate_is_used_at_once_and_cuts_no_connection(
    here: Town, a: Server
) -> None:
    route = await here.route("web", {await here.backend(a): 1})
    await here.live("web", route["metadata"]["generation"])
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    reader, writer = await asyncio.open_connection("127.0.0.1", here.https, ssl=context)
    first = await _certificate(here.https)
    signer = await here.kube.get(SECRET, localhost.AUTHORITY, own.NAMESPACE)
    fresh = localhost.secret(signer, {"web.localhost"})
    await here.kube.apply(SECRET, fresh, force=True)

    async def changed() -> bool:
        return await _certificate(here.https) != first

    await until(changed, "the new certificate")
    assert await _certificate(here.https) == ssl.PEM_cert_to_DER_cert(
        base64.b64decode(fresh["data"]["tls.crt"]).decode()
    )
    writer.write(b"GET / HTTP/1.1\r\nHost: web.localhost\r\nConnection: close\r\n\r\n")
    assert (await reader.read()).endswith(b"\r\n\r\na")
    writer.close()


async def _certificate(port: int) -> bytes:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    found: bytes = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    return found


async def test_a_service_of_type_load_balancer_gets_an_address_that_works(
    here: Town, a: Server
) -> None:
    name = await here.backend(a)
    await here.kube.apply(
        SERVICE,
        {
            "metadata": {"name": name, "namespace": SPACE},
            "spec": {"type": "LoadBalancer", "ports": [{"port": 80}]},
        },
        force=True,
    )
    shown: list[str] = []

    async def look() -> bool:
        status = (await here.kube.get(SERVICE, name, SPACE))["status"]
        shown[:] = [one["ip"] for one in status.get("loadBalancer", {}).get("ingress", ())]
        return bool(shown)

    await until(look, "an address")
    reader, writer = await asyncio.open_connection(shown[0], 80)
    writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert b" 200 " in await reader.readline()
    writer.close()


async def test_definitions_and_own_objects_are_made_once_and_others_are_left_alone(
    here: Town, server: ApiServer, crds: Path, tmp_path: Path
) -> None:
    gateway = await here.kube.get(GATEWAY, own.NAME, own.NAMESPACE)
    assert own.ours(gateway)
    name = "httproutes.gateway.networking.k8s.io"
    definition = await here.kube.get(CUSTOM_RESOURCE_DEFINITION, name)
    note = definition["metadata"]["annotations"]["gateway.networking.k8s.io/channel"]
    assert note == "experimental"
    foreign = {"metadata": {"name": "fairway", "annotations": {own.MARK: None}}}
    await here.kube.patch(GATEWAY_CLASS, "fairway", body=foreign)
    await here.kube.patch(
        GATEWAY_CLASS, "fairway", body={"spec": {"description": "somebody else's"}}
    )
    await here.service._own_objects(  # type: ignore[union-attr]
        here.kube, here.service._controller._place, frozenset()
    )
    kept = await here.kube.get(GATEWAY_CLASS, "fairway")
    assert kept["spec"]["description"] == "somebody else's"
    after = await here.kube.get(CUSTOM_RESOURCE_DEFINITION, name)
    assert after["metadata"]["generation"] == definition["metadata"]["generation"]


async def test_what_versions_answered_is_measured(here: Town, a: Server) -> None:
    route = await here.route("web", {await here.backend(a): 1})
    await here.live("web", route["metadata"]["generation"])
    await here.service.traffic.look()
    for _ in range(25):
        await get(here.http, "web.localhost")

    async def timed() -> bool:
        """Envoy merges its histograms every five seconds, its counters at once."""
        await here.service.traffic.look()
        return here.service.traffic.measured(SPACE, "a", seconds=60).quantile(0.5) is not None

    await until(timed, "latencies")
    found = here.service.traffic.measured(SPACE, "a", seconds=60)
    assert (found.requests, found.success_rate) == (25, 1.0)
    assert b"fairway_gateway_requests_total" in here.service.traffic.metrics()
    assert '"route":"HTTPRoute/default/web/0/0"' in here.folder.access_log.read_text()


async def test_classes_of_an_older_version_of_ours_are_replaced(here: Town) -> None:
    """The controller's name of a class cannot be changed: the API server refuses it."""
    older = {"fairway.dev/made-by": "fairway"}
    for kind, name in ((INGRESS_CLASS, "controller"), (GATEWAY_CLASS, "controllerName")):
        await here.kube.delete(kind, "fairway")
        spec = {name: "older.example/controller"}
        meta = {"name": "fairway", "annotations": older}
        await here.kube.create(kind, {"metadata": meta, "spec": spec})
    controller = here.service._controller
    assert controller is not None
    await here.service._own_objects(here.kube, controller._place, frozenset())
    ingress = await here.kube.get(INGRESS_CLASS, "fairway")
    assert ingress["spec"]["controller"] == INGRESS_CONTROLLER

    async def accepted() -> bool:
        found = await here.kube.get(GATEWAY_CLASS, "fairway")
        assert found["spec"]["controllerName"] == CONTROLLER
        said = found.get("status", {}).get("conditions", [])
        return {"Accepted": "True"}.items() <= {one["type"]: one["status"] for one in said}.items()

    await until(accepted, "our class accepted")

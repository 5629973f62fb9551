"""Requests as they leave, and what becomes of answers: on a transport that plays a script."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from fairway.kube import Actor, Kube, Logs, Pods
from fairway.kube.caller import warnings_in
from fairway.kube.errors import KubeBusy, KubeInvalid, KubeNotFound, KubeUnavailable, unavailable
from fairway.kube.kind import CONFIG_MAP, DEPLOYMENT, POD
from fairway.kube.pods import Session
from fairway.kube.transport import Request, Response, Stream, WebSocket

pytestmark = pytest.mark.looptime
Answer = Response | Exception | float


class Script:
    """A `Transport` that gives one answer after another: an error, or seconds of silence before."""

    server = "script"

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.asked: list[Request] = []

    async def send(self, request: Request) -> Response:
        """The next answer."""
        self.asked.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, float):
            await asyncio.sleep(answer)
            return await self.send(request)
        if isinstance(answer, Exception):
            raise answer
        return answer

    @asynccontextmanager
    async def stream(self, request: Request) -> AsyncIterator[Stream]:
        """Not in the script."""
        raise unavailable(self.server, request.path)
        yield

    @asynccontextmanager
    async def websocket(
        self, request: Request, protocols: tuple[str, ...]
    ) -> AsyncIterator[WebSocket]:
        """Not in the script."""
        raise unavailable(self.server, protocols)
        yield

    async def close(self) -> None:
        """Nothing is open."""


def ok(body: Any = None, **headers: str) -> Response:
    return Response(200, headers, json.dumps(body or {}).encode())


def no(status: int, **headers: str) -> Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(status, named, b"")


def kube(script: Script, **actor: Any) -> Kube:
    return Kube(script, Actor(manager="m", **actor))


async def test_a_request_tells_who_acts() -> None:
    script = Script(ok(), ok())
    mine = kube(script, on_behalf_of="ä alice")
    await mine.as_user("bob", "one", "two").get(POD, "a", "n")
    await mine.apply(DEPLOYMENT, {"metadata": {"name": "d", "namespace": "n"}}, force=True)
    first, second = script.asked
    assert first.headers["impersonate-user"] == "bob"
    assert first.repeated == (("impersonate-group", "one"), ("impersonate-group", "two"))
    assert first.headers["user-agent"] == "fairway (m on behalf of \\xe4 alice)"
    assert (first.method, first.path, first.body) == ("GET", "/api/v1/namespaces/n/pods/a", b"")
    assert second.repeated == ()
    assert dict(second.query) == {
        "fieldManager": "m",
        "fieldValidation": "Strict",
        "force": "true",
    }
    assert second.headers["content-type"] == "application/apply-patch+yaml"
    assert json.loads(second.body)["kind"] == "Deployment"


async def test_a_server_that_asks_for_patience_gets_it_within_the_deadline() -> None:
    script = Script(no(429, retry_after="3"), no(503, retry_after="4"), ok({"kind": "X"}))
    began = asyncio.get_running_loop().time()
    assert await kube(script).create(CONFIG_MAP, {"metadata": {"namespace": "n"}}) == {"kind": "X"}
    assert asyncio.get_running_loop().time() - began == pytest.approx(7)
    with pytest.raises(KubeUnavailable, match="within 5 s"):
        await kube(Script(no(429, retry_after="60"))).get(POD, "a", "n", timeout=5)
    script = Script(*[no(429, retry_after="1")] * 20)
    with pytest.raises(KubeBusy):
        await kube(script).get(POD, "a", "n")
    assert len(script.asked) == 11


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_without_being_asked_nothing_is_sent_again(status: int) -> None:
    script = Script(no(status), ok())
    with pytest.raises(KubeUnavailable if status >= 500 else KubeBusy):
        await kube(script).get(POD, "a", "n")
    assert len(script.asked) == 1


async def test_an_eviction_is_told_at_once_that_it_may_not() -> None:
    script = Script(no(429, retry_after="10"), ok())
    with pytest.raises(KubeBusy) as refused:
        await Pods(kube(script)).evict("a", "n")
    assert (refused.value.after, len(script.asked)) == (10.0, 1)


async def test_a_read_is_sent_again_once_and_a_write_never() -> None:
    gone = unavailable("script", "reset")
    script = Script(gone, ok({"kind": "X"}))
    assert await kube(script).get(POD, "a", "n") == {"kind": "X"}
    with pytest.raises(KubeUnavailable):
        await kube(Script(gone, gone, ok())).get(POD, "a", "n")
    script = Script(gone, ok())
    with pytest.raises(KubeUnavailable):
        await kube(script).patch(POD, "a", "n", body={})
    assert len(script.asked) == 1


async def test_silence_ends_by_the_deadline() -> None:
    with pytest.raises(KubeUnavailable, match=r"script does not answer: no answer within 30 s"):
        await kube(Script(1000.0, ok())).get(POD, "a", "n")


async def test_an_answer_that_is_no_json_is_a_broken_server() -> None:
    for body in (b"<html>", b"\xff", b'{"items": 3}'):
        script = Script(Response(200, {}, body), Response(200, {}, body))
        with pytest.raises(KubeUnavailable, match=r"read|JSON"):
            await kube(script).list(POD)
    with pytest.raises(KubeUnavailable, match="JSON"):
        await kube(Script(Response(200, {}, b"<html>"))).get(POD, "a", "n")


async def test_a_replacement_needs_the_version_it_replaces() -> None:
    with pytest.raises(ValueError, match="resourceVersion"):
        await kube(Script()).replace(CONFIG_MAP, {"metadata": {"name": "a", "namespace": "n"}})


async def test_a_deletion_says_what_it_is_asked() -> None:
    script = Script(ok({"kind": "Status"}), no(404))
    await kube(script).delete(
        POD, "a", "n", uid="u", version="7", propagation="Foreground", grace_s=0, dry_run=True
    )
    assert json.loads(script.asked[0].body) == {
        "apiVersion": "v1",
        "kind": "DeleteOptions",
        "propagationPolicy": "Foreground",
        "gracePeriodSeconds": 0,
        "preconditions": {"uid": "u", "resourceVersion": "7"},
        "dryRun": ["All"],
    }
    assert await kube(script).delete(POD, "a", "n") is None


@pytest.mark.parametrize(
    ("header", "texts"),
    [
        ('299 - "one"', ["one"]),
        ('299 - "one, \\"two\\"", 299 kube "three"', ['one, "two"', "three"]),
        ("nothing", []),
    ],
)
def test_warnings_are_read(header: str, texts: list[str]) -> None:
    assert warnings_in(header) == texts


class Talk:
    """A websocket that says what it is given."""

    protocol = "v5.channel.k8s.io"

    def __init__(self, *messages: bytes) -> None:
        self.messages = list(messages)
        self.sent: list[bytes] = []

    async def send(self, data: bytes) -> None:
        """Note it."""
        self.sent.append(data)

    async def receive(self) -> bytes | None:
        """The next one."""
        return self.messages.pop(0) if self.messages else None


def status(**fields: Any) -> bytes:
    return b"\x03" + json.dumps({"kind": "Status", **fields}).encode()


async def test_a_session_ends_with_an_exit_code_or_says_why_not() -> None:
    talk = Talk(b"", b"\x01", b"\x01out", b"\x02err", status(status="Success"))
    session = Session(talk)
    assert [part async for part in session.output()] == [(1, b"out"), (2, b"err")]
    assert session.exit_code == 0
    causes = [{"reason": "ExitCode", "message": "137"}]
    session = Session(Talk(status(status="Failure", details={"causes": causes})))
    assert [part async for part in session.output()] == []
    assert session.exit_code == 137
    with pytest.raises(KubeInvalid, match="no such container"):
        await anext(Session(Talk(status(status="Failure", message="no such container"))).output())
    with pytest.raises(KubeUnavailable, match="end is not known"):
        await anext(Session(Talk()).output())
    await session.write(b"x" * 40_000)
    await session.close_input()
    await session.resize(80, 24)
    sent = session._socket.sent  # type: ignore[attr-defined]
    assert [len(part) for part in sent[:2]] == [32_769, 7_233]
    assert sent[2:] == [b"\xff\x00", b'\x04{"Width":80,"Height":24}']


async def test_zero_lines_are_another_wish_than_all_lines() -> None:
    asked: list[Request] = []

    class Ears(Script):
        def stream(self, request: Request) -> Any:
            asked.append(request)
            return super().stream(request)

    for wanted in (Logs(tail=0, follow=True), Logs()):
        with pytest.raises(KubeUnavailable):
            async with Pods(kube(Ears())).logs("a", "n", wanted):
                pass
    assert [dict(each.query) for each in asked] == [{"follow": "true", "tailLines": "0"}, {}]


# ---- discovery -----------------------------------------------------------------------------------


def groups(*kinds: str, group: str = "", freshness: str = "Current") -> dict[str, Any]:
    resources = [
        {
            "resource": f"{kind.lower()}s",
            "responseKind": {"group": group, "version": "v1", "kind": kind},
            "scope": "Namespaced",
            "verbs": ["get"],
            "subresources": [{"subresource": "status"}],
        }
        for kind in kinds
    ]
    version = {"version": "v1", "freshness": freshness, "resources": resources}
    return {"items": [{"metadata": {"name": group}, "versions": [version]}]}


def discovered(body: dict[str, Any], etag: str = "") -> Response:
    kind = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
    return Response(200, {"content-type": kind, "etag": etag}, json.dumps(body).encode())


async def test_kinds_are_asked_for_once_and_anew_when_one_is_missing() -> None:
    core = discovered(groups("Pod"), '"1"')
    same = Response(304, {}, b"")
    script = Script(
        core, discovered(groups()), same, discovered(groups("App", group="x.dev")), same, same
    )
    kinds = kube(script).kinds
    assert (await kinds.kind("v1", "Pod")).plural == "pods"
    assert (await kinds.kind("v1", "Pod")).plural == "pods"
    assert len(script.asked) == 2
    await asyncio.sleep(1)
    found = await kinds.served("x.dev/v1", "App")
    assert (found.kind.resource, found.verbs) == ("apps.x.dev", {"get"})
    assert script.asked[2].headers["if-none-match"] == '"1"'
    await asyncio.sleep(1)
    with pytest.raises(KubeNotFound, match=r"no kind Pod in x\.dev/v1"):
        await kinds.kind("x.dev/v1", "Pod")
    with pytest.raises(KubeNotFound):
        await kinds.kind("x.dev/v1", "Pod")
    assert len(script.asked) == 6, "what is not there is not asked for again at once"


async def test_a_crd_makes_what_is_known_old() -> None:
    core = discovered(groups("Pod"))
    script = Script(
        core, discovered(groups("A", group="x")), core, discovered(groups("B", group="x"))
    )
    kinds = kube(script).kinds
    assert {each.kind.kind for each in await kinds.all()} == {"Pod", "A"}
    kinds.on_crd(None, {})
    assert {each.kind.kind for each in await kinds.all()} == {"Pod", "B"}


async def test_a_group_whose_server_is_away_keeps_its_kinds() -> None:
    core, away = discovered(groups("Pod")), discovered(groups(group="x", freshness="Stale"))
    script = Script(core, discovered(groups("A", group="x")), core, away)
    kinds = kube(script).kinds
    await kinds.kind("x/v1", "A")
    kinds.invalidate()
    assert (await kinds.kind("x/v1", "A")).kind == "A"


async def test_a_server_that_is_too_old_or_broken_is_named() -> None:
    with pytest.raises(KubeUnavailable, match=r"1\.27"):
        await kube(Script(ok({"kind": "APIVersions"}))).kinds.all()
    kind = {"content-type": "application/json;g=apidiscovery.k8s.io;v=v2"}
    with pytest.raises(KubeUnavailable, match="discovery cannot be read"):
        await kube(Script(Response(200, kind, b"[]"))).kinds.all()

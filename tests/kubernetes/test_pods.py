"""What our client does in pods that run: commands, logs, ports, eviction."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from msgspec import structs
from town import BUSYBOX, Town

from fairway.cluster import certificates
from fairway.cluster.certificates import Subject
from fairway.kit import clock
from fairway.kit.aio import background
from fairway.kube import (
    Actor,
    Connection,
    Informer,
    Key,
    Kube,
    Logs,
    Pods,
    Selection,
    connect,
    from_file,
)
from fairway.kube.errors import KubeBusy, KubeForbidden, KubeInvalid, KubeNotFound, KubeUnavailable
from fairway.kube.kind import NAMESPACE, POD, SERVICE_ACCOUNT, Kind
from fairway.kube.pods import STDERR, STDOUT
from fairway.testing.contracts.kube_ground import until
from fairway.testing.fault_proxy import proxy
from fairway.testing.kubefaults import Faults

BUDGET = Kind("policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget")
ACTOR = Actor(manager="test-pods")


class Place:
    """A namespace on the cluster, and its pods."""

    def __init__(self, kube: Kube, namespace: str) -> None:
        self.kube = kube
        self.namespace = namespace
        self.pods = Pods(kube)

    async def pod(self, name: str, script: str, *, stdin: bool = False) -> None:
        """Run a pod until it is ready, or has ended."""
        container = {
            "name": "main",
            "image": BUSYBOX,
            "imagePullPolicy": "Never",
            "command": ["sh", "-c", script],
            "stdin": stdin,
        }
        meta = {"name": name, "namespace": self.namespace, "labels": {"app": name}}
        spec = {
            "containers": [container],
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": 0,
        }
        await self.kube.create(POD, {"metadata": meta, "spec": spec})
        here = Selection(namespace=self.namespace, fields=f"metadata.name={name}")
        informer = Informer(self.kube, POD, selection=here)

        def runs() -> bool:
            found = informer.store.get(Key(self.namespace, name)) or {}
            phase = found.get("status", {}).get("phase")
            conditions = found.get("status", {}).get("conditions", [])
            ready = any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)
            return phase in ("Succeeded", "Failed") or ready

        async with background(informer.run()):
            await until(runs, f"pod {name} runs", 240)


@asynccontextmanager
async def client(connection: Connection) -> AsyncIterator[Kube]:
    kube = await connect(connection, ACTOR)
    try:
        yield kube
    finally:
        await kube.close()


@pytest.fixture
async def place(cluster: Town) -> AsyncIterator[Place]:
    async with client(from_file(cluster.kubeconfig)) as kube:
        namespace = f"pods-{secrets.token_hex(3)}"
        await kube.create(NAMESPACE, {"metadata": {"name": namespace}})
        accounts = Informer(kube, SERVICE_ACCOUNT, selection=Selection(namespace=namespace))
        async with background(accounts.run()):
            await until(lambda: len(accounts.store) > 0, "the namespace has its account")
        try:
            yield Place(kube, namespace)
        finally:
            await kube.delete(NAMESPACE, namespace)


async def test_commands_run_inside_with_input_output_and_exit_code(place: Place) -> None:
    await place.pod("a", "sleep 1000")
    here = ("a", place.namespace)
    ran = await place.pods.run(*here, ["sh", "-c", "echo out; echo err >&2; exit 3"])
    assert (ran.exit_code, ran.stdout, ran.stderr) == (3, b"out\n", b"err\n")
    given = secrets.token_bytes(300_000)
    ran = await place.pods.run(*here, ["sha256sum"], stdin=given)
    assert ran.stdout.decode().split()[0] == hashlib.sha256(given).hexdigest()
    ran = await place.pods.run(*here, ["seq", "1", "200000"])
    assert ran.stdout == b"".join(b"%d\n" % number for number in range(1, 200001))
    ran = await place.pods.run(*here, ["printf", "%s|", "a b", "", "c&d=e", "ä"])
    assert ran.stdout.decode() == "a b||c&d=e|ä|"
    with pytest.raises(KubeInvalid, match="nothing-of-this-name"):
        await place.pods.run(*here, ["nothing-of-this-name"])
    with pytest.raises(KubeUnavailable, match="did not end"):
        await place.pods.run(*here, ["sleep", "100"], timeout=2)
    with pytest.raises(KubeNotFound):
        await place.pods.run("nothing", place.namespace, ["true"])
    nobody = Pods(place.kube.as_user("fairway:nobody"))
    with pytest.raises(KubeForbidden, match="fairway:nobody"):
        await nobody.run(*here, ["true"])


async def test_a_session_is_a_terminal_that_can_be_resized(place: Place) -> None:
    await place.pod("a", "sleep 1000")
    async with place.pods.execute("a", place.namespace, ["sh"], stdin=True, tty=True) as session:
        await session.resize(77, 33)
        said = b""
        await session.write(b"while [ \"$(stty size)\" != '33 77' ]; do :; done; echo s$((1+1))e\n")
        async for channel, data in session.output():
            assert channel == STDOUT
            said += data
            if b"s2e" in said and b"exit" not in said:
                await session.write(b"exit 5\n")
        assert session.exit_code == 5


async def test_a_process_is_joined(place: Place) -> None:
    await place.pod("a", "while read line; do echo got $line; echo odd >&2; done", stdin=True)
    found = {STDOUT: b"", STDERR: b""}
    async with place.pods.attach("a", place.namespace, stdin=True) as session:
        await session.write(b"one\ntwo\n")
        async for channel, data in session.output():
            found[channel] += data
            if b"two" in found[STDOUT] and found[STDERR].count(b"odd") == 2:
                break
    assert found[STDOUT] == b"got one\ngot two\n"


async def test_logs_are_followed_to_the_end(place: Place) -> None:
    await place.pod("a", "for n in 1 2 3; do echo line $n; sleep 0.3; done; echo end")
    here = ("a", place.namespace)
    async with place.pods.logs(*here, Logs(follow=True)) as chunks:
        parts = [chunk async for chunk in chunks]
    assert b"".join(parts) == b"line 1\nline 2\nline 3\nend\n"
    async with place.pods.logs(*here, Logs(tail=2)) as chunks:
        assert b"".join([chunk async for chunk in chunks]) == b"line 3\nend\n"
    async with place.pods.logs(*here, Logs(tail=0)) as chunks:
        assert [chunk async for chunk in chunks] == []
    async with place.pods.logs(*here, Logs(timestamps=True, limit_bytes=25)) as chunks:
        text = b"".join([chunk async for chunk in chunks])
    assert text.startswith(b"20")
    assert len(text) == 25
    with pytest.raises(KubeInvalid, match="previous"):
        async with place.pods.logs(*here, Logs(previous=True)):
            pass


async def test_ports_inside_are_reached(place: Place) -> None:
    await place.pod("a", "nc -ll -p 7000 -e cat")
    given = secrets.token_bytes(200_000)
    async with (
        place.pods.forward("a", place.namespace, 7000) as one,
        place.pods.forward("a", place.namespace, 7000) as two,
    ):
        await two.write(b"second")
        assert await two.read() == b"second"
        got = bytearray()
        async with asyncio.TaskGroup() as group:
            group.create_task(one.write(given))
            while len(got) < len(given):
                part = await one.read()
                assert part, "the connection stays open"
                got += part
        assert got == given
    async with place.pods.forward("a", place.namespace, 7001) as nobody:
        with pytest.raises(KubeUnavailable, match="7001"):
            await nobody.read()


async def test_an_eviction_keeps_to_the_disruption_budget(place: Place) -> None:
    await place.pod("a", "sleep 1000")
    budget = {
        "metadata": {"name": "keep", "namespace": place.namespace},
        "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "a"}}},
    }
    await place.kube.create(BUDGET, budget)
    informer = Informer(place.kube, BUDGET, selection=Selection(namespace=place.namespace))
    async with background(informer.run()):
        await until(lambda: any(e["status"].get("currentHealthy") for e in informer.store), "seen")
    with pytest.raises(KubeBusy, match="disruption budget"):
        await place.pods.evict("a", place.namespace)
    await place.kube.delete(BUDGET, "keep", place.namespace)
    await place.pods.evict("a", place.namespace)
    pods = Informer(place.kube, POD, selection=Selection(namespace=place.namespace))
    async with background(pods.run()):
        await pods.wait_synced(30)
        await until(lambda: len(pods.store) == 0, "the pod is gone")


async def test_a_cut_session_is_told_from_an_ended_one(place: Place, cluster: Town) -> None:
    await place.pod("a", "sleep 1000")
    authority = certificates.authority("faults", clock.now())
    pair = certificates.issue(authority, Subject(name="proxy", hosts=("127.0.0.1",)), clock.now())
    async with proxy(from_file(cluster.kubeconfig), pair, Faults()) as between:
        way = structs.replace(between.connection, ca=authority.cert)
        async with (
            client(way) as kube,
            Pods(kube).execute(
                "a", place.namespace, ["sh", "-c", "echo here; sleep 100"]
            ) as session,
        ):
            said = session.output()
            assert await anext(said) == (STDOUT, b"here\n")
            between.cut()
            with pytest.raises(KubeUnavailable):
                await anext(said)
            assert session.exit_code is None

"""AnalysisRuns on a real API server: each provider, limits, the end, and what is refused."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from fairway.kit.aio import background
from fairway.kube import Kube
from fairway.kube.errors import KubeInvalid, KubeNotFound
from fairway.kube.kind import Json, Kind
from fairway.kube.page import Selection
from fairway.kube.subset import BINDING
from fairway.model.errors import Unavailable
from fairway.native import programs
from fairway.native.server import Server
from fairway.native.toolbox import Toolbox
from fairway.queue.shards import Shards
from fairway.rollout.analysis.condition import Conditions
from fairway.rollout.analysis.controller import Analysis
from fairway.rollout.analysis.crds import ANALYSIS_RUN, ANALYSIS_TEMPLATE, EXPERIMENT, GROUP
from fairway.rollout.analysis.looking import Looker
from fairway.rollout.measured import Seen
from fairway.rollout.metrics import providers
from fairway.rollout.metrics.fetching import Fetcher
from fairway.rollout.metrics.job import JOB
from fairway.store.database import Database
from fairway.testing.fleet import StaticFleet
from fairway.testing.waiting import eventually

SECRET = Kind("", "v1", "secrets", "Secret")
EVENT = Kind("", "v1", "events", "Event")


@pytest.fixture(scope="module")
def toolbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Toolbox]:
    found = programs.find(os.environ.get("FAIRWAY_NATIVE__DIR", "")).native
    server = Server(tmp_path_factory.mktemp("toolbox"), lambda: found)
    yield Toolbox(server)
    server.stop()


class Counted:
    """The gateway's counters, as a test sets them."""

    def __init__(self) -> None:
        self.seen: Seen | None = None
        self.asked: list[tuple[str, str, str, float, str]] = []

    async def measured(
        self, cluster: str, namespace: str, service: str, *, seconds: float, version: str
    ) -> Seen:
        self.asked.append((cluster, namespace, service, seconds, version))
        if self.seen is None:
            raise Unavailable("no gateway counts here", code="no-gateway-counts")
        return self.seen


class Site:
    """An HTTP server that answers what a test puts there, and notes what it is asked."""

    def __init__(self) -> None:
        self.answers: dict[str, tuple[int, bytes]] = {}
        self.asked: list[tuple[str, dict[str, str], bytes]] = []
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        fields = (line.partition(": ") for line in head[1:] if line)
        headers = {name.lower(): value for name, _, value in fields}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        method, path, _ = head[0].split(" ")
        self.asked.append((f"{method} {path}", headers, body))
        status, answer = self.answers.get(path, (404, b""))
        writer.write(f"HTTP/1.1 {status} x\r\ncontent-length: {len(answer)}\r\n".encode())
        writer.write(b"connection: close\r\n\r\n" + answer)
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    def says(self, path: str, found: Any, status: int = 200) -> None:
        self.answers[path] = (status, json.dumps(found).encode())


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    made = Site()
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    yield made
    server.close()
    await server.wait_closed()


@pytest.fixture
def counted() -> Counted:
    return Counted()


@pytest.fixture
async def works(  # noqa: PLR0917 fixtures
    kube: Kube, toolbox: Toolbox, counted: Counted, sqlite_template: Path, tmp_path: Path
) -> AsyncIterator[None]:
    """The controller runs."""
    path = tmp_path / "db"
    path.write_bytes(sqlite_template.read_bytes())
    database = Database(f"sqlite:///{path}", durable=False)
    fetcher, conditions = Fetcher(["127.0.0.1"]), Conditions(toolbox)
    looker = Looker(providers(fetcher, toolbox, conditions, counted), conditions)
    shards = Shards(database, "analysis", "test")
    async with background(Analysis(StaticFleet(home=kube), shards, looker).run()):
        await eventually("the kinds", lambda: kube.find(CRD, "analysisruns.argoproj.io"))
        yield
    await fetcher.close()
    database.close()


CRD = Kind(
    "apiextensions.k8s.io",
    "v1",
    "customresourcedefinitions",
    "CustomResourceDefinition",
    namespaced=False,
)


async def begin(kube: Kube, namespace: str, name: str, **spec: Any) -> None:
    run = {"metadata": {"name": name, "namespace": namespace}, "spec": spec}

    async def made() -> bool:
        try:
            await kube.create(ANALYSIS_RUN, run)
        except Exception as error:
            if "not" in str(error) and "found" in str(error):
                return False
            raise
        return True

    await eventually(f"the run {name}", made)


async def ended(kube: Kube, namespace: str, name: str) -> Json:
    async def look() -> Json | None:
        found = await kube.get(ANALYSIS_RUN, name, namespace)
        phase = (found.get("status") or {}).get("phase")
        return (
            found["status"] if phase in ("Successful", "Failed", "Error", "Inconclusive") else None
        )

    return await eventually(f"the end of {name}", look)


def job(**notes: str) -> Json:
    container = {"name": "c", "image": "busybox"}
    template = {
        "metadata": {"annotations": notes},
        "spec": {"containers": [container], "restartPolicy": "Never"},
    }
    return {"spec": {"template": template, "backoffLimit": 0}}


def metric(provider: Mapping[str, Any], **more: Any) -> Json:
    return {"name": "m", "provider": dict(provider), **more}


@pytest.mark.usefixtures("works")
async def test_a_job_that_succeeds_passes_and_one_that_fails_does_not(
    kube: Kube, namespace: str
) -> None:
    await begin(kube, namespace, "good", metrics=[metric({"job": job()})])
    await begin(
        kube,
        namespace,
        "bad",
        metrics=[metric({"job": job(**{"fake.fairway.dev/exit-code": "3"})})],
    )
    good, bad = await ended(kube, namespace, "good"), await ended(kube, namespace, "bad")
    assert good["phase"] == "Successful"
    assert good["runSummary"] == {"count": 1, "successful": 1}
    assert (bad["phase"], bad["message"]) == (
        "Failed",
        'Metric "m" assessed Failed due to failed (1) > failureLimit (0)',
    )
    jobs = await kube.list(JOB, Selection(namespace=namespace))
    names = {one["metadata"]["annotations"]["analysisrun.argoproj.io/name"] for one in jobs}
    assert names == {"good", "bad"}
    wanted = {
        ("bad", "MetricFailed", "Warning"),
        ("bad", "AnalysisRunFailed", "Warning"),
        ("good", "AnalysisRunSuccessful", "Normal"),
    }

    async def told() -> bool:
        events = await kube.list(EVENT, Selection(namespace=namespace))
        return wanted <= {
            (one["involvedObject"]["name"], one["reason"], one["type"]) for one in events
        }

    await eventually("its events", told)


@pytest.mark.usefixtures("works")
async def test_a_run_that_is_told_to_stop_takes_its_job_along(kube: Kube, namespace: str) -> None:
    await begin(
        kube,
        namespace,
        "long",
        metrics=[metric({"job": job(**{"fake.fairway.dev/ready-after": "600"})})],
    )
    await eventually("its job", lambda: kube.list(JOB, Selection(namespace=namespace)))
    await kube.patch(ANALYSIS_RUN, "long", namespace, body={"spec": {"terminate": True}})
    status = await ended(kube, namespace, "long")
    assert status["phase"] == "Inconclusive"
    assert status["metricResults"][0]["measurements"][0]["message"] == "Metric Terminated"

    async def gone() -> bool:
        return not await kube.list(JOB, Selection(namespace=namespace))

    await eventually("no job", gone)


@pytest.mark.usefixtures("works")
async def test_web_reads_a_value_with_a_secret_that_nobody_sees(
    kube: Kube, namespace: str, site: Site
) -> None:
    site.says("/v", {"data": {"ok": True, "rate": 0.5}})
    secret = {"metadata": {"name": "s", "namespace": namespace}, "stringData": {"k": "pass-word"}}
    await kube.create(SECRET, secret)
    web = {
        "url": f"{site.url}/{{{{args.path}}}}",
        "jsonPath": "{$.data}",
        "headers": [{"key": "Authorization", "value": "Bearer {{ args.token }}"}],
    }
    args = [
        {"name": "path", "value": "v"},
        {"name": "token", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
    ]
    condition = "result.ok && result.rate >= 0.5"
    await begin(
        kube,
        namespace,
        "web",
        metrics=[metric({"web": web}, successCondition=condition)],
        args=args,
    )
    status = await ended(kube, namespace, "web")
    assert status["phase"] == "Successful"
    assert site.asked[0][1]["authorization"] == "Bearer pass-word"
    assert status["metricResults"][0]["measurements"][0]["value"] == '{"ok":true,"rate":0.5}'
    assert "pass-word" not in json.dumps(await kube.get(ANALYSIS_RUN, "web", namespace))


@pytest.mark.usefixtures("works")
async def test_prometheus_is_asked_and_judged_by_both_conditions(
    kube: Kube, namespace: str, site: Site
) -> None:
    series = {"metric": {}, "value": [1, "0.97"]}
    data = {"resultType": "vector", "result": [series]}
    site.says("/api/v1/query", {"status": "success", "data": data})
    asked = {"prometheus": {"address": site.url, "query": 'rate(x{s="{{args.s}}"}[1m])'}}
    conditions = {"successCondition": "result[0] >= 0.99", "failureCondition": "result[0] < 0.95"}
    args = [{"name": "s", "value": "shop"}]
    await begin(kube, namespace, "prom", metrics=[metric(asked, **conditions)], args=args)
    status = await ended(kube, namespace, "prom")
    assert status["phase"] == "Inconclusive"
    (result,) = status["metricResults"]
    assert result["measurements"][0]["value"] == "[0.97]"
    assert result["metadata"] == {"ResolvedPrometheusQuery": 'rate(x{s="shop"}[1m])'}
    assert b"query=rate%28x%7Bs%3D%22shop%22%7D%5B1m%5D%29" in site.asked[0][2]


@pytest.mark.usefixtures("works")
async def test_the_gateways_counters_judge_a_version(
    kube: Kube, namespace: str, counted: Counted
) -> None:
    counted.seen = Seen(seconds=30, requests=200, errors=4, latency_ms={"0.99": 120.5})
    asked = {"fairway": {"service": "shop", "version": "{{args.hash}}", "window": "30s"}}
    condition = "result.successRate >= 0.97 && result.p99 < 200"
    args = [{"name": "hash", "value": "abc"}]
    await begin(
        kube, namespace, "own", metrics=[metric(asked, successCondition=condition)], args=args
    )
    assert (await ended(kube, namespace, "own"))["phase"] == "Successful"
    assert counted.asked == [("home", namespace, "shop", 30.0, "abc")]


@pytest.mark.usefixtures("works")
async def test_measurements_repeat_at_their_interval_until_a_limit(
    kube: Kube, namespace: str, counted: Counted
) -> None:
    counted.seen = Seen(seconds=30, requests=10, errors=10)
    asked = {"fairway": {"service": "shop"}}
    run = metric(
        asked, interval="1s", count=9, failureLimit=1, successCondition="result.errors == 0"
    )
    dry = metric(asked, successCondition="false") | {"name": "only-looked-at"}
    await begin(kube, namespace, "limit", metrics=[run, dry], dryRun=[{"metricName": "only.*"}])
    status = await ended(kube, namespace, "limit")
    assert status["phase"] == "Failed"
    first, second = status["metricResults"]
    assert (first["failed"], len(first["measurements"])) == (2, 2)
    assert second["message"] == "Metric assessed Failed due to failed (1) > failureLimit (0)"
    assert status["dryRunSummary"] == {"count": 1, "failed": 1}


@pytest.mark.usefixtures("works")
async def test_a_finished_run_goes_when_its_time_has_come(kube: Kube, namespace: str) -> None:
    await begin(
        kube,
        namespace,
        "brief",
        metrics=[metric({"job": job()})],
        ttlStrategy={"secondsAfterSuccess": 1},
    )

    async def gone() -> bool:
        return await kube.find(ANALYSIS_RUN, "brief", namespace) is None

    await eventually("its deletion", gone)


@pytest.mark.usefixtures("works")
async def test_what_is_not_supported_is_refused_by_its_path(kube: Kube, namespace: str) -> None:
    bad = metric({"datadog": {"query": "q"}})
    template = {"metadata": {"name": "t", "namespace": namespace}, "spec": {"metrics": [bad]}}

    async def refused() -> str:
        try:
            await kube.create(ANALYSIS_TEMPLATE, template, dry_run=True)
        except KubeInvalid as error:
            return str(error)
        except KubeNotFound:  # the kind is not served yet
            return ""
        return ""

    said = await eventually("a refusal", refused)
    assert "spec.metrics[].provider.datadog is not supported yet" in said


@pytest.mark.usefixtures("works")
async def test_an_argument_that_is_missing_ends_the_run_in_error(
    kube: Kube, namespace: str
) -> None:
    asked = {"fairway": {"service": "{{args.nothing}}"}}
    await begin(kube, namespace, "args", metrics=[metric(asked)])
    status = await ended(kube, namespace, "args")
    assert status["phase"] == "Error"
    assert status["message"] == (
        "Unable to resolve metric arguments: failed to resolve {{args.nothing}}"
    )


@pytest.mark.usefixtures("works")
async def test_an_experiment_is_refused_by_admission_and_said_to_be_none_where_that_is_not(
    kube: Kube, namespace: str
) -> None:
    made = {"metadata": {"name": "e", "namespace": namespace}, "spec": {"templates": []}}

    async def refused() -> str:
        try:
            await kube.create(EXPERIMENT, made, dry_run=True)
        except KubeInvalid as error:
            return str(error)
        except KubeNotFound:  # the kind is not served yet
            return ""
        return ""

    assert "not supported yet" in await eventually("a refusal", refused)

    async def slipped() -> bool:
        await kube.delete(BINDING, f"fairway-experiments-subset.{GROUP}")
        try:
            await kube.create(EXPERIMENT, made)
        except KubeInvalid:  # the binding is in force, or was made again meanwhile
            return False
        return True

    await eventually("an Experiment without admission", slipped)

    async def said() -> str:
        found = await kube.get(EXPERIMENT, "e", namespace)
        return str((found.get("status") or {}).get("message") or "")

    assert await eventually("its status", said) == ("spec of an Experiment is not supported yet")

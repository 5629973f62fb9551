"""What providers make of answers: values for conditions, and sentences for people."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from fairway.kube import Actor, Kube
from fairway.kube.errors import KubeNotFound
from fairway.model.errors import FairwayError, InvalidInput, Unavailable
from fairway.rollout.analysis import checking
from fairway.rollout.analysis.model import (
    FAILED,
    INCONCLUSIVE,
    RUNNING,
    SUCCESSFUL,
    Measurement,
    Metric,
    Result,
)
from fairway.rollout.measured import Seen
from fairway.rollout.metric import Place, Value
from fairway.rollout.metrics import job
from fairway.rollout.metrics.fairway import FairwayTraffic
from fairway.rollout.metrics.fetching import Answer, Ask
from fairway.rollout.metrics.prometheus import Prometheus, plain
from fairway.rollout.metrics.web import Web

Json = dict[str, Any]
RUN: Json = {
    "metadata": {"name": "r", "namespace": "n", "uid": "0f0f", "resourceVersion": "1"},
    "spec": {"metrics": []},
}


class Server:
    """Answers one thing; notes what it was asked."""

    server = "https://c"

    def __init__(self, body: Any, status: int = 200) -> None:
        self.answer = Answer(status, body if isinstance(body, bytes) else json.dumps(body).encode())
        self.asked: list[Ask] = []

    async def fetch(self, ask: Ask, _kube: Kube) -> Answer:
        self.asked.append(ask)
        return self.answer


class NoToolbox:
    """A toolbox that finds the whole document."""

    async def ask(self, request: Any) -> Any:
        return [request.input]


def place() -> Place:
    return Place(cluster="c", kube=Kube(Server(b""), Actor(manager="t")), run=RUN)  # type: ignore[arg-type]  # never asked


async def prometheus(body: Any, **given: Any) -> tuple[Value, Ask]:
    server = Server(body)
    spec = {"address": "http://p:9090/", "query": "up", **given}
    metric = Metric(name="m", provider={"prometheus": spec})
    made = Prometheus(server)  # type: ignore[arg-type]  # it only fetches
    return await made.query(place(), metric, spec), server.asked[0]


def success(kind: str, result: Any, **more: Any) -> Json:
    return {"status": "success", "data": {"resultType": kind, "result": result}, **more}


async def test_prometheus_gives_a_number_or_a_list_of_numbers() -> None:
    scalar, ask = await prometheus(success("scalar", [1, "0.5"]))
    assert (scalar.result, scalar.shown) == (0.5, "0.5")
    assert (ask.method, ask.url, ask.seconds) == ("POST", "http://p:9090/api/v1/query", 30)
    series = [{"metric": {}, "value": [1, "1"]}, {"metric": {}, "value": [1, "NaN"]}]
    vector, _ = await prometheus(success("vector", series, warnings=["slow"]))
    assert vector.shown == "[1,NaN]"
    assert vector.metadata == {"warnings": '"slow"'}
    matrix, _ = await prometheus(success("matrix", [{"values": [[1, "2"], [2, "3"]]}]))
    assert matrix.result == [2.0, 3.0]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"status": "error", "errorType": "bad_data", "error": "parse"}, "bad_data: parse"),
        (success("string", [1, "x"]), "Prometheus metric type not supported"),
        (success("vector", [{"metric": {}, "histogram": []}]), "native histograms"),
        (b"<html>", "not as it does"),
    ],
)
async def test_what_prometheus_cannot_answer_is_said(body: Any, said: str) -> None:
    with pytest.raises(FairwayError, match=said):
        await prometheus(body)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"address": ""}, "not configured"),
        ({"address": "prometheus"}, "not is url format"),
        ({"timeout": -1}, "should not be negative"),
    ],
)
async def test_an_address_or_a_time_that_cannot_be_is_said(given: Json, said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        await prometheus(success("scalar", [1, "1"]), **given)


def test_numbers_are_shown_without_exponents() -> None:
    values = (1.0, 1e21, 1e-7, float("nan"), float("-inf"))
    assert [plain(one) for one in values] == [
        "1",
        "1000000000000000000000",
        "0.0000001",
        "NaN",
        "-Inf",
    ]


async def web(found: Any, status: int = 200, **given: Any) -> tuple[Value, Ask]:
    server = Server(found, status)
    spec = {"url": "http://x/", **given}
    made = Web(server, NoToolbox())  # type: ignore[arg-type]  # it only fetches
    metric = Metric(name="m", provider={"web": spec})
    return await made.query(place(), metric, spec), server.asked[0]


async def test_web_gives_a_value_of_json_or_a_text_that_passes() -> None:
    found, ask = await web({"a": 1, "b": [True]}, method="PUT", jsonBody={"x": 1})
    assert (found.result, found.shown) == ({"a": 1.0, "b": [True]}, '{"a":1,"b":[true]}')
    assert (ask.body, ask.headers["content-type"]) == (b'{"x":1}', "application/json")
    text, _ = await web(b"fine")
    assert (text.judged, text.shown) == (SUCCESSFUL, "fine")
    assert (await web(b"NaN"))[0].judged == SUCCESSFUL


@pytest.mark.parametrize(
    ("status", "given", "said"),
    [
        (404, {}, "received non 2xx response code: 404"),
        (200, {"method": "DELETE"}, "none of GET, POST, PUT"),
        (200, {"body": "x"}, "can only be used with POST or PUT"),
        (200, {"method": "POST", "body": "x", "jsonBody": {}}, "either Body or JSONBody"),
    ],
)
async def test_web_says_what_cannot_be(status: int, given: Json, said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        await web({}, status, **given)


class Counts:
    def __init__(self, seen: Seen) -> None:
        self.seen = seen

    async def measured(self, *_who: str, seconds: float, version: str) -> Seen:
        assert (seconds, version) == (60.0, "")
        return self.seen


async def test_too_few_requests_are_no_verdict() -> None:
    metric = Metric(name="m", provider={"fairway": {"service": "s", "minRequests": "5"}})
    given = metric.provider["fairway"]
    few = FairwayTraffic(Counts(Seen(seconds=60, requests=4, errors=0)))
    with pytest.raises(Unavailable, match=r"s answered 4 requests in the last 60 s: .* takes 5"):
        await few.query(place(), metric, given)
    counts = Counts(Seen(seconds=60, requests=5, errors=1, latency_ms={"0.5": 3.0, "0.999": 9.0}))
    found = await FairwayTraffic(counts).query(place(), metric, given)
    assert found.result == {
        "requests": 5.0,
        "errors": 1.0,
        "successRate": 0.8,
        "p50": 3.0,
        "p999": 9.0,
    }


@pytest.mark.parametrize("window", ["x", "0s", "3h", "-5s"])
async def test_a_window_that_cannot_be_is_said(window: str) -> None:
    given = {"service": "s", "window": window}
    made = FairwayTraffic(Counts(Seen(seconds=1, requests=1, errors=0)))
    with pytest.raises(InvalidInput, match="window"):
        await made.query(place(), Metric(name="m", provider={"fairway": given}), given)


# ---- jobs ----------------------------------------------------------------------------------------


def test_a_job_is_named_after_its_run_its_metric_and_its_number() -> None:
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {}}
    given: Json = {"metadata": {"labels": {"l": "1"}}, "spec": {"template": template}}
    metric = Metric(name="m", provider={"job": given})
    made = job.job_of(RUN, metric, Result("m", RUNNING, count=2, error=1))
    assert made["metadata"]["name"] == "0f0f.m.4"
    assert made["metadata"]["labels"] == {"l": "1", job.UID: "0f0f"}
    assert made["spec"]["template"]["metadata"]["labels"] == {"a": "b", job.UID: "0f0f"}
    assert made["metadata"]["ownerReferences"][0]["controller"] is True
    assert given["metadata"]["labels"] == {"l": "1"}  # what was given stays as it was


def test_a_long_name_is_cut_within_the_metrics_part() -> None:
    uid = "u" * 36
    assert job.name_of(uid, "m" * 40, 12) == f"{uid}.{'m' * 23}.12"


@pytest.mark.parametrize(
    ("conditions", "phase"),
    [
        ([], ""),
        ([{"type": "Complete", "status": "True"}], SUCCESSFUL),
        ([{"type": "Complete", "status": "False"}], ""),
        ([{"type": "Failed", "status": "True"}, {"type": "Complete", "status": "True"}], FAILED),
        ([{"type": "SuccessCriteriaMet", "status": "True"}], ""),
    ],
)
def test_only_a_jobs_own_word_is_a_verdict(conditions: list[Json], phase: str) -> None:
    assert job.phase_of({"status": {"conditions": conditions}}) == phase


class Jobs:
    """A cluster in which a Job is there, or not."""

    def __init__(self, pods: list[Json], found: Json | None) -> None:
        self.pods, self.found = pods, found

    async def get(self, *_key: Any) -> Json:
        if self.found is None:
            raise KubeNotFound('jobs "x" not found')
        return self.found

    async def list(self, *_key: Any) -> list[Json]:
        return self.pods


def waiting(reason: str) -> Json:
    state = {"waiting": {"reason": reason, "message": "no such image"}}
    statuses = [{"name": "c", "state": state}]
    return {"metadata": {"name": "p"}, "status": {"containerStatuses": statuses}}


@pytest.mark.parametrize(
    ("pods", "found", "phase", "said"),
    [
        ([waiting("ImagePullBackOff")], {"metadata": {}}, INCONCLUSIVE, "terminal error"),
        ([waiting("ContainerCreating")], {"metadata": {}}, RUNNING, ""),
        ([], None, "Error", "not found"),
    ],
)
async def test_a_job_that_cannot_start_or_is_gone_never_passes(
    pods: list[Json], found: Json | None, phase: str, said: str
) -> None:
    begun = Measurement(RUNNING, started_at="2026-01-01T00:00:00Z", metadata={"job-name": "x"})
    at = Place(cluster="c", kube=Jobs(pods, found), run=RUN)  # type: ignore[arg-type]  # reads only
    after = await job.Job().resume(at, Metric(name="m"), begun)
    assert after.phase == phase
    assert said in after.message


# ---- which provider ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ({"web": {"url": "u"}, "job": None}, "web"),
        ({"plugin": {"fairway.dev/gateway": {"service": "s"}}}, "fairway"),
    ],
)
def test_a_metrics_provider_is_the_one_that_is_given(given: Json, name: str) -> None:
    metric = msgspec.convert({"name": "m", "provider": given}, Metric)
    assert checking.provider(metric)[0] == name


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "no provider specified"),
        ({"web": {}, "job": {}}, "multiple providers specified"),
        ({"datadog": {}}, "provider.datadog is not supported yet"),
        ({"plugin": {"other/one": {}}}, 'provider.plugin."other/one". is not supported yet'),
    ],
)
def test_another_provider_is_refused(given: Json, said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        checking.provider(Metric(name="m", provider=given))


def test_rules_name_metrics_by_regular_expressions() -> None:
    names = ["a", "ab", "c"]
    assert checking.plain_match("a", names) == ["a", "ab"]
    assert checking.plain_match(".*", names) == names
    assert checking.plain_match("^a$", names) is None
    with pytest.raises(InvalidInput, match=r"dryRun\[1\]: Rule didn't match"):
        checking.dry_run([{"metricName": "a"}, {"metricName": "x"}], {"a": ["a"], "x": []})
    rules = [{"metricName": "a", "limit": 3}, {"metricName": "c", "limit": 0}]
    assert checking.retention(rules, {"a": ["a", "ab"], "c": ["c"]}) == {"a": 3, "ab": 3}

"""The example's charts pass the checks that a release asks for, and fit their environments."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from fairway.gitops import application as gitops
from fairway.gitops import project, source
from fairway.kube.fleet import Member
from fairway.kube.subset import unsupported
from fairway.model.release import Service
from fairway.native.toolbox import Toolbox
from fairway.pipeline.compile.context import BuildFacts, Context
from fairway.pipeline.compile.planning import compile_stage, plan
from fairway.release import charts, keys, spec, writing
from fairway.rollout import crds as rollouts
from fairway.rollout.analysis import crds as analyses

WEBFLIX = Path(__file__).resolve().parents[3] / "examples" / "webflix"
SERVICES = ("catalogue", "ratings", "storefront")
ENVIRONMENTS = ("dev", "staging", "production")
DIGEST = "sha256:" + "7" * 64


def files(service: str) -> dict[str, bytes]:
    """The chart as a release has it."""
    folder = WEBFLIX / service / "chart"
    found = {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }
    known = Service(name=service, repository=f"webflix/{service}")
    return found | writing.chart_files(found, known, version="1.2.0", digest=DIGEST)


def documents(path: Path) -> list[dict[str, Any]]:
    return [one for one in yaml.safe_load_all(path.read_text()) if one]


def application(service: str, environment: str) -> dict[str, Any]:
    (found,) = documents(WEBFLIX / "environments" / environment / f"{service}.yaml")
    return found


@pytest.mark.parametrize("service", SERVICES)
async def test_a_chart_passes_its_lint_and_its_own_tests(toolbox: Toolbox, service: str) -> None:
    async with charts.opened(toolbox, files(service)) as chart:
        assert str(await charts.check(chart)) == ""
        objects = await chart.objects(release=service, namespace="x")
    assert DIGEST in str(objects)


@pytest.mark.parametrize("environment", ENVIRONMENTS)
@pytest.mark.parametrize("service", SERVICES)
async def test_an_environment_has_what_its_charts_need_and_nothing_unsupported(
    toolbox: Toolbox, service: str, environment: str
) -> None:
    found = application(service, environment)
    values = found["spec"]["source"]["helm"]["valuesObject"]
    namespace = found["spec"]["destination"]["namespace"]
    async with charts.opened(toolbox, files(service)) as chart:
        objects = await chart.objects(release=service, namespace=namespace, values=values)
    folder = WEBFLIX / "environments" / environment
    beside = [one for path in folder.glob("*.yaml") for one in documents(path)]
    there = keys.given(one for one in beside if one["metadata"].get("namespace") == namespace)
    secret = {("Secret", "catalogue"): {"DATABASE_PASSWORD"}}  # secrets.sh makes it
    assert keys.missing(keys.needed(objects), {**there, **secret}) == []
    for one in [*objects, *beside]:
        rules = {"Rollout": rollouts.RULES, "AnalysisTemplate": analyses.RULES}.get(one["kind"])
        assert rules is None or unsupported(one, rules) == []


@pytest.mark.parametrize("environment", ENVIRONMENTS)
@pytest.mark.parametrize("service", SERVICES)
def test_the_delivery_finds_each_application_where_it_says(service: str, environment: str) -> None:
    (delivery,) = documents(WEBFLIX / "delivery" / "delivery.yaml")
    read = spec.read(delivery)
    one, known = read.environment(environment), read.service(service)
    assert one is not None
    assert known is not None
    folder = WEBFLIX / "environments" / one.path_of(service)
    texts = {path.name: path.read_bytes() for path in folder.glob("*.yaml")}
    place = writing.find(texts, known, one.application_of(service), chart=service)
    assert place.repo_url.endswith(f"/{one.home}/charts")
    repository = application(service, environment)["spec"]["source"]["helm"]["valuesObject"]
    assert repository["image"]["repository"].endswith(f"/{one.home}/webflix/{service}")


def test_gitops_takes_every_application_and_the_project_permits_it() -> None:
    (limits,) = [
        project.read(one)
        for one in documents(WEBFLIX / "delivery" / "setup.yaml")
        if one["kind"] == "AppProject"
    ]
    home = Member(name="local", server="https://127.0.0.1:6443", home=True)
    every = documents(WEBFLIX / "delivery" / "environments.yaml")
    every += [application(service, name) for service in SERVICES for name in ENVIRONMENTS]
    assert len(every) == 12
    for one in every:
        read = gitops.read({**one, "metadata": {"namespace": "argocd", **one["metadata"]}})
        assert read.problems == ()
        assert project.conditions(read, limits, home) == []
        assert source.parse(read.spec.source).repo_url == read.spec.source["repoURL"]


@pytest.mark.parametrize(
    ("given", "catalogue"),
    [
        ({}, "webflix/catalogue:candidate"),
        ({"FAIRWAY_IMAGE_CATALOGUE": f"webflix/catalogue@{DIGEST}"}, f"webflix/catalogue@{DIGEST}"),
    ],
)
def test_the_integration_suite_alone_runs_when_it_is_asked_for(
    given: dict[str, str], catalogue: str
) -> None:
    (delivery,) = documents(WEBFLIX / "delivery" / "delivery.yaml")
    suite = spec.read(delivery).tests
    assert suite is not None
    folder = WEBFLIX / suite.repository.removeprefix("webflix/")
    text = (folder / ".drone.delivery.yml").read_text()
    asked = Context(build=BuildFacts(event="custom", params=given))
    found = plan(text, asked)
    assert (found.errors, [one.name for one in found.matched]) == ((), ["integration"])
    environment, site = compile_stage(text, "integration", asked).steps[-2:]
    images = json.loads(str(environment.environment["PLUGIN_IMAGES"]))
    assert images["catalogue"] == catalogue
    assert images.keys() == set(SERVICES)
    assert site.environment.get("PLUGIN_IMAGES") is None
    pushed = plan(text, Context(build=BuildFacts(event="push")))
    assert "integration" not in [one.name for one in pushed.matched]

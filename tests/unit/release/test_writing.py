"""What is written into Git: chart and environment get version and digest; the commit says why."""

import pytest
import yaml

from fairway.model.errors import BadFile, InvalidInput, NotFound
from fairway.model.release import Service
from fairway.release import writing

WEB = Service(name="web", repository="acme/web", chart="deploy/chart")
DIGEST = "sha256:" + "a" * 64
APPLICATION = b"""\
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {name: web-production}
spec:
  source:
    repoURL: registry/production/charts  # ours
    chart: web
    targetRevision: 1.0.0
    helm:
      valuesObject:
        replicas: 3
  destination: {namespace: shop}
"""


def test_a_charts_version_and_digest_are_filled_in() -> None:
    files = {"Chart.yaml": b"name: web\nversion: 0.0.0 # x\n", "values.yaml": b"a: 1\n"}
    made = writing.chart_files(files, WEB, version="1.2.0", digest=DIGEST)
    assert made["Chart.yaml"] == b"name: web\nversion: 1.2.0 # x\nappVersion: 1.2.0\n"
    assert yaml.safe_load(made["values.yaml"]) == {"a": 1, "image": {"digest": DIGEST}}
    assert writing.chart_files({**files, **made}, WEB, version="1.2.0", digest=DIGEST) == {}


def test_a_chart_without_values_gets_some() -> None:
    files = {"Chart.yaml": b"name: web\nversion: 0.0.0\n", "values.yaml": b"# none\n"}
    made = writing.chart_files(files, WEB, version="1.2.0", digest=DIGEST)
    assert yaml.safe_load(made["values.yaml"]) == {"image": {"digest": DIGEST}}
    assert made["values.yaml"].startswith(b"# none\n")


def test_no_chart_is_refused_with_its_place() -> None:
    with pytest.raises(InvalidInput) as caught:
        writing.chart_files({}, WEB, version="1", digest=DIGEST)
    assert caught.value.where == "deploy/chart/Chart.yaml"


def test_an_environments_version_and_digest_are_set_and_all_else_stays() -> None:
    files = {"b.yaml": b"kind: ConfigMap\n", "web.yaml": b"kind: Other\n---\n" + APPLICATION}
    place = writing.find(files, WEB, "web-production", chart="web")
    assert (place.file, place.index, place.revision, place.namespace) == (
        "web.yaml", 1, "1.0.0", "shop",
    )  # fmt: skip
    made = writing.environment_files(files, place, WEB, revision="1.2.0", digest=DIGEST)
    text = made["web.yaml"].decode()
    assert "# ours" in text
    found = list(yaml.safe_load_all(text))[1]["spec"]["source"]
    assert found["targetRevision"] == "1.2.0"
    assert found["helm"]["valuesObject"] == {"replicas": 3, "image": {"digest": DIGEST}}
    again = {**files, **made}
    place = writing.find(again, WEB, "web-production", chart="web")
    assert place.digest == DIGEST
    assert not writing.environment_files(again, place, WEB, revision="1.2.0", digest=DIGEST)


def test_an_application_that_is_missing_or_of_another_chart_is_named() -> None:
    files = {"web.yaml": APPLICATION}
    with pytest.raises(NotFound, match="other"):
        writing.find(files, WEB, "other", chart="web")
    with pytest.raises(BadFile, match="shop"):
        writing.find(files, WEB, "web-production", chart="shop")


def test_a_commit_says_what_and_why_and_carries_the_trailers() -> None:
    text = writing.Message(
        delivery="shop", service="web", kind="rollback", version="1.0.0", digest=DIGEST,
        environment="production", actor="ada", why="too slow",
    ).text()  # fmt: skip
    assert text == (
        "Roll back to web 1.0.0 in production\n\ntoo slow\n\n"
        "Fairway-Delivery: shop/web rollback 1.0.0 production\n"
        f"Fairway-Digest: {DIGEST}\nFairway-Actor: ada\n"
    )

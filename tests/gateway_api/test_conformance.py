"""The Gateway API's own suite passes for everything that our GatewayClass claims."""

from __future__ import annotations

import io
import ipaddress
import os
import re
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest
import yaml
from town import Town

from fairway.cluster.pause import pack
from fairway.settings import machine_arch

ECHO = "fairway.local/echo:1"
PROFILES = ("GATEWAY-HTTP", "GATEWAY-GRPC")
# The suite of this version has no test of these; ours is tests/protocol/gateway/test_features.py.
_UNTESTED = {"HTTPRouteRetryBackendTimeout", "HTTPRouteRetryConnectionError"}
_FAILED = re.compile(r"^\s*--- FAIL: (\S+)", re.MULTILINE)
_RELIED = re.compile(r"Running \w+, relying on the following features: (.*)")
_FEATURE = re.compile(r"(\w+)-(?:standard|experimental)")


def load_echo(town: Town, program: Path) -> None:
    """Put the suite's echo server onto the node, in an image of its own."""
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as tar:
        tar.add(program, "echo-basic")
    settings = {"Entrypoint": ["/echo-basic"]}
    archive = town.folder / "echo.tar"
    archive.write_bytes(pack(layer.getvalue(), settings, machine_arch(), ECHO))
    words = ["ctr", "-a", str(town.paths.socket), "-n", "k8s.io", "images", "import", str(archive)]
    subprocess.run(words, check=True, capture_output=True)


@pytest.fixture(scope="module")
def claimed(town: Town) -> list[str]:
    """The features that our GatewayClass says it has."""
    town.wait("gatewayclass", "fairway", "condition=Accepted")
    status = town.get("gatewayclass", "fairway")["status"]
    return sorted(one["name"] for one in status["supportedFeatures"])


@pytest.fixture(scope="module")
def report(
    town: Town, programs: Path, claimed: list[str], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Any]:
    """What the suite says of us, and how it went."""
    load_echo(town, programs / "echo-basic")
    place = tmp_path_factory.mktemp("report") / "report.yaml"
    balancers = ipaddress.ip_network(town.plan.balancers)
    given = {
        "KUBECONFIG": str(town.kubeconfig),
        "ECHO_IMAGE": ECHO,
        "USABLE_ADDRESS": str(balancers[-2]),
        "UNUSABLE_ADDRESS": "192.0.2.200",
    }
    words = [
        str(programs / "suite"), "-test.v", "-test.timeout=25m", "-gateway-class=fairway",
        f"-conformance-profiles={','.join(PROFILES)}",
        f"-supported-features={','.join(claimed)}", f"-report-output={place}",
        "-organization=fairway", "-project=fairway", "-url=https://fairway.dev", "-version=test",
        "-contact=none",
    ]  # fmt: skip
    done = subprocess.run(
        words,
        check=False,
        env={**os.environ, **given},
        cwd=town.folder,
        capture_output=True,
        text=True,
    )
    failed = sorted(set(_FAILED.findall(done.stdout)))
    relied = {name for line in _RELIED.findall(done.stdout) for name in _FEATURE.findall(line)}
    tail = done.stdout[-3000:] + done.stderr[-1000:]
    assert place.exists(), tail
    return {**yaml.safe_load(place.read_text()), "failed": failed, "tested": relied, "tail": tail}


def test_every_test_of_the_suite_that_concerns_us_passes(report: dict[str, Any]) -> None:
    assert not report["failed"], report["tail"]


@pytest.mark.parametrize("name", PROFILES)
def test_each_profile_passes_with_nothing_left_out(report: dict[str, Any], name: str) -> None:
    profile = next(one for one in report["profiles"] if one["name"] == name)
    for part in ("core", "extended"):
        if part in profile:
            assert profile[part]["result"] == "success", profile
            assert not profile[part].get("skippedTests"), profile


def test_every_feature_that_is_claimed_was_tested(
    report: dict[str, Any], claimed: list[str]
) -> None:
    assert set(claimed) - report["tested"] == _UNTESTED

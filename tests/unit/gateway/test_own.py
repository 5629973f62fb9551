"""What an installation makes in its cluster, and when it changes it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from fairway.gateway import crds, own
from fairway.model.errors import Unavailable


def test_what_is_missing_is_written() -> None:
    assert own.to_write(own.gateway(8080, 8443), None)


def test_defaults_that_the_server_adds_are_no_difference() -> None:
    there = own.gateway(8080, 8443)
    there["spec"]["listeners"][0]["allowedRoutes"]["kinds"] = []
    there["spec"]["addresses"] = []
    assert not own.to_write(own.gateway(8080, 8443), there)


def test_our_gateway_follows_the_settings_and_somebody_elses_does_not() -> None:
    there = own.gateway(8080, 8443)
    assert own.to_write(own.gateway(9090, 8443), there)
    del there["metadata"]["annotations"]
    assert not own.to_write(own.gateway(9090, 8443), there)


@pytest.mark.parametrize("wanted", [own.ingress_class, own.gateway_class])
def test_a_class_of_ours_with_another_controllers_name_is_replaced_and_no_other(
    wanted: Callable[[], dict[str, Any]],
) -> None:
    assert not own.to_replace(wanted(), None)
    found = wanted()
    assert not own.to_replace(wanted(), found)
    found["spec"]["description"] = "changed by hand"
    assert not own.to_replace(wanted(), found)
    found["spec"] = dict.fromkeys(found["spec"], "older.example/controller")
    assert own.to_replace(wanted(), found)
    del found["metadata"]["annotations"]
    assert not own.to_replace(wanted(), found)


def definition(version: str, *, ours: bool) -> dict[str, Any]:
    notes = {"gateway.networking.k8s.io/bundle-version": version}
    marked = {crds.OURS: "fairway"} if ours else {}
    return {"kind": "CustomResourceDefinition", "metadata": {"annotations": {**notes, **marked}}}


@pytest.mark.parametrize(
    ("there", "written"),
    [
        (None, True),
        (definition("v1.5.1", ours=True), True),
        (definition("v1.6.3", ours=True), False),
        (definition("v1.10.0", ours=True), False),
        (definition("v1.5.1", ours=False), False),
    ],
)
def test_definitions_are_written_where_missing_or_older_and_ours(
    there: dict[str, Any] | None, *, written: bool
) -> None:
    assert crds.to_install(definition("v1.6.3", ours=True), there) is written


def test_definitions_are_read_from_their_folder_and_marked(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(yaml.safe_dump(definition("v1.6.3", ours=False)))
    (tmp_path / "b.yaml").write_text("kind: Other\n")
    assert [crds.OURS in one["metadata"]["annotations"] for one in crds.read(tmp_path)] == [True]


def test_a_folder_without_definitions_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="no definitions") as caught:
        crds.read(tmp_path)
    assert caught.value.code == "native-missing"

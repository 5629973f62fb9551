"""What crosses the toolbox's socket."""

from __future__ import annotations

import math
from pathlib import Path

import msgspec
import pytest

from fairway.model.errors import (
    FairwayError,
    Internal,
    InvalidInput,
    TooLarge,
    Unavailable,
)
from fairway.native import wire
from fairway.native.helm import HelmTemplate, Kustomize, merged
from fairway.native.languages import Expr, Jsonnet
from fairway.native.objects import ThreeWay
from fairway.native.toolbox import checked, contents
from fairway.native.wire import Limits


def test_a_call_is_its_length_and_names_as_go_reads_them() -> None:
    data = wire.asked(
        HelmTemplate(chart="web", kube_version="1.30", include_crds=True),
        "/folder",
        Limits(deadline_s=1.5, memory_bytes=7, output_bytes=9),
    )
    assert wire.length(data[:4]) == len(data) - 4
    call = msgspec.json.decode(data[4:])
    assert (call["method"], call["folder"]) == ("helm.template", "/folder")
    assert (call["deadline_ms"], call["memory_bytes"], call["output_bytes"]) == (1500, 7, 9)
    assert call["params"]["kubeversion"] == "1.30"
    assert call["params"]["includecrds"] is True


def test_what_is_none_is_left_out() -> None:
    asked = wire.asked(ThreeWay(last=None, wanted={}, live={}), "", Limits())
    assert "last" not in msgspec.json.decode(asked[4:])["params"]


def test_a_message_may_not_be_longer_than_go_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "LONGEST", 1000)
    with pytest.raises(TooLarge) as caught:
        wire.asked(Jsonnet(text="x" * 1000), "", Limits())
    assert caught.value.code == "toolbox-input"


@pytest.mark.parametrize(
    ("code", "kind", "shown"),
    [
        ("helm-render", InvalidInput, "helm-render"),
        ("no-network", InvalidInput, "no-network"),
        ("toolbox-deadline", TooLarge, "toolbox-deadline"),
        ("toolbox-memory", TooLarge, "toolbox-memory"),
        ("toolbox-output", TooLarge, "toolbox-output"),
        ("toolbox-unconfined", Unavailable, "toolbox-unconfined"),
        ("bad-params", Internal, "toolbox-params"),
        ("no-method", Internal, "toolbox-params"),
        ("toolbox-crashed", Internal, "toolbox-crashed"),
    ],
)
def test_each_problem_is_an_error_of_its_kind(
    code: str, kind: type[FairwayError], shown: str
) -> None:
    reply = msgspec.json.encode({"error": {"code": code, "message": "why", "place": "a:1"}})
    with pytest.raises(kind) as caught:
        wire.answered(reply, Expr(source="1"))
    assert caught.value.code == shown
    assert "why" in caught.value.message


def test_the_end_of_gos_runtime_is_told_from_a_message() -> None:
    words = b"\ngoroutine 1 [running]:\nruntime.throw({0x5, 0x1})\n"
    assert wire.length(words[:4]) is None
    assert wire.last_words(words, Expr(source="1"), Limits()).code == "toolbox-memory"
    other = wire.last_words(b"panic: boom\n\ngoroutine 7", Expr(source="1"), Limits())
    assert other.code == "toolbox-crashed"
    assert "panic: boom" in other.message


def test_numbers_that_json_cannot_say_are_wrapped_and_come_back() -> None:
    data = {"a": [1, 2.0, math.inf, -math.inf], "b": {"c": math.nan}, "d": (1,)}
    there = wire.wrapped(data)
    assert there["a"] == [1, 2.0, {"$float": "+Inf"}, {"$float": "-Inf"}]
    back = wire.unwrapped(msgspec.json.decode(msgspec.json.encode(there)))
    assert back["a"] == [1, 2.0, math.inf, -math.inf]
    assert math.isnan(back["b"]["c"])
    assert back["d"] == [1]


@pytest.mark.parametrize("path", ["/etc", "..", "../x", "a/../../b", "./../x"])
def test_paths_that_lead_out_are_refused_before_they_are_sent(path: str) -> None:
    for asked in (HelmTemplate(chart=path), Kustomize(path=path),
                  HelmTemplate(chart="web", value_files=("ok", path))):  # fmt: skip
        with pytest.raises(InvalidInput) as caught:
            checked(asked, Path("/folder"))
        assert caught.value.code == "outside-folder"


def test_paths_inside_are_sent() -> None:
    asked = HelmTemplate(chart="a/../b", value_files=("./x", "a/./b", "..a"))
    assert checked(asked, Path("/folder")) == "/folder"
    assert checked(Expr(source="1"), None) == ""


def test_objects_of_values_come_before_single_ones() -> None:
    assert merged(({"a": 1},), ("b=2",)) == ('{"a":1}', "b=2")


def test_a_folders_digest_changes_with_names_contents_and_links(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("1")
    seen = {contents(None), contents(tmp_path)}
    (tmp_path / "a").write_text("2")
    seen.add(contents(tmp_path))
    (tmp_path / "b").write_text("2")
    seen.add(contents(tmp_path))
    (tmp_path / "b").unlink()
    (tmp_path / "b").symlink_to("a")
    seen.add(contents(tmp_path))
    assert len(seen) == 5
    assert contents(tmp_path) in seen

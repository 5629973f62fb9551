"""Reading and judging `tests/cases`: one file, one case.

A case has sections, each begun by a line `=== NAME`: `file` (the `.drone.yml` as it is), `expect`
(YAML), and, where needed, `context` (fields of `Context`) and `template FILENAME`. Lines before the
first section say which rule the case is about. An expectation that no check consumed fails the
case: a typing mistake must not pass.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import yaml

from fairway.pipeline.compile import Context, Renderer, lint, report

ROOT = Path(__file__).parents[3] / "cases"
_FINDING = ("code", "at", "says", "path")
_PIPELINE_SAME = (
    "kind",
    "type",
    "matched",
    "depends_on",
    "on_success",
    "on_failure",
    "concurrency",
    "node",
    "platform",
    "workspace",
    "image_pull_secrets",
    "secrets",
    "timeout_s",
)


RENDERED = ROOT / "rendered"  # what these need beside the compiler, the toolbox's tests bring


def case_paths() -> list[Path]:
    """All cases that the compiler decides alone, in the order of their names."""
    return sorted(path for path in ROOT.rglob("*.case") if RENDERED not in path.parents)


def sections(path: Path) -> dict[str, str]:
    """The sections of a case file; the lines before the first are `about`."""
    found: dict[str, list[str]] = {"about": []}
    name = "about"
    for line in path.read_text(encoding="utf-8").splitlines(keepends=True):
        if line.startswith("=== "):
            name = line[4:].strip()
            assert name not in found, f"{path}: section {name} twice"
            found[name] = []
        else:
            found[name].append(line)
    return {key: "".join(lines) for key, lines in found.items()}


def run(path: Path, renderer: Renderer | None = None) -> None:
    """Hold what the compiler makes of a case against what the case expects."""
    parts = sections(path)
    assert parts.pop("about").strip(), "a case says which rule it is about"
    facts = yaml.safe_load(parts.pop("context", "")) or {}
    text, expect = parts.pop("file"), yaml.safe_load(parts.pop("expect"))
    templates = {key.split(" ", 1)[1]: value for key, value in parts.items()}
    assert all(key.startswith("template ") for key in parts), f"unknown sections {list(parts)}"
    context = msgspec.convert({**facts, "templates": templates}, Context)
    context = msgspec.structs.replace(context, renderer=renderer)
    assert isinstance(expect, dict), "expect holds a map"
    assert expect, "expect is not empty"
    _judge(dict(expect), report(text, context), text, context)


def _judge(expect: dict[str, Any], got: dict[str, Any], text: str, context: Context) -> None:
    _findings(expect.pop("errors", []), got["errors"], "the file's errors")
    pipelines = {item["name"]: item for item in got["pipelines"]}
    if "order" in expect:
        assert [item["name"] for item in got["pipelines"]] == expect.pop("order")
    wanted = expect.pop("pipelines", {})
    for name, pipeline in pipelines.items():
        if name not in wanted:
            assert not pipeline["errors"], pipeline["errors"]
    for name, values in wanted.items():
        assert name in pipelines, f"no pipeline {name}: there are {list(pipelines)}"
        _pipeline(dict(values), pipelines[name], name)
    if "lint" in expect:
        _contains(expect.pop("lint"), lint(text, context))
    assert not expect, f"unknown expectations {list(expect)}"


def _pipeline(expect: dict[str, Any], got: dict[str, Any], name: str) -> None:
    _findings(expect.pop("errors", []), got["errors"], f"errors of pipeline {name}")
    for key in [key for key in _PIPELINE_SAME if key in expect]:
        assert got[key] == expect.pop(key), f"{name}.{key}: {got[key]}"
    if "why" in expect:
        why = expect.pop("why")
        assert why in got["why"], got["why"]
    if "steps" in expect:
        assert [step["name"] for step in got["steps"]] == expect.pop("steps")
    if "left_out" in expect:
        assert [step["name"] for step in got["left_out"]] == expect.pop("left_out")
    if "volumes" in expect:
        volumes = [volume for volume in got["volumes"] if volume["kind"] != "workspace"]
        wanted = expect.pop("volumes")
        assert [_only(volume, keys) for volume, keys in zip(volumes, wanted, strict=True)] == wanted
    steps = {step["name"]: step for step in got["steps"]}
    for step, values in expect.pop("step", {}).items():
        assert step in steps, f"no step {step}: there are {list(steps)}"
        _step(dict(values), steps[step])
    assert not expect, f"unknown expectations of pipeline {name}: {list(expect)}"


def _step(expect: dict[str, Any], got: dict[str, Any]) -> None:
    for key, value in expect.pop("env", {}).items():
        found = got["environment"].get(key)
        assert found == value, f"{key}: {found!r}, wanted {value!r}"
    for ending in [expect.pop("script_ends")] if "script_ends" in expect else []:
        assert got["script"].endswith(ending), got["script"]
    for part in expect.pop("script_has", []):
        assert part in got["script"], got["script"]
    if "mounts" in expect:
        wanted = expect.pop("mounts")
        mounts = [mount for mount in got["mounts"] if mount["kind"] != "workspace"]
        assert [_only(mount, keys) for mount, keys in zip(mounts, wanted, strict=True)] == wanted
    for key in [key for key in expect if key in got]:
        value = expect.pop(key)
        assert got[key] == value, f"{key}: {got[key]!r}, wanted {value!r}"
    assert not expect, f"unknown expectations of step {got['name']}: {list(expect)}"


def _only(data: dict[str, Any], keys: dict[str, Any]) -> dict[str, Any]:
    return {key: data[key] for key in keys}


def _findings(wanted: list[dict[str, Any]], got: list[dict[str, Any]], what: str) -> None:
    shown = [(item["code"], item["line"], item["column"], item["message"]) for item in got]
    assert len(wanted) == len(got), f"{what}: {shown}"
    for expect, found in zip(wanted, got, strict=True):
        assert _fits(expect, found), f"{what}: wanted {expect}, got {shown}"


def _contains(wanted: list[dict[str, Any]], found: list[Any]) -> None:
    data = [msgspec.to_builtins(item) for item in found]
    for expect in wanted:
        assert any(_fits(expect, item) for item in data), f"lint: {expect} not in {data}"
    if not wanted:
        assert not data, f"lint says {data}"


def _fits(expect: dict[str, Any], found: dict[str, Any]) -> bool:
    assert set(expect) <= set(_FINDING), f"unknown keys in {expect}"
    place = f"{found['line']}:{found['column']}"
    at = str(expect.get("at", place))
    return (
        expect.get("code", found["code"]) == found["code"]
        and at in {place, str(found["line"])}
        and expect.get("says", "") in found["message"]
        and expect.get("path", found["path"]) == found["path"]
    )

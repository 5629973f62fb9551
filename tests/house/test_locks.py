"""The committed locks are what pyproject.toml asks for, and name no address."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
REQUIREMENTS = ROOT / "requirements"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
GROUPS = {"runtime": PROJECT["project"]["dependencies"], **PROJECT["dependency-groups"]}


def locked(name: str) -> dict[str, str]:
    text = (REQUIREMENTS / f"{name}.lock").read_text()
    return dict(re.findall(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", text, re.MULTILINE))


def numbers(version: str) -> list[int]:
    return [int(part) for part in re.findall(r"\d+", version)]


def asked(requirement: str) -> tuple[str, str]:
    found = re.match(r"([A-Za-z0-9._-]+)(?:\[[^]]*\])?\s*(?:>=([0-9.]+))?$", requirement)
    assert found, f"this test does not understand {requirement!r}"
    return re.sub(r"[-_.]+", "-", found[1]).lower(), found[2] or "0"


@pytest.mark.parametrize("group", GROUPS)
def test_a_lock_holds_what_its_group_asks_for(group: str) -> None:
    versions = locked(group)
    for requirement in GROUPS[group]:
        name, least = asked(requirement)
        assert name in versions, f"{name} is not in {group}.lock: run scripts/lock"
        assert numbers(versions[name]) >= numbers(least), f"{name} is too old: run scripts/lock"


def test_locks_agree_with_each_other() -> None:
    seen: dict[str, tuple[str, str]] = {}
    for group in GROUPS:
        for name, version in locked(group).items():
            other, known = seen.setdefault(name, (group, version))
            assert version == known, f"{name} differs between {other}.lock and {group}.lock"


def test_every_locked_version_has_hashes() -> None:
    for path in REQUIREMENTS.glob("*.lock"):
        for block in re.split(r"\n(?=\S)", path.read_text().strip()):
            assert "--hash=sha256:" in block, f"{path.name}: {block.splitlines()[0]}"


def test_locks_name_no_address() -> None:
    for path in REQUIREMENTS.glob("*.lock"):
        assert "://" not in path.read_text(), path.name
        assert "/" not in path.read_text(), path.name


def test_the_pinned_uv_is_one_that_the_project_accepts() -> None:
    _, least = asked("uv" + PROJECT["tool"]["uv"]["required-version"])
    assert numbers(locked("uv")["uv"]) >= numbers(least)

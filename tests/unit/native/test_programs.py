import asyncio
import sys
from pathlib import Path
from types import ModuleType

import pytest

from fairway.model.errors import InvalidInput, Unavailable
from fairway.native import programs


def made(folder: Path, version: str = "v1.36.3") -> Path:
    folder.mkdir(parents=True)
    for name in ("fairway-native", "fairway-compose", "pause"):
        (folder / name).write_text("")
    (folder / "versions.json").write_text(f'{{"kubernetes": "{version}"}}')
    return folder


@pytest.fixture(autouse=True)
def _no_wheel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fairway_native", None)


def test_the_setting_comes_first(tmp_path: Path) -> None:
    made(tmp_path / "checkout" / ".cache" / "native" / "current")
    named = made(tmp_path / "named", "v9.9.9")
    found = programs.find(str(named), tmp_path / "checkout")
    assert (found.native, found.version) == (named / "fairway-native", "v9.9.9")


def test_a_setting_that_names_no_programs_is_an_error_with_its_path(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput) as caught:
        programs.find(str(tmp_path))
    assert (caught.value.code, caught.value.where) == ("native-dir", "native.dir")


def test_the_installed_wheel_comes_before_the_checkout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made(tmp_path / ".cache" / "native" / "current", "v1.0.0")
    wheel = ModuleType("fairway_native")
    wheel.folder = lambda: made(tmp_path / "wheel", "v2.0.0")  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "fairway_native", wheel)
    assert programs.find("", tmp_path).version == "v2.0.0"


def test_the_checkouts_link_is_followed_so_that_a_later_build_does_not_change_what_was_found(
    tmp_path: Path,
) -> None:
    cache = tmp_path / ".cache" / "native"
    built = made(cache / "key1")
    (cache / "current").symlink_to(built)
    assert programs.find("", tmp_path).pause == built / "pause"


def test_a_folder_that_is_not_complete_is_not_used(tmp_path: Path) -> None:
    folder = made(tmp_path / ".cache" / "native" / "current")
    (folder / "versions.json").unlink()
    with pytest.raises(Unavailable):
        programs.find("", tmp_path)


def test_missing_programs_say_how_they_are_made(tmp_path: Path) -> None:
    (tmp_path / "native").mkdir()
    (tmp_path / "native" / "go.mod").write_text("")
    with pytest.raises(Unavailable) as caught:
        programs.find("", tmp_path)
    assert caught.value.code == "native-missing"
    assert "scripts/native" in caught.value.remedy


def test_without_a_checkout_the_wheel_is_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(Unavailable) as caught:
        programs.find("", tmp_path)
    assert "pip install fairway-native" in caught.value.remedy


def test_a_build_under_way_is_told_of(tmp_path: Path) -> None:
    (tmp_path / ".cache" / "native").mkdir(parents=True)
    (tmp_path / ".cache" / "native" / "progress").write_text("412 packages compiled, 1 min\n")
    with pytest.raises(Unavailable, match="being built: 412 packages"):
        programs.find("", tmp_path)


async def test_waiting_tells_each_reason_once_and_ends_when_they_appear(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = asyncio.Event()
    asked: list[str] = []
    finished = programs.Programs(folder=tmp_path, versions={})

    def look(setting: str) -> programs.Programs:
        asked.append(setting)
        if there.is_set():
            return finished
        raise Unavailable("not yet", code="native-missing")

    monkeypatch.setattr(programs, "find", look)
    monkeypatch.setattr(programs, "_POLL", 0.001)
    reasons: list[str] = []

    def told(reason: str) -> None:
        reasons.append(reason)

    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(programs.wait("/named", told))
        while len(asked) < 3:
            await asyncio.sleep(0.001)
        there.set()
    assert waiting.result() is finished
    assert (reasons, set(asked)) == (["not yet"], {"/named"})

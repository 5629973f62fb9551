"""The Go side stays small, and says whose code it links."""

import importlib
import os
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
NATIVE = ROOT / "native"
VERSIONS = {"kubernetes": "v1.2.3", "helm": "v4.5.6", "compose": "v7.8.9"}


@pytest.fixture(autouse=True)
def _scripts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [str(ROOT / "scripts"), *sys.path])


@pytest.fixture
def native() -> ModuleType:
    return importlib.import_module("fairwaydev.native")


@pytest.fixture
def notice() -> ModuleType:
    return importlib.import_module("fairwaydev.notice")


def test_there_are_fewer_than_1500_lines_of_our_own_go() -> None:
    """Lines of code: neither blank nor comment. A rule of delivery in Go is in the wrong room."""
    files = [path for path in NATIVE.rglob("*.go") if not path.name.endswith("_test.go")]
    lines = [line.strip() for path in files for line in path.read_text().splitlines()]
    assert len([line for line in lines if line and not line.startswith("//")]) < 1500


def test_every_part_has_the_one_version_that_its_go_mod_pins(native: ModuleType) -> None:
    found = native.versions()
    assert set(found) == set(native._PARTS)
    minor = found["kubernetes"].split(".")[1]
    flags = native.stamps(found)
    assert f"k8s.io/component-base/version.gitVersion={found['kubernetes']}" in flags
    assert f"k8s.io/client-go/pkg/version.gitMinor={minor} " in flags


def test_all_of_kubernetes_is_of_one_release(native: ModuleType) -> None:
    """Helm and the components must be of one minor, or they do not link; kubectl of one patch."""
    wanted = native.versions()["kubernetes"].replace("v1.", "v0.")
    staged = [
        line.split(" => ")[1].split()
        for line in (NATIVE / "go.mod").read_text().splitlines()
        if line.startswith("\tk8s.io/") and " => " in line
    ]
    own = {"k8s.io/kube-openapi", "k8s.io/utils"}  # with versions of their own
    assert {version for module, version in staged if module not in own} == {wanted}


def test_the_key_changes_with_what_goes_into_the_programs_and_with_nothing_else(
    native: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {"go.mod": "module m\n", "go.sum": "", "main.go": "package main\n", "a/b.go": "x"}
    files |= {"compose/go.mod": "module c\n", "compose/go.sum": ""}
    files |= {"gateway-api/go.mod": "module g\n"}
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(native, "SOURCE", tmp_path)
    monkeypatch.setattr(native.definitions, "sources", lambda: [tmp_path / "gateway-api/go.mod"])
    monkeypatch.setattr(native, "versions", lambda: VERSIONS)
    seen = {native.key("go1.26.6")}
    seen.add(native.key("go1.26.7"))
    for name in ("go.sum", "main.go", "a/b.go", "compose/go.mod"):
        (tmp_path / name).write_text(f"{files[name]}// changed\n")
        seen.add(native.key("go1.26.6"))
    assert len(seen) == 6
    (tmp_path / "main_test.go").write_text("package main\n")
    (tmp_path / "NOTICE").write_text("x")
    assert native.key("go1.26.6") in seen


def test_old_builds_go_and_the_ones_in_use_and_under_way_stay(
    native: ModuleType, tmp_path: Path
) -> None:
    for number in range(6):
        folder = tmp_path / f"key{number}"
        folder.mkdir()
        (folder / "versions.json").write_text("{}")
        os.utime(folder, (number, number))
    (tmp_path / ".build-killed").mkdir()
    native.prune(tmp_path, tmp_path / "key0")
    left = sorted(path.name for path in tmp_path.iterdir() if path.is_dir())
    assert left == ["key0", "key4", "key5"]


def test_a_build_that_runs_stays_however_old(
    native: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(5):
        (tmp_path / f"key{number}").mkdir()
        (tmp_path / f"key{number}" / "versions.json").write_text("{}")
        os.utime(tmp_path / f"key{number}", (number, number))
    monkeypatch.setattr(native, "_running", lambda: [tmp_path / "key0" / "fairway-native"])
    native.prune(tmp_path, tmp_path / "key4")
    assert sorted(path.name for path in tmp_path.glob("key*")) == ["key0", "key2", "key3", "key4"]


@pytest.fixture
def bench(native: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A build without Go. What it compiled, and `key` is what native/ holds."""
    compiled: list[str] = []

    def compile_(_go: str, program: object, target: Path, _progress: object) -> None:
        compiled.append(target.name)
        target.write_text("program")

    links = tmp_path / "checkout"
    for module in (native, importlib.import_module("fairwaydev.progress")):
        monkeypatch.setattr(module, "LINKS", links)
    monkeypatch.setattr(native.golang, "program", lambda: "go")
    monkeypatch.setattr(native, "answer", lambda _words: "go1.26.6")
    monkeypatch.setattr(native, "folder", lambda: tmp_path)
    monkeypatch.setattr(native, "key", lambda _version: "k1")
    monkeypatch.setattr(native, "_count", lambda _go: 3)
    monkeypatch.setattr(native, "_compile", compile_)
    monkeypatch.setattr(native.definitions, "copy", lambda *_: None)
    return compiled


def test_a_build_is_made_once_and_the_checkout_leads_to_it(
    native: ModuleType, bench: list[str], tmp_path: Path
) -> None:
    for _ in range(2):
        assert native.build() == tmp_path / "k1"
    assert bench == ["pause", "fairway-compose", "fairway-native"]
    assert (tmp_path / "checkout" / "current").readlink() == tmp_path / "k1"
    assert not (tmp_path / "checkout" / "progress").exists()


def test_what_changes_while_it_is_built_is_built_again(
    native: ModuleType, bench: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(native, "key", lambda _version: "k2" if len(bench) >= 3 else "k1")
    assert native.build() == tmp_path / "k2"
    assert len(bench) == 6
    assert not (tmp_path / "k1").exists()


def test_a_build_that_fails_leaves_nothing_and_the_link_where_it_was(
    native: ModuleType, bench: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    native.build()

    def fail(*_: object) -> None:
        raise native.Failed("no such package")

    monkeypatch.setattr(native, "key", lambda _version: "k2")
    monkeypatch.setattr(native, "_compile", fail)
    with pytest.raises(native.Failed):
        native.build()
    assert sorted(path.name for path in tmp_path.glob("[.k]*") if path.is_dir()) == ["k1"]
    assert (tmp_path / "checkout" / "current").readlink() == tmp_path / "k1"


def test_in_the_background_nothing_is_started_when_all_is_there(
    native: ModuleType, bench: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    native.build()
    started: list[object] = []
    monkeypatch.setattr(native.subprocess, "Popen", lambda words, **_: started.append(words))
    native.in_background()
    assert started == []
    monkeypatch.setattr(native, "key", lambda _version: "k2")
    native.in_background()
    assert len(started) == 1


def test_the_notice_is_of_the_modules_that_go_sum_names(notice: ModuleType) -> None:
    """Which modules are linked, Go knows: tests/native compares the whole page."""
    assert notice.go_sums() in notice.PAGE.read_text(), "scripts/gen-notice makes it anew"


@pytest.mark.parametrize(
    ("text", "licence"),
    [
        ("Apache License\n   Version 2.0, January 2004", "Apache-2.0"),
        ("// Permission is hereby granted, free of\n// charge, to any person", "MIT"),
        ("Mozilla Public License Version 2.0 ... GNU General Public License preamble", "MPL-2.0"),
        (
            "Redistribution and use in source and binary forms; Neither the name",
            "BSD-3-Clause",
        ),
        ("a README", ""),
    ],
)
def test_licences_are_known_by_their_words(notice: ModuleType, text: str, licence: str) -> None:
    assert notice.classify("m v1", text) == licence


@pytest.mark.parametrize(
    "text",
    [
        "GNU GENERAL PUBLIC LICENSE Version 3 Preamble",
        "GNU Affero General Public License",
        "Business Source License 1.1",
        "Server Side Public License",
        "MIT, but the Commons Clause applies",
    ],
)
def test_licences_that_bind_what_links_them_are_refused(notice: ModuleType, text: str) -> None:
    failed = importlib.import_module("fairwaydev.say").Failed
    with pytest.raises(failed, match="may not be linked"):
        notice.classify("m v1", text)


def test_a_module_without_a_licence_is_refused(notice: ModuleType) -> None:
    failed = importlib.import_module("fairwaydev.say").Failed
    with pytest.raises(failed, match="no licence"):
        _ = notice.Module("m v1", (("README", "hello"),)).licences

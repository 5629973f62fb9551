import io
import os
import tarfile
from pathlib import Path

import pytest

from fairway.image import layout, rootfs
from fairway.image.base import default_rewrites, recipe_of, stand_in
from fairway.image.recipes import RECIPES, File, Recipe
from fairway.kit import clock
from fairway.model.errors import NotFound
from fairway.model.image import rewrite

BUSYBOX = b"#!/bin/sh\nprintf 'busybox\\nsh\\nls\\nsed\\n'\n"
RECIPE = Recipe(
    name="thing",
    tags=("1", "latest"),
    about="a thing",
    files={"usr/local/bin/run": File("#!/bin/sh\n", 0o755), "etc/motd": File("ours\n")},
    links={"usr/bin/python": "python3", "usr/bin/sed": "elsewhere"},
    users=("db:x:9:9::/:/bin/sh",),
    groups=("db:x:9:",),
    leave_out=("opt/*",),
    environment={"A": "b"},
    entrypoint=("run",),
    ports=("80/tcp",),
    volumes=("/data",),
    stop_signal="SIGINT",
    healthcheck=("CMD", "true"),
)
PACKAGES = {
    "./bin/busybox": BUSYBOX,
    "./usr/bin/sed": b"gnu",
    "./usr/bin/python3": b"python",
    "./etc/motd": b"debian's\n",
    "./opt/big": b"big",
    "./usr/share/doc/sed/copyright": b"GPL",
    "./usr/share/doc/sed/NEWS.gz": b"news",
    "./usr/share/man/man1/sed.1.gz": b"man",
    "./var/lib/dpkg/status": b"Package: sed\n",
}


@pytest.fixture
def packages(tmp_path: Path) -> Path:
    """What mmdebstrap leaves."""
    path = tmp_path / "packages.tar"
    with tarfile.open(path, "w") as tar:
        folder = tarfile.TarInfo("./tmp/")
        folder.type, folder.mode = tarfile.DIRTYPE, 0o755
        tar.addfile(folder)
        device = tarfile.TarInfo("./dev/null")
        device.type = tarfile.CHRTYPE
        tar.addfile(device)
        for name, data in PACKAGES.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(data), 0o755
            tar.addfile(entry, io.BytesIO(data))
    return path


@pytest.fixture
def made(packages: Path, tmp_path: Path) -> dict[str, tarfile.TarInfo]:
    """The image's files by path."""
    bundle = tmp_path / "ca.crt"
    bundle.write_text("certificates")
    with tarfile.open(tmp_path / "out.tar", "w") as out:
        rootfs._write(RECIPE, packages, out, ca_bundle=bundle)
    with tarfile.open(tmp_path / "out.tar") as tar:
        names = tar.getnames()
        assert len(names) == len(set(names)), "a path stands there twice"
        return {entry.name: entry for entry in tar}


def read(tmp_path: Path, name: str) -> bytes:
    with tarfile.open(tmp_path / "out.tar") as tar:
        file = tar.extractfile(name)
        assert file is not None
        return file.read()


def test_what_nobody_needs_stays_out_and_licences_stay_in(
    made: dict[str, tarfile.TarInfo],
) -> None:
    assert "usr/share/doc/sed/copyright" in made
    assert "var/lib/dpkg/status" in made
    assert not {"usr/share/doc/sed/NEWS.gz", "usr/share/man/man1/sed.1.gz", "opt/big"} & set(made)
    assert "dev/null" not in made


def test_our_files_win_over_the_packages(made: dict[str, tarfile.TarInfo], tmp_path: Path) -> None:
    assert read(tmp_path, "etc/motd") == b"ours\n"
    assert made["usr/local/bin/run"].mode == 0o755
    assert read(tmp_path, rootfs.CA_PATH) == b"certificates"


def test_links_never_hide_a_program(made: dict[str, tarfile.TarInfo]) -> None:
    assert made["usr/bin/python"].linkname == "python3"
    assert made["usr/bin/sed"].isreg()


def test_busybox_gives_the_programs_that_no_package_has(
    made: dict[str, tarfile.TarInfo],
) -> None:
    assert made["bin/ls"].linkname == "/bin/busybox"
    assert "bin/sed" not in made


def test_accounts_and_places_that_programs_expect(
    made: dict[str, tarfile.TarInfo], tmp_path: Path
) -> None:
    assert b"root:x:0:0" in read(tmp_path, "etc/passwd")
    assert b"db:x:9:9" in read(tmp_path, "etc/passwd")
    assert b"db:x:9:" in read(tmp_path, "etc/group")
    assert made["tmp"].mode == 0o1777
    assert made["proc"].isdir()


def test_an_image_is_described_and_read_back(
    packages: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "uname", type("Uname", (), {"machine": "aarch64"}))
    monkeypatch.setattr(clock, "now", lambda: 1_700_000_000_000)
    folder = tmp_path / "kept"
    folder.mkdir()
    assert layout.read(folder) is None
    image = layout.write(RECIPE, packages, folder, {"a": "b"})
    assert layout.read(folder) == image
    assert b'"architecture": "arm64"' in image.config
    for part in (b'"SIGINT"', b'"80/tcp"', b'"/data"', b'"A=b"', b'"Healthcheck"', b'["run"]'):
        assert part in image.config
    assert image.layer_digest.encode() in image.manifest
    assert image.config_digest.encode() in image.manifest


def test_a_layer_that_is_cut_short_counts_as_none(packages: Path, tmp_path: Path) -> None:
    image = layout.write(RECIPE, packages, tmp_path, {})
    image.layer.write_bytes(image.layer.read_bytes()[:-1])
    assert layout.read(tmp_path) is None


def test_the_hosts_own_debian_sources_are_found(tmp_path: Path) -> None:
    (tmp_path / "sources.list.d").mkdir()
    (tmp_path / "sources.list").write_text("deb http://mirror/debian bookworm main\n")
    good = tmp_path / "sources.list.d" / "debian.sources"
    good.write_text("Types: deb\nSigned-By: /usr/share/keyrings/debian-archive-keyring.gpg\n")
    for name, text in (
        ("other.list", "deb http://other/apt stable main\n"),
        ("off.list", "# deb http://mirror/debian bookworm main\n"),
        ("debian.sources.disabled", "debian-archive-keyring"),
    ):
        (tmp_path / "sources.list.d" / name).write_text(text)
    assert rootfs.debian_sources(tmp_path) == [str(tmp_path / "sources.list"), str(good)]


def test_without_the_tools_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda _name: None)
    assert "apt-get install -y mmdebstrap" in rootfs.needs()
    monkeypatch.setattr("shutil.which", lambda name: None if name == "newuidmap" else "/x")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert "as root" in rootfs.needs()


def test_an_unknown_base_image_names_those_that_there_are() -> None:
    with pytest.raises(NotFound) as caught:
        recipe_of("cobol")
    assert "busybox, git, golang" in caught.value.remedy


@pytest.mark.parametrize(
    ("name", "image"),
    [
        ("python:3.11", "r:1/library/python:3.11"),
        ("python", "r:1/library/python:3.11"),
        ("python:3.12", "python:3.12"),
        ("postgres:15", "r:1/library/postgres:15"),
        ("o/python:3", "o/python:3"),
    ],
)
def test_ours_stand_in_for_the_same_version_only(name: str, image: str) -> None:
    assert rewrite(name, default_rewrites(), registry="r:1") == image


def test_which_base_image_would_serve() -> None:
    assert (stand_in("golang:1.19"), stand_in("node"), stand_in("ruby:3")) == ("golang", "node", "")


def test_every_recipe_has_a_shell_and_a_version() -> None:
    for name, recipe in RECIPES.items():
        assert "busybox-static" in recipe.packages, name
        assert recipe.tags[-1] or recipe.tags, name
        assert "latest" in recipe.tags, name

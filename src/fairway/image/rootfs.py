"""A base image's files: Debian's packages unpacked by mmdebstrap, less what nobody needs."""

from __future__ import annotations

import compileall
import fnmatch
import io
import os
import py_compile
import re
import shlex
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from fairway.image.recipes import EVERYWHERE, SUITE, Recipe
from fairway.model.errors import InvalidInput, Unavailable

CA_PATH: Final = "etc/ssl/certs/ca-certificates.crt"
_PYTHON: Final = (3, 11)  # of Debian 12
_WHEELS: Final = "usr/local/lib/python3.11/dist-packages"
_SOURCES: Final = ("sources.list", "sources.list.d/*.list", "sources.list.d/*.sources")
_TIMEOUT_S: Final = 1200
_EPOCH: Final = 1_700_000_000  # one time for files of ours: the same content is the same layer


def needs() -> str:
    """What is missing here to make base images, with the command that mends it; "" is nothing."""
    if shutil.which("mmdebstrap") is None or shutil.which("apt-get") is None:
        return (
            "mmdebstrap makes base images from Debian's packages, and it is not here; "
            "as root on Debian: apt-get update && apt-get install -y mmdebstrap"
        )
    if os.geteuid() != 0 and shutil.which("newuidmap") is None:
        return (
            "unpacking packages needs root, or user namespaces; "
            "run `fairway image base` as root, or as root: apt-get install -y uidmap"
        )
    return ""


def debian_sources(apt: Path = Path("/etc/apt")) -> list[str]:
    """The host's own source files for Debian, so that its mirror is used; none elsewhere."""
    found: list[str] = []
    for pattern in _SOURCES:
        for path in sorted(apt.glob(pattern)):
            text = path.read_text("utf-8", "replace")
            live = re.sub(r"(?m)^\s*#.*$", "", text)
            if "debian-archive-keyring" in live or re.search(rf"debian\S*\s+{SUITE}\b", live):
                found.append(str(path))
    return found


def make_tar(
    recipe: Recipe, target: Path, *, ca_bundle: Path | None = None, lock: Path | None = None
) -> None:
    """Write the image's files as a tar. Blocks for seconds; needs the package mirror.

    `lock` names the recipe's Python packages with versions and hashes, instead of its own pins.

    Raises `InvalidInput` (`base-image-tools`), `Unavailable` (`base-image-packages`).
    """
    missing = needs()
    if missing:
        raise InvalidInput(missing, code="base-image-tools", remedy="see `fairway doctor`")
    with tempfile.TemporaryDirectory(prefix="fairway-base-") as folder:
        unpacked = Path(folder) / "packages.tar"
        words = ["mmdebstrap", "--quiet", "--variant=extract", "--format=tar"]
        words += [f"--extract-hook={_INSIDE}{shlex.quote(one)}" for one in recipe.inside]
        words += [f"--include={','.join(recipe.packages)}", SUITE, str(unpacked)]
        _run([*words, *debian_sources()], recipe)
        wheels = Path(folder) / "wheels"
        if recipe.wheels:
            _install_wheels(recipe, unpacked, wheels, lock=lock)
        with tarfile.open(target, "w", format=tarfile.GNU_FORMAT) as out:
            _write(recipe, unpacked, out, ca_bundle=ca_bundle)
            if recipe.wheels:
                _write_folder(out, wheels, _WHEELS)


def _run(words: list[str], recipe: Recipe) -> None:
    try:
        done = subprocess.run(  # noqa: S603 our own words
            words, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise Unavailable(
            f"making {recipe.name} took longer than {_TIMEOUT_S} s", code="base-image-packages"
        ) from error
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        raise Unavailable(
            f"the packages of {recipe.name} could not be had: {' / '.join(lines[-4:])[:800]}",
            code="base-image-packages",
            remedy="see that the mirror in /etc/apt answers: apt-get update",
        )


def _install_wheels(recipe: Recipe, unpacked: Path, target: Path, *, lock: Path | None) -> None:
    """Python packages for the image's own Python, by the pip that is in its packages."""
    pip = target.parent / "pip"
    with tarfile.open(unpacked) as tar:
        for entry in tar:
            content = tar.extractfile(entry) if entry.isreg() else None
            if content and entry.name.startswith("./usr/lib/python3/dist-packages/pip/"):
                target_file = pip / entry.name
                target_file.parent.mkdir(parents=True, exist_ok=True)
                with target_file.open("wb") as out:
                    shutil.copyfileobj(content, out)
    place = pip / "usr/lib/python3/dist-packages"
    words = [sys.executable, "-c", _PIP.format(place=str(place)), "install", "--quiet"]
    words += ["--target", str(target), "--only-binary=:all:", "--no-compile"]
    words += ["--python-version=3.11", "--implementation=cp", "--disable-pip-version-check"]
    for minor in (36, 35, 34, 31, 28, 17):  # up to Debian 12's own glibc
        words += ["--platform", f"manylinux_2_{minor}_x86_64"]
    words += ["--platform", "manylinux2014_x86_64"]
    wanted = ["--require-hashes", "--no-deps", "-r", str(lock)] if lock else [*recipe.wheels]
    _run([*words, *wanted], recipe)
    if sys.version_info[:2] == _PYTHON:  # what another version compiles the image cannot use
        mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
        compileall.compile_dir(target, quiet=2, stripdir=target, invalidation_mode=mode)


_INSIDE: Final = (
    'mkdir -p "$1/tmp" && HOME=/tmp PATH=/usr/sbin:/usr/bin:/sbin:/bin '
    'chroot "$1" /bin/busybox sh -c '
)
_PIP: Final = (
    "import runpy, sys; sys.path.insert(0, {place!r}); runpy.run_module('pip', run_name='__main__')"
)


class _Tree:
    """What has been written, so that ours never stands beside a package's."""

    def __init__(self, out: tarfile.TarFile) -> None:
        self.out = out
        self.seen: set[str] = set()

    def folder(self, path: str, mode: int = 0o755) -> None:
        """A folder, and those above it."""
        parts = path.split("/")
        for count in range(1, len(parts) + 1):
            here = "/".join(parts[:count])
            if here and here not in self.seen:
                self.seen.add(here)
                entry = tarfile.TarInfo(here)
                entry.type, entry.mtime = tarfile.DIRTYPE, _EPOCH
                entry.mode = mode if here == path else 0o755
                self.out.addfile(entry)

    def file(self, path: str, data: bytes, mode: int = 0o644) -> None:
        """A file of ours."""
        self.folder(os.path.dirname(path))  # noqa: PTH120 a path inside a tar
        self.seen.add(path)
        entry = tarfile.TarInfo(path)
        entry.size, entry.mode, entry.mtime = len(data), mode, _EPOCH
        self.out.addfile(entry, io.BytesIO(data))

    def link(self, path: str, to: str) -> None:
        """A symbolic link of ours, unless a package has something there."""
        if path in self.seen:
            return
        self.folder(os.path.dirname(path))  # noqa: PTH120 a path inside a tar
        self.seen.add(path)
        entry = tarfile.TarInfo(path)
        entry.type, entry.linkname, entry.mtime = tarfile.SYMTYPE, to, _EPOCH
        self.out.addfile(entry)


def _write(recipe: Recipe, unpacked: Path, out: tarfile.TarFile, *, ca_bundle: Path | None) -> None:
    tree = _Tree(out)
    busybox = _copy_packages(recipe, unpacked, tree)
    _accounts(recipe, tree)
    for path in ("tmp", "var/tmp"):
        tree.folder(path, 0o1777)
    for path in ("proc", "sys", "dev", "root", "run", "var/run", "etc/ssl/certs"):
        tree.folder(path)
    if ca_bundle is not None:
        tree.file(CA_PATH, ca_bundle.read_bytes())
    for path, file in recipe.files.items():
        tree.file(path, file.text.encode(), file.mode)
    for path, to in recipe.links.items():
        tree.link(path, to)
    for applet in _applets(busybox):
        if f"usr/bin/{applet}" not in tree.seen and f"usr/sbin/{applet}" not in tree.seen:
            tree.link(f"bin/{applet}", "/bin/busybox")


def _copy_packages(recipe: Recipe, unpacked: Path, tree: _Tree) -> bytes:
    """What the packages hold, less what is left out. Returns the busybox program."""
    busybox = b""
    ours = {*recipe.files, CA_PATH, "etc/passwd", "etc/group"}
    leave_out = _matcher((*EVERYWHERE, *recipe.leave_out))
    with tarfile.open(unpacked) as tar:
        for entry in _entries(tar):
            path = entry.name
            if path in ours or path in tree.seen or leave_out(path):
                continue
            if path == "bin/busybox":
                busybox = _content(tar, entry)
            tree.seen.add(path)
            tree.out.addfile(entry, tar.extractfile(entry) if entry.isreg() else None)
    return busybox


def _entries(tar: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """Files, links and folders, by paths without `./`; devices are the engine's business."""
    for entry in tar:
        entry.name = entry.name.removeprefix("./").rstrip("/")
        if entry.islnk():
            entry.linkname = entry.linkname.removeprefix("./")
        if not entry.name or entry.name == "." or entry.isdev():
            continue
        entry.pax_headers = {}
        if entry.isdir():
            entry.mtime = _EPOCH  # the time of unpacking
        if entry.name in ("tmp", "var/tmp"):
            entry.mode = 0o1777
        yield entry


def _content(tar: tarfile.TarFile, entry: tarfile.TarInfo) -> bytes:
    file = tar.extractfile(entry)
    return file.read() if file else b""


def _matcher(patterns: tuple[str, ...]) -> Callable[[str], object]:
    return re.compile("|".join(fnmatch.translate(pattern) for pattern in patterns)).match


def _accounts(recipe: Recipe, tree: _Tree) -> None:
    users = ["root:x:0:0:root:/root:/bin/sh", "nobody:x:65534:65534::/nonexistent:/bin/false"]
    groups = ["root:x:0:", "tty:x:5:", "nogroup:x:65534:"]
    tree.file("etc/passwd", "\n".join([*users, *recipe.users, ""]).encode())
    tree.file("etc/group", "\n".join([*groups, *recipe.groups, ""]).encode())


def _applets(busybox: bytes) -> list[str]:
    if not busybox:
        return []
    with tempfile.TemporaryDirectory(prefix="fairway-busybox-") as folder:
        program = Path(folder) / "busybox"
        program.write_bytes(busybox)
        program.chmod(0o755)
        done = subprocess.run(  # noqa: S603 the program that the image will hold
            [program, "--list"], capture_output=True, text=True, check=False, timeout=30
        )
    return [line for line in done.stdout.split() if line != "busybox"]


def _write_folder(out: tarfile.TarFile, folder: Path, place: str) -> None:
    def plain(entry: tarfile.TarInfo) -> tarfile.TarInfo:
        entry.uid = entry.gid = 0
        entry.uname = entry.gname = ""
        entry.mtime = _EPOCH
        return entry

    for path in sorted(folder.rglob("*")):
        relative = path.relative_to(folder)
        if relative.parts[0] != "bin":
            out.add(path, f"{place}/{relative}", recursive=False, filter=plain)

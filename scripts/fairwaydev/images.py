"""`busybox:latest` from Debian's static busybox: the image that tests and benchmarks run."""

from __future__ import annotations

import io
import shutil
import subprocess
import tarfile
from pathlib import Path

from fairwaydev.say import Failed, answer, detail

_NAME = "busybox:latest"


def _archive(busybox: Path, applets: list[str]) -> bytes:
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for name, mode in (("etc", 0o755), ("root", 0o700), ("tmp", 0o1777), ("usr/bin", 0o755)):
            folder = tarfile.TarInfo(name)
            folder.type, folder.mode = tarfile.DIRTYPE, mode
            tar.addfile(folder)
        _add(tar, "etc/passwd", b"root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n")
        _add(tar, "etc/group", b"root:x:0:\nnobody:x:65534:\n")
        _add(tar, "bin/busybox", busybox.read_bytes(), 0o755)
        for name in [
            *(f"bin/{applet}" for applet in applets if applet != "busybox"),
            "usr/bin/env",
        ]:
            link = tarfile.TarInfo(name)
            link.type, link.linkname = tarfile.SYMTYPE, "/bin/busybox"
            tar.addfile(link)
    return held.getvalue()


def _add(tar: tarfile.TarFile, name: str, content: bytes, mode: int = 0o644) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), mode
    tar.addfile(entry, io.BytesIO(content))


def provide(host: str) -> None:
    """Have the image in the Engine at `host`; one that is there stays. Raises Failed."""
    docker = ["docker", "-H", host]
    if answer([*docker, "image", "inspect", _NAME]) is not None:
        return
    busybox = shutil.which("busybox")
    applets = answer([busybox, "--list"]) if busybox else None
    if busybox is None or applets is None:
        raise Failed("busybox is not here: apt-get update && apt-get install -y busybox-static")
    detail(f"making {_NAME} from {busybox}")
    done = subprocess.run(
        [*docker, "import", "-c", 'CMD ["sh"]', "-", _NAME],
        input=_archive(Path(busybox), applets.split()),
        capture_output=True,
        check=False,
    )
    if done.returncode:
        raise Failed(f"{_NAME} cannot be imported: {done.stderr.decode('utf-8', 'replace')}")

"""Blobs of any size flow through the registry in constant memory."""

from __future__ import annotations

import hashlib
import http.client
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = [pytest.mark.client, pytest.mark.timeout(180)]

SIZE = 400 << 20
LIMIT = 48 << 10  # KiB that the peak may grow by
SERVER = """
import sys
from pathlib import Path
from fairway.blob.folder import Folder
from fairway.image.registry import Deps, registry_app
from fairway.image.registry.access import Open
from fairway.store.database import Database, sqlite_url
from fairway.store.schema import metadata
from fairway.testing.http import served
folder = Path(sys.argv[1])
db = Database(sqlite_url(folder / "db"), durable=False)
metadata.create_all(db.engine)
with served(registry_app(Deps(db, Folder(folder / "blobs"), Open(), bytes(32)))) as url:
    print(url, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[int, int]]:
    """A registry in a process of its own: its pid and its port."""
    with subprocess.Popen(
        [sys.executable, "-c", SERVER, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        assert process.stdin
        yield process.pid, int(process.stdout.readline().rpartition(":")[2])
        process.stdin.close()
        assert process.wait(30) == 0


def peak(pid: int) -> int:
    """The most memory that a process ever had, in KiB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1])
    raise AssertionError("no VmHWM")


def push(port: int, name: str, file: Path, digest: str) -> None:
    link = http.client.HTTPConnection("127.0.0.1", port)
    link.putrequest("POST", f"/v2/{name}/blobs/uploads/?digest={digest}")
    link.putheader("Content-Length", str(file.stat().st_size))
    link.endheaders()
    with file.open("rb") as opened:
        link.sock.sendfile(opened)
    answer = link.getresponse()
    assert (answer.status, answer.read()) == (201, b"")
    link.close()


def pull(port: int, name: str, digest: str, **headers: str) -> str:
    link = http.client.HTTPConnection("127.0.0.1", port)
    link.request("GET", f"/v2/{name}/blobs/{digest}", headers=headers)
    answer = link.getresponse()
    found = hashlib.sha256()
    while chunk := answer.read(1 << 20):
        found.update(chunk)
    link.close()
    return f"sha256:{found.hexdigest()}"


def test_memory_does_not_grow_with_the_blob(server: tuple[int, int], tmp_path: Path) -> None:
    pid, port = server
    small, large = tmp_path / "small", tmp_path / "large"
    for file, size in ((small, 4 << 20), (large, SIZE)):
        with file.open("wb") as opened:
            opened.truncate(size)
    for file in (small, large):
        with file.open("rb") as opened:
            digest = "sha256:" + hashlib.file_digest(opened, "sha256").hexdigest()
        push(port, "a/b", file, digest)
        assert pull(port, "a/b", digest) == digest
        assert pull(port, "a/b", digest, Range="bytes=0-") == digest
        if file == small:
            before = peak(pid)
    assert peak(pid) - before < LIMIT

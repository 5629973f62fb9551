"""Our registry and Debian's docker-registry, each in a process of its own on the same disk."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
import os
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import lib
from fairway.blob.folder import Folder
from fairway.image.registry import Deps, registry_app
from fairway.image.registry.access import Open
from fairway.kit.net import free_port
from fairway.store.database import Database, sqlite_url
from fairway.store.schema import metadata
from fairway.testing.http import served

SIZE = 200_000_000
_TRIES = 200


@contextlib.contextmanager
def both() -> Iterator[tuple[int, int, Path]]:
    """The ports of ours and of the reference, and a folder beside their data."""
    with tempfile.TemporaryDirectory(prefix="fairway-bench-", dir=_big_folder()) as name:
        folder = Path(name)
        port = free_port()
        config = folder / "reference.json"
        config.write_text(json.dumps(_reference(folder / "reference", port)))
        code = "import registries, sys; registries.serve(sys.argv[1])"
        this = [sys.executable, "-c", code, str(folder / "ours")]
        theirs = ["docker-registry", "serve", str(config)]
        quiet = {"OTEL_TRACES_EXPORTER": "none"}
        here = str(Path(__file__).parent)
        with lib.process(this, PYTHONPATH=here) as mine, lib.process(theirs, **quiet):
            if mine.stdout is None:
                raise RuntimeError("our registry has no output")
            ours = int(mine.stdout.readline())
            _await(port)
            yield ours, port, folder


def _big_folder() -> str | None:
    """Not a tmpfs: the disk is part of what is measured."""
    return "/var/tmp" if Path("/var/tmp").is_dir() else None


def _reference(folder: Path, port: int) -> dict[str, object]:
    return {
        "version": "0.1",
        "log": {"level": "error", "accesslog": {"disabled": True}},
        "storage": {"filesystem": {"rootdirectory": str(folder)}},
        "http": {"addr": f"127.0.0.1:{port}"},
    }


def _await(port: int) -> None:
    for _ in range(_TRIES):
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        time.sleep(0.05)
    raise RuntimeError(f"the registry on port {port} does not answer")


class Content:
    """A file of SIZE random bytes that is another one in each round."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "content"
        self.path.write_bytes(os.urandom(SIZE))
        self.digest = ""

    def renew(self) -> None:
        """Change it, and compute its digest (not measured)."""
        with self.path.open("r+b") as file:
            file.write(os.urandom(32))
        with self.path.open("rb") as file:
            self.digest = "sha256:" + hashlib.file_digest(file, "sha256").hexdigest()
        os.sync()  # what earlier rounds left to write is not this one's


def push(port: int, repository: str, content: Content) -> float:
    """MB/s of a blob as docker pushes it: start, PATCH with the bytes, PUT with the digest."""
    link = http.client.HTTPConnection("127.0.0.1", port)
    began = time.perf_counter()
    where = _call(link, "POST", f"/v2/{repository}/blobs/uploads/", 202)
    link.putrequest("PATCH", where)
    link.putheader("Content-Type", "application/octet-stream")
    link.putheader("Content-Length", str(SIZE))
    link.endheaders()
    with content.path.open("rb") as file:
        link.sock.sendfile(file)
    where = _answer(link, 202)
    mark = "&" if "?" in where else "?"
    _call(link, "PUT", f"{where}{mark}digest={content.digest}", 201)
    seconds = time.perf_counter() - began
    link.close()
    return SIZE / 1e6 / seconds


def pull(port: int, repository: str, digest: str) -> float:
    """MB/s of downloading a blob."""
    link = http.client.HTTPConnection("127.0.0.1", port)
    buffer = memoryview(bytearray(1 << 20))
    began = time.perf_counter()
    link.request("GET", f"/v2/{repository}/blobs/{digest}")
    answer = link.getresponse()
    count = 0
    while got := answer.readinto(buffer):
        count += got
    seconds = time.perf_counter() - began
    link.close()
    if answer.status != 200 or count != SIZE:
        raise RuntimeError(f"status {answer.status}, {count} bytes")
    return SIZE / 1e6 / seconds


def _call(link: http.client.HTTPConnection, method: str, path: str, wanted: int) -> str:
    link.request(method, path, headers={"Content-Length": "0"})
    return _answer(link, wanted)


def _answer(link: http.client.HTTPConnection, wanted: int) -> str:
    answer = link.getresponse()
    body = answer.read()
    if answer.status != wanted:
        raise RuntimeError(f"status {answer.status} instead of {wanted}: {body[:300]!r}")
    where = answer.getheader("Location", "")
    return "/" + where.split("/", 3)[3] if where.startswith("http") else where


def serve(name: str) -> None:
    """Our registry in this process; prints its port. Ends with SIGTERM."""
    folder = Path(name)
    folder.mkdir()
    db = Database(sqlite_url(folder / "fairway.db"))
    metadata.create_all(db.engine)
    app = registry_app(Deps(db, Folder(folder / "blobs"), Open(), os.urandom(32)))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with served(app) as url:
        print(url.rpartition(":")[2], flush=True)
        signal.pause()

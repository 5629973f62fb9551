"""The checks on the machine that runs the tests."""

import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import UnixStreamServer

import pytest

from fairway.machine import look
from fairway.machine.check import Check, Health, Wanted
from fairway.machine.doctor import run_checks

ANSWERS = {
    "/version": {"Version": "24.0.7", "ApiVersion": "1.43"},
    "/info": {"Driver": "overlay2", "CgroupVersion": "2"},
}


class Handler(BaseHTTPRequestHandler):
    """As much of an Engine as doctor asks."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = json.dumps(ANSWERS[self.path]).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Quiet."""


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[str]:
    path = tmp_path / "docker.sock"
    with UnixStreamServer(str(path), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"unix://{path}"
        server.shutdown()
        thread.join()


def by_name(checks: list[Check]) -> dict[str, Check]:
    found = {check.name: check for check in checks}
    assert len(found) == len(checks)
    return found


def test_the_engine_that_answers_is_described(engine: str, tmp_path: Path) -> None:
    wanted = Wanted(data=tmp_path, docker_hosts=("unix:///nowhere", engine))
    check = by_name(run_checks(wanted))["docker"]
    assert check.health is Health.OK
    assert "24.0.7" in check.found
    assert "overlay2" in check.found


def test_every_check_says_something_about_this_machine(tmp_path: Path) -> None:
    checks = by_name(run_checks(Wanted(data=tmp_path / "new", port=0, docker_hosts=())))
    assert set(checks) >= {"python", "git", "docker", "data", "disk", "memory", "database"}
    assert "port" not in checks
    assert checks["python"].health is Health.OK
    assert all(check.found for check in checks.values())
    assert not (tmp_path / "new").exists(), "doctor only looks"


def test_a_port_in_use_is_found(tmp_path: Path) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        check = by_name(run_checks(Wanted(data=tmp_path, port=port, docker_hosts=())))["port"]
    assert check.health is Health.MISSING
    assert str(port) in check.mend


def test_a_postgres_that_does_not_answer_is_found(tmp_path: Path) -> None:
    url = "postgresql+psycopg://nobody@127.0.0.1:1/none"
    check = by_name(run_checks(Wanted(data=tmp_path, database_url=url, docker_hosts=())))[
        "database"
    ]
    assert check.health is Health.MISSING
    assert "PostgreSQL" in check.found


def test_a_check_that_fails_does_not_hide_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> None:
        raise RuntimeError("no such thing")

    monkeypatch.setattr(look, "memory", broken)
    checks = by_name(run_checks(Wanted(data=tmp_path, docker_hosts=())))
    assert checks["memory"].health is Health.WARN
    assert "no such thing" in checks["memory"].found
    assert checks["disk"].found


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("git version 2.39.5", (2, 39, 5)),
        ("20.10.24+dfsg1", (20, 10, 24)),
        ("1.41", (1, 41)),
        ("none", ()),
        (None, ()),
    ],
)
def test_versions_are_found_in_texts(text: str | None, version: tuple[int, ...]) -> None:
    assert look.version(text) == version

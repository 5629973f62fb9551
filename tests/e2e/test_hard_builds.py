"""Builds that go wrong in every way people and their files can think of: on one real Fairway."""

from __future__ import annotations

import json
import sys
import threading
import time
import zlib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from fairway.client.wire.build import Build, Reason
from fairway.testing.installation import Copy, Installation, until

pytestmark = [pytest.mark.docker, pytest.mark.timeout(600)]
LIMIT = 100_000


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    environment = {"FAIRWAY_PIPELINE__LOG_LIMIT_BYTES": str(LIMIT)}
    made = Installation(tmp_path_factory.mktemp("hard") / "fairway", environment=environment)
    made.start()
    yield made
    made.stop()
    made.command("down", "--purge", "--yes")


def pipeline(*steps: str, more: str = "") -> str:
    text = f"kind: pipeline\ntype: docker\nname: one\n{more}\nsteps:\n"
    return text + "\n".join(steps) + "\n"


def step(name: str, *commands: str, more: str = "") -> str:
    lines = "\n".join(f"  - {command}" for command in commands)
    return f"- name: {name}\n  image: busybox\n  pull: never\n  commands:\n{lines}\n{more}"


@pytest.fixture
def pushed(system: Installation, tmp_path: Path, request: pytest.FixtureRequest) -> Any:
    """Push files to a repository of the test's own; returns its slug."""
    slug = f"hard/r{zlib.crc32(request.node.name.encode()):08x}"

    def push(files: dict[str, str | bytes], links: dict[str, str] | None = None) -> str:
        copy = Copy(tmp_path / "copy")
        for name, target in (links or {}).items():
            (copy.folder / name).parent.mkdir(parents=True, exist_ok=True)
            (copy.folder / name).symlink_to(target)
        copy.commit(files)
        copy.push(system.remote(slug))
        return slug

    return push


def outcomes(build: Build) -> dict[str, str]:
    return {step.name: step.status for stage in build.stages for step in stage.steps}


def words(build: Build) -> str:
    """Everything that is said about what went wrong."""
    steps = [step for stage in build.stages for step in stage.steps]
    errors = [*(stage.error for stage in build.stages), *(step.error for step in steps)]
    return " | ".join([build.error, *errors])


def test_an_unknown_image_is_named_and_nothing_else_runs(system: Installation, pushed: Any) -> None:
    unknown = "- {name: odd, image: 'fairway.invalid/nothing:1', commands: [true]}\n"
    build = system.ended(pushed({".drone.yml": pipeline(unknown, step("after", "echo no"))}))
    assert build.status == "errored"
    assert "fairway.invalid/nothing:1" in words(build)
    assert outcomes(build)["after"] == "skipped"


def test_a_step_that_never_ends_meets_its_limit(system: Installation, pushed: Any) -> None:
    limited = step("endless", "echo begun", "sleep 1000", more="  x-fairway: {timeout: 5s}\n")
    build = system.ended(pushed({".drone.yml": pipeline(limited, step("after", "echo no"))}))
    assert build.status == "failed"
    assert outcomes(build) == {"clone": "passed", "endless": "failed", "after": "skipped"}
    assert "limit of 5 s" in words(build)
    assert b"begun" in system.raw_log(build.repository, 1, 1, 2)


def test_a_flood_is_cut_with_a_marker_and_the_build_goes_on(
    system: Installation, pushed: Any
) -> None:
    flood = step("flood", "seq 1 200000", "echo the very end")
    build = system.ended(pushed({".drone.yml": pipeline(flood, step("after", "echo after"))}))
    assert build.status == "passed", words(build)
    log = system.raw_log(build.repository, 1, 1, 2)
    assert log[:40].startswith(b"+ seq 1 200000\n1\n2\n3\n")
    assert b"[fairway] the log reached its limit" in log
    assert log.endswith(b"200000\n+ echo the very end\nthe very end\n")
    assert LIMIT < len(log) < 3 * LIMIT
    shown = next(one for one in build.stages[0].steps if one.name == "flood")
    assert shown.log_truncated


def test_a_cancelled_build_stops_what_runs_and_begins_nothing(
    system: Installation, pushed: Any
) -> None:
    text = pipeline(step("endless", "echo begun", "sleep 1000"), step("after", "echo no"))
    slug = pushed({".drone.yml": text})
    until("it runs", lambda: b"begun" in log_of(system, slug))
    began = time.monotonic()
    with system.api() as api:
        api.post(f"/repos/{slug}/builds/1/cancel", Reason(reason="enough"), dict[str, Any])
        answered = time.monotonic() - began
    build = system.ended(slug)
    ended = time.monotonic() - began
    assert build.status == "cancelled"
    assert outcomes(build)["endless"] == "cancelled"
    assert outcomes(build)["after"] in {"skipped", "cancelled"}
    assert "enough" in build.reason + words(build)
    sys.stderr.write(f"cancel: answered in {answered:.3f} s, the build ended in {ended:.3f} s\n")


def log_of(system: Installation, slug: str) -> bytes:
    try:
        return system.raw_log(slug, 1, 1, 2)
    except Exception:  # noqa: BLE001 it has not begun
        return b""


@pytest.mark.parametrize(("answer", "said"), [(401, "unauthorized"), (500, "500")])
def test_a_registry_that_refuses_is_quoted(
    system: Installation, pushed: Any, answer: int, said: str
) -> None:
    with refusing(answer) as host:
        publish = (
            "- name: publish\n  image: plugins/docker\n"
            f"  settings: {{repo: {host}/some/image, registry: {host}, insecure: true}}\n"
        )
        files = {".drone.yml": pipeline(publish), "Dockerfile": "FROM scratch\nCOPY Dockerfile /\n"}
        build = system.ended(pushed(files))
    assert build.status == "failed", words(build)
    log = system.raw_log(build.repository, 1, 1, 2).decode()
    assert said in (log + words(build)).lower(), log
    assert host in log


def refusing(answer: int) -> Any:
    """A registry that says the same to everybody."""

    class Handler(BaseHTTPRequestHandler):
        def refuse(self) -> None:
            body = json.dumps({"errors": [{"code": "UNAUTHORIZED", "message": "unauthorized"}]})
            self.send_response(answer)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body.encode())

        def log_message(self, *_: Any) -> None:
            return

    for method in ("GET", "HEAD", "POST", "PUT", "PATCH"):
        setattr(Handler, f"do_{method}", Handler.refuse)
    return Serving(ThreadingHTTPServer(("127.0.0.1", 0), Handler))


class Serving:
    def __init__(self, server: ThreadingHTTPServer) -> None:
        self.server = server
        self.thread = threading.Thread(target=server.serve_forever, daemon=True)

    def __enter__(self) -> str:
        self.thread.start()
        return f"127.0.0.1:{self.server.server_port}"

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(10)


# ---- hostile repositories ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "links"),
    [
        ({"dockerfile": "../../../../etc/passwd"}, {}),
        ({"dockerfile": "link"}, {"link": "/etc/passwd"}),
        ({"context": "../../.."}, {}),
        ({"context": "outside"}, {"outside": "/etc"}),
        ({"dockerfile": "folder/Dockerfile"}, {"folder": "/"}),
    ],
)
def test_an_image_build_stays_inside_the_workspace(
    system: Installation, pushed: Any, settings: dict[str, str], links: dict[str, str]
) -> None:
    given = {"repo": "hard/escape", **settings}
    publish = f"- name: publish\n  image: plugins/docker\n  settings: {json.dumps(given)}\n"
    files = {".drone.yml": pipeline(publish), "Dockerfile": "FROM scratch\nCOPY . /\n"}
    build = system.ended(pushed(files, links))
    assert build.status == "failed", words(build)
    log = system.raw_log(build.repository, 1, 1, 2).decode()
    assert "root:" not in log
    assert "workspace" in (log + words(build)), log + words(build)


def test_links_in_a_context_are_links_in_the_image(system: Installation, pushed: Any) -> None:
    """As Docker has it: a link is copied, never what it leads to on the runner's machine."""
    publish = "- {name: publish, image: plugins/docker, settings: {repo: hard/links}}\n"
    checks = step("checks", "test -L /in/passwd && ! grep -q fairway /in/passwd").replace(
        "busybox", "hard/links"
    )
    files = {
        ".drone.yml": pipeline(publish, checks.replace("  pull: never\n", "")),
        "Dockerfile": "FROM busybox:latest\nCOPY in /in\n",
    }
    build = system.ended(pushed(files, {"in/passwd": "/etc/passwd"}))
    assert build.status == "passed", words(build)


def test_reports_are_not_read_through_links(system: Installation, pushed: Any) -> None:
    linked = step(
        "test",
        "ln -s /etc/passwd report.xml",
        more="  x-fairway: {reports: {junit: [report.xml]}}\n",
    )
    build = system.ended(pushed({".drone.yml": pipeline(linked)}))
    assert build.status == "failed", words(build)
    assert "root:" not in words(build)


def test_a_workspace_replaced_by_a_link_is_refused(system: Installation, pushed: Any) -> None:
    evil = step("evil", "cd / && rm -rf /drone/src && ln -s /etc /drone/src")
    publish = "- {name: publish, image: plugins/docker, settings: {repo: hard/replaced}}\n"
    build = system.ended(
        pushed({".drone.yml": pipeline(evil, publish), "Dockerfile": "FROM scratch\nCOPY . /\n"})
    )
    assert build.status in {"failed", "errored"}, words(build)


def bomb(levels: int) -> str:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, levels)]
    return "\n".join(lines) + "\nkind: pipeline\nname: x\nsteps: []\n"


@pytest.mark.parametrize(
    "text",
    [
        bomb(12),
        "kind: pipeline\nname: deep\nsteps: " + "[" * 20_000 + "]" * 20_000 + "\n",
        "kind: pipeline\nname: big\n# " + "x" * 10_500_000 + "\nsteps: []\n",
        "kind: pipeline\nname: types\nsteps: {a: 1}\n",
        "\x00\x01\x02",
        "kind: pipeline\nname: cycle\nsteps:\n"
        "- {name: a, image: busybox, depends_on: [b]}\n"
        "- {name: b, image: busybox, depends_on: [a]}\n",
    ],
    ids=["bomb", "deep", "huge", "types", "binary", "cycle"],
)
def test_a_hostile_file_is_an_error_with_a_place(
    system: Installation, tmp_path: Path, text: str, request: pytest.FixtureRequest
) -> None:
    slug = f"hostile/{request.node.callspec.id}"
    copy = Copy(tmp_path / "copy")
    copy.commit({".drone.yml": text})
    copy.push(system.remote(slug))
    build = system.ended(slug)
    assert build.status == "errored"
    assert words(build).strip(" |"), "an error without words"
    assert len(words(build)) < 5000


def test_submodules_never_reach_out(system: Installation, pushed: Any) -> None:
    """A clone takes no submodules, whatever protocol their URLs name."""
    modules = '[submodule "x"]\n\tpath = x\n\turl = ext::sh -c touch% /tmp/fairway-pwned\n'
    text = pipeline(step("look", "test ! -e x/anything", "cat .gitmodules"))
    build = system.ended(pushed({".drone.yml": text, ".gitmodules": modules}))
    assert build.status == "passed", words(build)
    assert not Path("/tmp/fairway-pwned").exists()

"""Commands that need no server: contexts, helpers, completion, pipeline files."""

import json
import stat
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from fairway.cli import login, platform
from fairway.cli.local import first_file
from fairway.cli.text import seconds, size, span
from fairway.client import context, remote
from fairway.model.errors import BadFile, NotFound
from fairway.testing.commandline import Line

GOOD = """\
kind: pipeline
type: docker
name: default
steps:
  - {name: test, image: busybox, commands: [echo hi]}
  - {name: release, image: busybox, commands: [echo out], when: {event: tag}}
"""


def test_contexts_are_kept_for_their_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "fairway" / "config"
    context.add(path, "one", context.Context(url="http://one", token="t1"))
    context.add(path, "two", context.Context(url="http://two", token="t2"))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    found = context.load(path)
    assert (found.current, found.named().url, found.named("one").token) == (
        "two",
        "http://two",
        "t1",
    )
    with pytest.raises(NotFound):
        found.named("three")
    path.write_text("{")
    with pytest.raises(BadFile):
        context.load(path)


def test_contexts_are_chosen_and_forgotten(fairway: Line) -> None:
    path = fairway.folder / "config"
    context.add(path, "one", context.Context(url="http://one", token="t1"))
    context.add(path, "two", context.Context(url="http://two", token="t2"))
    fairway.ok("context", "use", "one")
    table = fairway.ok("context")
    assert "*  one   http://one" in table
    assert "t1" not in fairway.ok("context", "ls", "-o", "json")
    fairway.ok("context", "rm", "one", "-y")
    assert fairway("context", "use", "one").exit_code == 5


@pytest.mark.parametrize(
    ("url", "servers", "slug"),
    [
        ("http://127.0.0.1:8480/tide/app.git", ["http://127.0.0.1:8480"], "tide/app"),
        ("http://127.0.0.1:8480/tide/app", ["http://127.0.0.1:8480/"], "tide/app"),
        ("http://127.0.0.1:8481/tide/app.git", ["http://127.0.0.1:8480"], ""),
        ("https://fairway.example/tide/app.git", ["https://fairway.example"], "tide/app"),
        ("git@elsewhere:tide/app.git", ["https://fairway.example"], ""),
        ("https://fairway.example/app.git", ["https://fairway.example"], ""),
    ],
)
def test_a_remote_names_a_repository_of_ours_or_none(
    url: str, servers: list[str], slug: str
) -> None:
    assert remote.slug_of(url, servers) == slug


def test_the_folder_s_remote_is_the_repository_that_is_meant(
    fairway: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    def git(*words: str) -> None:
        subprocess.run(["git", *words], cwd=fairway.folder, check=True, capture_output=True)

    git("init", "-q")
    git("remote", "add", "origin", "http://fairway.test/tide/app.git")
    assert fairway.ok("get", "build", "last", "-o", "name") == "tide/app#2\n"


def test_git_is_given_the_token_of_its_host_and_no_other(fairway: Line) -> None:
    path = fairway.folder / "config"
    one = context.Context(url="http://one:8480", token="t1", hosts=["registry.one"])
    context.add(path, "one", one)
    asked = "protocol=http\nhost=one:8480\n\n"
    assert fairway.ok("credential", "git", "get", data=asked) == "username=fairway\npassword=t1\n"
    assert fairway.ok("credential", "git", "get", data="protocol=http\nhost=two\n\n") == ""
    assert fairway.ok("credential", "git", "store", data=asked) == ""


def test_docker_is_given_the_token_of_its_registry(fairway: Line) -> None:
    path = fairway.folder / "config"
    one = context.Context(url="http://one:8480", token="t1", hosts=["registry.one"])
    context.add(path, "one", one)
    for asked in ("one:8480", "https://registry.one", "http://one:8480/v2/"):
        found = json.loads(fairway.ok("credential", "docker", "get", data=asked))
        assert (found["Username"], found["Secret"]) == ("fairway", "t1")
    missing = fairway("credential", "docker", "get", data="elsewhere")
    assert missing.exit_code == 1
    assert missing.stdout.strip() == "credentials not found in native keychain"


def test_docker_s_own_settings_stay(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text('{"auths": {"other": {}}, "credHelpers": {"gcr.io": "gcloud"}}')
    login.write_docker(path, "127.0.0.1:8480")
    login.write_docker(path, "127.0.0.1:8480")
    assert json.loads(path.read_text()) == {
        "auths": {"other": {}},
        "credHelpers": {"gcr.io": "gcloud", "127.0.0.1:8480": "fairway"},
    }
    path.write_text("[]")
    with pytest.raises(BadFile):
        login.write_docker(path, "x")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish", "powershell"])
def test_four_shells_have_completion(fairway: Line, shell: str) -> None:
    text = fairway.ok("completion", shell)
    assert "_FAIRWAY_COMPLETE" in text
    assert "fairway" in text


def test_powershell_completes_commands() -> None:
    from fairway.cli.main import cli

    env = {
        "_FAIRWAY_COMPLETE": "powershell_complete",
        "COMP_WORDS": "fairway ge",
        "COMP_CWORD": "ge",
    }
    result = CliRunner().invoke(cli, [], prog_name="fairway", env=env)
    assert result.output.split() == ["get"]


def test_what_up_was_told_is_handed_to_serve() -> None:
    options = {
        "port": 9000,
        "listen": ("10.0.0.1", "10.0.0.2:80"),
        "behind_proxy": True,
        "tls_cert": None,
        "log_format": "json",
    }
    assert platform.words_of(options) == [
        "--port", "9000", "--listen", "10.0.0.1", "--listen", "10.0.0.2:80", "--behind-proxy",
        "--log-format", "json",
    ]  # fmt: skip
    flags = platform.flags_of(("runner",), options)
    assert flags["http"]["listen"] == ("10.0.0.1", "10.0.0.2:80")
    assert flags["roles"] == ("runner",)


def test_lint_names_file_line_and_column(fairway: Line) -> None:
    path = fairway.folder / ".drone.yml"
    path.write_text(GOOD)
    good = fairway("lint")
    assert good.exit_code == 0, good.output
    path.write_text(GOOD.replace("image: busybox, commands: [echo hi]", "commands: {}"))
    bad = fairway("lint")
    assert bad.exit_code == 1
    assert bad.stdout.startswith(".drone.yml:5:")
    data = json.loads(fairway("lint", "-o", "json").stdout)
    assert data["schema"] == "fairway.lint/1"
    assert data["items"][0]["line"] == 5
    missing = fairway("lint", "nothing.yml")
    assert missing.exit_code == 5


def test_compile_says_what_runs_and_what_is_left_out(fairway: Line) -> None:
    (fairway.folder / ".drone.yml").write_text(GOOD)
    text = fairway.ok("compile", "--branch", "main")
    assert "default  (docker)  runs" in text
    assert "release is left out" in text
    data = json.loads(fairway.ok("compile", "--event", "tag", "--branch", "v1", "-o", "json"))
    assert data["schema"] == "fairway.compile/v1"
    assert [one["name"] for one in data["pipelines"][0]["steps"]] == ["clone", "test", "release"]


def test_a_first_file_fits_the_folder_and_is_valid(fairway: Line) -> None:
    (fairway.folder / "go.mod").write_text("module x\n")
    (fairway.folder / "package.json").write_text("{}\n")
    (fairway.folder / "Dockerfile").write_text("FROM scratch\n")
    fairway.ok("init")
    text = (fairway.folder / ".drone.yml").read_text()
    assert all(word in text for word in ("go test", "npm test", "plugins/docker"))
    assert fairway("lint").exit_code == 0
    again = fairway("init")
    assert again.exit_code == 2
    assert "file-exists" in again.stderr


def test_an_empty_folder_gets_a_first_file_too(tmp_path: Path) -> None:
    assert "echo hello" in first_file(tmp_path)


@pytest.mark.parametrize(
    ("text", "value"), [("90", 90), ("90s", 90), ("5m", 300), ("1h30m", 5400), ("2d", 172800)]
)
def test_durations_are_read(text: str, value: float) -> None:
    assert seconds(text) == value


@pytest.mark.parametrize("text", ["", "x", "5 m", "-1", "1m1h"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no duration"):
        seconds(text)


def test_durations_and_sizes_are_short() -> None:
    assert [span(n) for n in (0.04, 9.94, 75, 3780, 90061)] == [
        "0.0s",
        "9.9s",
        "1m15s",
        "1h3m",
        "1d1h",
    ]
    assert [size(n) for n in (0, 1023, 1536, 5 << 30)] == ["0 B", "1023 B", "1.5 KiB", "5.0 GiB"]

"""The command line as shells, scripts and people use it, against a running system."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from served import Served

pytestmark = pytest.mark.client

_BASH = """
eval "$(fairway completion bash)"
COMP_WORDS=(fairway get rep) COMP_CWORD=2
_fairway_completion fairway
printf '%s\\n' "${COMPREPLY[@]}"
"""
_ZSH = """
autoload -Uz compinit; compinit -u -d "$HOME/zcompdump"
eval "$(fairway completion zsh)"
print -r -- "$_comps[fairway]"
"""
_FISH = 'fairway completion fish | source; complete -C "fairway get rep"'


@pytest.fixture
def signed_in(served: Served) -> Iterator[Served]:
    programs = Path(sys.executable).parent
    served.environment["PATH"] = f"{programs}:{served.environment['PATH']}"
    with served.running() as url:
        login = served.fairway("login", url, "--no-docker", data=served.token + "\n")
        assert login.returncode == 0, login.stderr
        assert served.fairway("repo", "create", "tide/app").returncode == 0
        yield served


def test_every_exit_code_means_what_the_help_says(signed_in: Served) -> None:
    cases: list[tuple[int, tuple[str, ...]]] = [
        (0, ("get", "repos")),
        (2, ("get", "nothing")),
        (2, ("bogus",)),
        (2, ("get", "repos", "-o", "bogus")),
        (2, ("repo", "delete", "tide/app")),  # nobody is here to ask
        (5, ("describe", "build", "1", "-R", "tide/app")),
        (5, ("get", "builds", "-R", "no/such")),
        (124, ("get", "events", "-w", "--timeout", "1")),
    ]
    found = [(signed_in.fairway(*words).returncode, words) for _code, words in cases]
    assert found == cases
    bad = signed_in.run("fairway", "get", "repos", FAIRWAY_TOKEN="fwy_none")
    assert (bad.returncode, "next:" in bad.stderr, bad.stdout) == (4, True, "")
    away = signed_in.run("fairway", "get", "repos", FAIRWAY_URL="http://127.0.0.1:1")
    assert (away.returncode, "next:" in away.stderr, away.stdout) == (2, True, "")


def test_an_interrupted_command_ends_with_130(signed_in: Served) -> None:
    child = subprocess.Popen(
        [sys.executable, "-m", "fairway", "get", "events", "-w", "-o", "jsonl"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=signed_in.environment,
    )
    assert child.stdout is not None
    assert signed_in.fairway("repo", "create", "tide/lib").returncode == 0
    signed_in.fairway("repo", "delete", "tide/lib", "--yes")
    assert signed_in.run("git", "init", "-q", "w").returncode == 0
    named = ("-c", "user.name=A", "-c", "user.email=a@example.com")
    signed_in.run("git", "-C", "w", *named, "commit", "-q", "--allow-empty", "-m", "x")
    push = ("push", "-q", f"http://127.0.0.1:{signed_in.port}/tide/app.git", "HEAD:main")
    assert signed_in.run("git", "-C", "w", *push).returncode == 0
    assert json.loads(child.stdout.readline())["kind"]  # it follows
    child.send_signal(signal.SIGINT)
    _out, said = child.communicate(timeout=90)
    assert (child.returncode, said.decode().strip().endswith("interrupted")) == (130, True)


def test_data_is_on_stdout_with_its_schema_and_the_rest_on_stderr(signed_in: Served) -> None:
    def out(*words: str) -> str:
        return signed_in.fairway("get", "repos", *words).stdout

    assert json.loads(out("-o", "json"))["schema"] == "fairway.repos/1"
    assert json.loads(out("--json")) == json.loads(out("-o", "json"))
    assert out("-o", "yaml").startswith("schema: fairway.repos/1\n")
    assert out("-o", "name") == "tide/app\n"
    assert [json.loads(line)["slug"] for line in out("-o", "jsonl").splitlines()] == ["tide/app"]
    assert "CLONE" in out("-o", "wide")
    assert "CLONE" not in out()
    none = signed_in.fairway("get", "builds")
    assert (none.stdout, none.stderr) == ("", "no builds\n")


def test_colours_are_for_terminals_and_for_those_who_force_them(signed_in: Served) -> None:
    words = ("fairway", "get", "parked", "--server", "http://127.0.0.1:1")
    assert "\x1b[" not in signed_in.run(*words).stderr
    assert "\x1b[" in signed_in.run(*words, CLICOLOR_FORCE="1").stderr
    assert "\x1b[" not in signed_in.run(*words, NO_COLOR="1").stderr
    assert "\x1b[" not in signed_in.run(*words, CLICOLOR_FORCE="0").stderr


def test_the_repository_is_that_of_the_folder_s_remote(signed_in: Served) -> None:
    url = f"http://127.0.0.1:{signed_in.port}/tide/app.git"
    assert signed_in.run("git", "init", "-q", ".").returncode == 0
    assert signed_in.fairway("wait", "last").returncode != 0
    assert signed_in.run("git", "remote", "add", "origin", url).returncode == 0
    done = signed_in.fairway("wait", "last")
    assert (done.returncode, "tide/app has no build yet" in done.stderr) == (5, True)


@pytest.mark.parametrize(
    ("shell", "script", "said"),
    [
        ("bash", _BASH, "repos\n"),
        ("zsh", _ZSH, "_fairway_completion\n"),
        ("fish", _FISH, "repos\n"),
    ],
)
def test_shells_complete(served: Served, shell: str, script: str, said: str) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not here")
    served.environment["PATH"] = f"{Path(sys.executable).parent}:{served.environment['PATH']}"
    done = served.run(shell, "-c", script)
    assert done.stdout == said, done.stderr


def test_powershell_s_words_complete(served: Served) -> None:
    words = {"_FAIRWAY_COMPLETE": "powershell_complete", "COMP_CWORD": "rep"}
    done = served.run(
        str(Path(sys.executable).parent / "fairway"), COMP_WORDS="fairway get rep", **words
    )
    assert done.stdout == "repos\n", done.stderr
    script = served.fairway("completion", "powershell").stdout
    assert script.startswith("Register-ArgumentCompleter -Native -CommandName fairway")

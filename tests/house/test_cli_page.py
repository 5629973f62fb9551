"""docs/reference/cli.md and the table of commands are what the commands say."""

import importlib
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import click
import pytest

from fairway.cli.main import COMMANDS, cli

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def clipage(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.setattr(sys, "path", [str(ROOT / "scripts"), *sys.path])
    return importlib.import_module("fairwaydev.clipage")


def test_the_committed_page_is_current(clipage: ModuleType) -> None:
    assert clipage.PAGE.read_text() == clipage.page(), "run scripts/gen-cli"


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_is_there_and_has_a_help(name: str) -> None:
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    assert command.help
    assert COMMANDS[name].help.endswith(".")


def test_the_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; from fairway.cli.main import run; run(['--help']);"
        "bad = {'httpx', 'rich', 'msgspec', 'yaml', 'litestar', 'sqlalchemy', 'asyncio',"
        " 'importlib.metadata'} & set(sys.modules); sys.exit(repr(bad) if bad else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_command_that_asks_a_server_imports_no_other_command_line() -> None:
    code = (
        "import sys, fairway.client.http; fairway.client.http.Api('http://127.0.0.1:1', '');"
        " assert 'httpx' in sys.modules;"
        " bad = {'rich', 'pygments'} & set(sys.modules); sys.exit(repr(bad) if bad else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr

"""`fairway completion SHELL`: bash, zsh, fish, powershell."""

from __future__ import annotations

import os
from typing import Final

import click
from click.shell_completion import (
    CompletionItem,
    ShellComplete,
    add_completion_class,
    get_completion_class,
    split_arg_string,
)

from fairway.cli import output

_POWERSHELL: Final = """\
Register-ArgumentCompleter -Native -CommandName %(prog_name)s -ScriptBlock {
  param($word, $tree, $cursor)
  $env:%(complete_var)s = "powershell_complete"
  $env:COMP_WORDS = $tree.ToString()
  $env:COMP_CWORD = $word
  %(prog_name)s | ForEach-Object {
    [System.Management.Automation.CompletionResult]::new($_, $_, "ParameterValue", $_)
  }
  Remove-Item Env:%(complete_var)s, Env:COMP_WORDS, Env:COMP_CWORD
}
"""
_HOW: Final = {
    "bash": 'add to ~/.bashrc:  eval "$(fairway completion bash)"',
    "zsh": 'add to ~/.zshrc:  eval "$(fairway completion zsh)"',
    "fish": "fairway completion fish > ~/.config/fish/completions/fairway.fish",
    "powershell": "add to $PROFILE:  fairway completion powershell | Out-String | iex",
}


@click.command("completion")
@click.argument("shell", type=click.Choice(sorted(_HOW)))
def completion(shell: str) -> None:
    """Print the completion script of a SHELL."""
    output.emit(source(shell))
    if output.is_terminal():
        output.say(_HOW[shell])


class PowerShell(ShellComplete):
    """What click lacks."""

    name = "powershell"
    source_template = _POWERSHELL

    def get_completion_args(self) -> tuple[list[str], str]:
        """The words before the cursor, and the one at it."""
        line = _variable("COMP_WORDS")
        incomplete = _variable("COMP_CWORD")
        words = split_arg_string(line)[1:]
        if incomplete and words and words[-1] == incomplete:
            words.pop()
        return words, incomplete

    def format_completion(self, item: CompletionItem) -> str:
        """One a line."""
        return str(item.value)


def _variable(name: str) -> str:
    return os.environ.get(name, "")  # noqa: TID251 the shell's own protocol


def register() -> None:
    """Tell click of the shell that it lacks."""
    add_completion_class(PowerShell)


def source(shell: str) -> str:
    """The script."""
    from fairway.cli.main import cli

    register()
    found = get_completion_class(shell)
    assert found is not None  # noqa: S101 the choice names only shells that there are
    return found(cli, {}, "fairway", "_FAIRWAY_COMPLETE").source()

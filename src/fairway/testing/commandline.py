"""The command line in one process with the API that it speaks to: for tests."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import click
from click.testing import CliRunner, Result

from fairway.cli import main
from fairway.testing.apiworld import ApiWorld
from fairway.testing.asgi import LoopThread


@dataclass
class Line:
    """Runs command lines as ada, an admin."""

    world: ApiWorld
    thread: LoopThread
    folder: Path

    def __call__(self, *words: str, data: str | bytes | None = None) -> Result:
        """Run one; the result has the exit code that the program would have."""

        @click.command(context_settings={"ignore_unknown_options": True, "help_option_names": []})
        @click.argument("words", nargs=-1, type=click.UNPROCESSED)
        @click.pass_context
        def program(ctx: click.Context, words: tuple[str, ...]) -> None:
            ctx.exit(main.run(["--config", str(self.folder / "config"), *words]))

        return CliRunner().invoke(program, ["--", *words], input=data)

    def ok(self, *words: str, data: str | bytes | None = None) -> str:
        """Run one that must succeed. Returns its stdout."""
        result = self(*words, data=data)
        if result.exit_code != 0:
            raise AssertionError(f"fairway {' '.join(words)}: {result.exit_code}\n{result.output}")
        return result.stdout

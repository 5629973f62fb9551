"""What a demo prints: narration, a line for each step that ends, tables. Recorded as it goes."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.status import Status
from rich.table import Table

WIDTH = 100
MARKS = {
    "passed": "[green]✓[/]",
    "failed": "[red]✗[/]",
    "errored": "[red]![/]",
    "cancelled": "[magenta]-[/]",
    "skipped": "[bright_black]-[/]",
}


class Screen:
    """A console that keeps what it shows."""

    def __init__(self) -> None:
        self.console = Console(record=True, highlight=False, soft_wrap=False)
        if not self.console.is_terminal:
            self.console = Console(record=True, highlight=False, width=WIDTH)
        self._began = time.monotonic()
        self._status: Status | None = None
        self.chapters: dict[str, float] = {}  # title -> seconds

    @contextmanager
    def chapter(self, title: str) -> Iterator[None]:
        """A part of the story; how long it took is said at its end."""
        began = time.monotonic()
        self.console.print()
        self.console.rule(f"[bold]{escape(title)}[/]", align="left", style="cyan")
        yield
        self.chapters[title] = round(time.monotonic() - began, 1)
        self.console.print(f"  [bright_black]{self.chapters[title]:.1f} s[/]")

    def say(self, text: str) -> None:
        """Narration. May hold markup."""
        self.console.print(text)

    def note(self, text: str) -> None:
        """A detail."""
        self.console.print(f"  [bright_black]{escape(text)}[/]")

    def command(self, words: str) -> None:
        """A command that a person would type."""
        self.console.print(f"[bold blue]$[/] [bold]{escape(words)}[/]")

    def plain(self, text: str) -> str:
        """A text that is no markup."""
        return escape(text)

    def quote(self, text: str, *, most: int = 12) -> None:
        """What a command printed, its first lines."""
        lines = text.splitlines()
        for line in lines[:most]:
            self.console.print(f"    {escape(line)}", style="bright_black", overflow="ellipsis")
        if len(lines) > most:
            self.note(f"  and {len(lines) - most} lines more")

    def mark(self, status: str) -> str:
        """A sign for a status, as markup."""
        return MARKS.get(status, "[yellow].[/]")

    def table(self, table: Table) -> None:
        """A table."""
        self.console.print(table)

    def seconds(self) -> float:
        """Since the demo began."""
        return time.monotonic() - self._began

    @contextmanager
    def waiting(self, text: str) -> Iterator[None]:
        """A line at the bottom that says what is going on; off a terminal nothing."""
        if not self.console.is_terminal:
            yield
            return
        with self.console.status(escape(text)) as status:
            self._status = status
            try:
                yield
            finally:
                self._status = None

    def now(self, text: str) -> None:
        """Change that line."""
        if self._status is not None:
            self._status.update(escape(text[: self.console.width - 4]))

    def save(self, folder: Path, command: str, picture: Path | None) -> None:
        """Write what was shown: as text, and as a picture."""
        folder.mkdir(parents=True, exist_ok=True)
        text = self.console.export_text(clear=False)
        (folder / "transcript.txt").write_text(text, encoding="utf-8")
        svg = self.console.export_svg(title=command, clear=False)
        svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)  # fonts from elsewhere
        (folder / "demo.svg").write_text(svg, encoding="utf-8")
        if picture is not None:
            picture.parent.mkdir(parents=True, exist_ok=True)
            picture.write_text(svg, encoding="utf-8")

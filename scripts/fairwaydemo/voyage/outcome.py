"""What became of a build, and of all of them in a table."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

from rich.table import Table


@dataclass
class Outcome:
    """What became of one build."""

    service: str
    number: int
    event: str
    status: str
    commit: str
    seconds: float
    passed: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    carried: list[str] = field(default_factory=list)
    images: list[dict[str, Any]] = field(default_factory=list)
    companions: list[dict[str, str]] = field(default_factory=list)
    notification: dict[str, Any] = field(default_factory=dict)
    what: str = ""

    @property
    def image(self) -> dict[str, Any]:
        """The image that a release would run."""
        return next((one for one in self.images if not one["target"]), {})

    def plain(self) -> dict[str, Any]:
        """For the summary."""
        return asdict(self)


def table(outcomes: Iterable[Outcome]) -> Table:
    """Every build that was followed: its commit, its image, how long it took."""
    made = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for column in ("COMMIT", "BUILD", "WHAT", "STATUS", "TIME", "DIGEST", "CANDIDATE"):
        made.add_column(column, justify="right" if column == "TIME" else "left", no_wrap=True)
    colours = {"passed": "green", "failed": "red"}
    for one in outcomes:
        colour = colours.get(one.status, "yellow")
        made.add_row(
            one.commit[:8],
            f"{one.service}#{one.number}",
            one.what,
            f"[{colour}]{one.status}[/]",
            f"{one.seconds:.1f} s",
            one.image.get("digest", "")[7:19],
            one.image.get("candidate", ""),
        )
    return made

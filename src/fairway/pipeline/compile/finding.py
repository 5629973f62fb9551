"""What compiling has to say about a file: errors and warnings, each with its place."""

from __future__ import annotations

from collections import Counter
from enum import StrEnum

from msgspec import Struct

from fairway.kit.yaml import Node
from fairway.model.errors import BadFile


class Scope(StrEnum):
    """Whom an error stops."""

    FILE = "file"  # the whole build: no stage is made (Drone's server refuses)
    TYPE = "type"  # every pipeline of this type (Drone's runner refuses to read the file)
    STAGE = "stage"  # this pipeline alone (Drone's runner refuses the stage)


class Finding(Struct, frozen=True, kw_only=True):
    """One remark. Lines and columns count from 1; 0 is unknown. `path` is the key's path."""

    level: str  # error | warning
    code: str
    message: str
    file: str = ""
    line: int = 0
    column: int = 0
    path: str = ""
    remedy: str = ""
    scope: Scope = Scope.FILE
    pipeline: str = ""

    @property
    def where(self) -> str:
        """file:line:column."""
        return f"{self.file}:{self.line}:{self.column}"

    def error(self) -> BadFile:
        """The same as an exception."""
        path = f"{self.path}: " if self.path else ""
        return BadFile(
            f"{path}{self.message}", code=self.code, where=self.where, remedy=self.remedy
        )


class Findings:
    """Collects remarks while a file is read, so that `lint` can show all of them at once."""

    def __init__(self, file: str, *, scope: Scope = Scope.FILE, pipeline: str = "") -> None:
        self.file = file
        self.scope = scope
        self.pipeline = pipeline
        self.all: list[Finding] = []
        self.counts: Counter[str] = Counter()

    def within(self, scope: Scope, pipeline: str = "") -> Findings:
        """The same collection for another scope or pipeline."""
        view = Findings(self.file, scope=scope, pipeline=pipeline or self.pipeline)
        view.all = self.all
        view.counts = self.counts
        return view

    def error(
        self, message: str, node: Node, *, code: str, path: str = "", remedy: str = ""
    ) -> None:
        """Note an error at a node."""
        self._add("error", message, node, code=code, path=path, remedy=remedy)

    def warn(
        self, message: str, node: Node, *, code: str, path: str = "", remedy: str = ""
    ) -> None:
        """Note a likely mistake at a node."""
        self._add("warning", message, node, code=code, path=path, remedy=remedy)

    def _add(
        self, level: str, message: str, node: Node, *, code: str, path: str, remedy: str
    ) -> None:
        self.all.append(
            Finding(
                level=level,
                code=code,
                message=message,
                file=self.file,
                line=node.line,
                column=node.column,
                path=path,
                remedy=remedy,
                scope=self.scope,
                pipeline=self.pipeline,
            )
        )

    def caught(self, error: BadFile) -> None:
        """Note an error that was raised with a place in its `where`."""
        parts = error.where.rsplit(":", 2)
        line, column = (parts[1], parts[2]) if len(parts) == 3 else ("0", "0")
        known = line.isdecimal() and column.isdecimal()
        self.all.append(
            Finding(
                level="error",
                code=error.code,
                message=error.message,
                file=self.file,
                line=int(line) if known else 0,
                column=int(column) if known else 0,
                remedy=error.remedy,
                scope=self.scope,
                pipeline=self.pipeline,
            )
        )

    @property
    def errors(self) -> list[Finding]:
        """The errors among them."""
        return [finding for finding in self.all if finding.level == "error"]

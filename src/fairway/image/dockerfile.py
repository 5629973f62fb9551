"""As much of the Dockerfile language as is needed to know and to change which images it names.

Everything else is left to the builder, byte for byte. Images are named by `FROM`, by
`COPY --from=` and by `RUN --mount=...,from=`; `FROM` may use `ARG`s that stand before the first
stage.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from msgspec import Struct, field

from fairway.model.errors import BadFile

_DIRECTIVE: Final = re.compile(r"#\s*([a-zA-Z]+)\s*=\s*(.+?)\s*$")
_WORD: Final = re.compile(r"\s*([a-zA-Z]+)(\s|$)")
_HEREDOC: Final = re.compile(r"<<(-?)([\"']?)([a-zA-Z_][\w.]*)\2")
_VARIABLE: Final = re.compile(r"\\(.)|\$\{(\w+)(?::?([-+])([^}]*))?\}|\$(\w+)")
_FLAG: Final = re.compile(r"--[a-z-]+(?:=\S*)?")
_FROM_FLAG: Final = re.compile(r"(?<=--from=)(\"?)([^\s\"]+)\1")
_MOUNT_FROM: Final = re.compile(r"(--mount=(?:[^\s,]+,)*?from=)([^\s,]+)")
_HEREDOC_WORDS: Final = frozenset({"RUN", "COPY", "ADD"})


class Instruction(Struct):
    """One instruction: where it stands, and its text with continued lines joined."""

    word: str
    text: str  # what follows the word
    first: int  # index of its first line
    last: int  # index of its last line, here-documents not counted


class Stage(Struct):
    """One stage of a build."""

    number: int
    name: str
    base: str  # the image or stage, variables put in
    line: int  # 1-based
    uses: list[tuple[str, int]] = field(default_factory=list)  # (image or stage, line)


class ImageUse(Struct, frozen=True):
    """An image that the file names, and the line that does."""

    name: str
    line: int


def expand(text: str, values: Mapping[str, str]) -> str:
    """Put variables in: `$X`, `${X}`, `${X:-y}`, `${X:+y}`; a backslash keeps what follows."""

    def value(match: re.Match[str]) -> str:
        escaped, name, how, other, plain = match.groups()
        if escaped is not None:
            return str(escaped)
        found = values.get(name or plain, "")
        if how == "-":
            return found or str(other)
        if how == "+":
            return str(other) if found else ""
        return found

    return _VARIABLE.sub(value, text)


def _unquoted(text: str) -> str:
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'" else text


class Dockerfile:
    """A Dockerfile that has been read. Raises `BadFile` (`dockerfile-malformed`)."""

    def __init__(self, text: str, *, path: str, build_args: Mapping[str, str]) -> None:
        self.path = path
        self.lines = text.lstrip("\ufeff").splitlines()
        self._escape = "\\"
        self.syntax = ""
        self._directives()
        self.instructions = list(self._read())
        self._arguments = dict(build_args)
        self.stages = self._stages(build_args)

    def _directives(self) -> None:
        for line in self.lines:
            match = _DIRECTIVE.match(line.strip())
            if match is None:
                return
            name, text = match[1].lower(), match[2]
            if name == "escape" and text in ("\\", "`"):
                self._escape = text
            elif name == "syntax":
                self.syntax = text

    def _read(self) -> Iterator[Instruction]:
        at = 0
        while at < len(self.lines):
            line = self.lines[at]
            if not line.strip() or line.lstrip().startswith("#"):
                at += 1
                continue
            first = last = at
            parts: list[str] = []
            while at < len(self.lines):
                line = self.lines[at].rstrip()
                at += 1
                if parts and (not line or line.lstrip().startswith("#")):
                    continue  # comments and empty lines may stand between continued lines
                last = at - 1
                goes_on = line.endswith(self._escape)
                parts.append(line[:-1] if goes_on else line)
                if not goes_on:
                    break
            found = self._instruction("".join(parts), first, last)
            yield found
            at = self._after_heredocs(found, at)

    def _instruction(self, text: str, first: int, last: int) -> Instruction:
        match = _WORD.match(text)
        if match is None:
            raise BadFile(
                f"{text.strip()[:60]!r} is no instruction",
                code="dockerfile-malformed",
                where=f"{self.path}:{first + 1}",
            )
        return Instruction(match[1].upper(), text[match.end(1) :].strip(), first, last)

    def _after_heredocs(self, found: Instruction, at: int) -> int:
        if found.word not in _HEREDOC_WORDS:
            return at
        for dash, _quote, name in _HEREDOC.findall(found.text):
            for number in range(at, len(self.lines)):
                line = self.lines[number]
                if (line.lstrip("\t") if dash else line) == name:
                    at = number + 1
                    break
        return at

    def _stages(self, build_args: Mapping[str, str]) -> list[Stage]:
        values: dict[str, str] = {}
        stages: list[Stage] = []
        for found in self.instructions:
            line = found.first + 1
            if found.word == "ARG" and not stages:
                name, _, default = found.text.partition("=")
                values[name] = build_args.get(name, expand(_unquoted(default), values))
            elif found.word == "FROM":
                stages.append(self._stage(found, len(stages), values))
            elif stages and found.word in ("COPY", "ADD"):
                flags = " ".join(self._flags(found.text))
                stages[-1].uses += [(match[1], line) for match in _FROM_FLAG.findall(flags)]
            elif stages and found.word == "RUN":
                flags = " ".join(self._flags(found.text))
                stages[-1].uses += [(match[1], line) for match in _MOUNT_FROM.findall(flags)]
        if not stages:
            raise BadFile("it has no FROM", code="dockerfile-malformed", where=f"{self.path}:1")
        return stages

    @staticmethod
    def _flags(text: str) -> list[str]:
        flags: list[str] = []
        for word in text.split():
            if not _FLAG.fullmatch(word):
                break
            flags.append(word)
        return flags

    def _stage(self, found: Instruction, number: int, values: Mapping[str, str]) -> Stage:
        words = found.text.split()
        while words and words[0].startswith("--"):
            words.pop(0)
        good = len(words) == 1 or (len(words) == 3 and words[1].upper() == "AS")
        if not good:
            raise BadFile(
                f"FROM wants an image, and perhaps `AS name`: {found.text!r}",
                code="dockerfile-malformed",
                where=f"{self.path}:{found.first + 1}",
            )
        base = expand(_unquoted(words[0]), values)
        if not base:
            raise BadFile(
                f"FROM {words[0]} names no image: the ARG has no value",
                code="dockerfile-malformed",
                where=f"{self.path}:{found.first + 1}",
                remedy="give the ARG a default, or a build argument",
            )
        return Stage(number, words[2].lower() if len(words) == 3 else "", base, found.first + 1)

    def _stage_of(self, name: str, before: int) -> int | None:
        if name.isdigit() and int(name) < before:
            return int(name)
        for stage in reversed(self.stages[:before]):
            if stage.name and stage.name == name.lower():
                return stage.number
        return None

    def _wanted(self, target: str) -> int:
        if not target:
            return len(self.stages) - 1
        found = self._stage_of(target, len(self.stages))
        if found is None:
            names = (
                ", ".join(stage.name for stage in self.stages if stage.name) or "none has a name"
            )
            raise BadFile(
                f"there is no stage {target!r}; the stages are: {names}",
                code="dockerfile-no-target",
                where=self.path,
            )
        return found

    def images(self, target: str) -> list[ImageUse]:
        """Every image that building `target` ("" is the last stage) needs, each once.

        Raises `BadFile` (`dockerfile-no-target`).
        """
        todo, seen, found = [self._wanted(target)], set[int](), dict[str, ImageUse]()
        while todo:
            number = todo.pop()
            if number in seen:
                continue
            seen.add(number)
            stage = self.stages[number]
            for name, line in [(stage.base, stage.line), *stage.uses]:
                other = self._stage_of(name, number)
                if other is not None:
                    todo.append(other)
                elif name != "scratch":
                    found.setdefault(name, ImageUse(name, line))
        return sorted(found.values(), key=lambda use: use.line)

    def rewritten(
        self,
        names: Mapping[str, str],
        *,
        run_flags: str = "",
        arguments: Sequence[str] = (),
        keep_syntax: bool = True,
    ) -> str:
        """The text with images replaced by `names`.

        `run_flags` are put behind every `RUN`, `ARG`s of `arguments` behind every `FROM`.
        """
        lines = list(self.lines)
        if not keep_syntax and self.syntax:
            lines = [self._without_syntax(line) for line in lines]
        stage = -1
        for found in self.instructions:
            if found.word == "FROM":
                stage += 1
                self._change_from(lines, found, self.stages[stage], names)
                lines[found.last] += "".join(f"\nARG {text}" for text in arguments)
            elif found.word in ("COPY", "ADD"):
                self._change(lines, found, names, stage)
            elif found.word == "RUN":
                self._change(lines, found, names, stage)
                if run_flags:
                    first = lines[found.first]
                    start = len(first) - len(first.lstrip()) + len("RUN")
                    lines[found.first] = f"{first[:start]} {run_flags}{first[start:]}"
        return "\n".join(lines) + "\n"

    @staticmethod
    def _without_syntax(line: str) -> str:
        match = _DIRECTIVE.match(line.strip())
        return "# " if match and match[1].lower() == "syntax" else line

    def _change_from(
        self, lines: list[str], found: Instruction, stage: Stage, names: Mapping[str, str]
    ) -> None:
        new = names.get(stage.base)
        if new is None or self._stage_of(stage.base, stage.number) is not None:
            return
        words = found.text.split()
        at = next(number for number, word in enumerate(words) if not word.startswith("--"))
        words[at] = new
        lines[found.first] = "FROM " + " ".join(words)
        for number in range(found.first + 1, found.last + 1):
            lines[number] = "#"

    def _change(
        self, lines: list[str], found: Instruction, names: Mapping[str, str], stage: int
    ) -> None:
        pattern = _MOUNT_FROM if found.word == "RUN" else _FROM_FLAG

        def put(match: re.Match[str]) -> str:
            before, name = match[1], match[2]
            if self._stage_of(name, stage) is not None or name not in names:
                return match[0]
            return before + names[name] + (before if before == '"' else "")

        for number in range(found.first, found.last + 1):
            if not lines[number].lstrip().startswith("#"):
                lines[number] = pattern.sub(put, lines[number])

"""scripts/gen-notice: native/NOTICE, the licences of every Go module that our programs link.

The texts come from the modules themselves, as Go downloaded and verified them. A licence that is
neither permissive nor MPL is refused, and so is a module that has none.
"""

from __future__ import annotations

import hashlib
import re
import subprocess
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from fairwaydev import go as golang
from fairwaydev.native import PROGRAMS, SOURCE, go_environment
from fairwaydev.say import Failed, say, stop

PAGE = SOURCE / "NOTICE"
_FORMAT = (
    "{{with .Module}}{{if not .Main}}{{.Path}} "
    "{{with .Replace}}{{.Version}}{{else}}{{.Version}}{{end}}\t{{.Dir}}{{end}}{{end}}"
)
_FILES = re.compile(r"(?i)^(un)?(licen[cs]e|copying|notice|patents|copyright)([-_.].*)?$")
_NOT_TEXT = (".go", ".py", ".sh", ".svg", ".png", ".tmpl", ".json", ".yml", ".yaml")

# What makes a text one of these licences; all of its words must be there. The first that fits.
_SIGNS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("Apache-2.0", ("apache license", "version 2.0")),
    ("MPL-2.0", ("mozilla public license", "2.0")),
    ("BSD-3-Clause", ("redistribution and use in source and binary forms", "neither the name")),
    ("BSD-3-Clause", ("redistribution and use in source and binary forms", "the names of its")),
    ("BSD-2-Clause", ("redistribution and use in source and binary forms",)),
    ("ISC", ("permission to use, copy, modify, and/or distribute this software",)),
    ("ISC", ("permission to use, copy, modify, and distribute this software for any purpose",)),
    ("MIT", ("permission is hereby granted, free of charge",)),
    ("MIT", ("released under the mit license",)),
    ("Unlicense", ("this is free and unencumbered software released into the public domain",)),
    ("CC0-1.0", ("cc0 1.0 universal",)),
    ("Zlib", ("this software is provided 'as-is'", "altered source versions")),
)
_REFUSED = (
    ("GPL", ("gnu general public license", "preamble")),
    ("LGPL", ("gnu lesser general public license", "0. ")),
    ("AGPL", ("gnu affero general public license",)),
    ("SSPL", ("server side public license",)),
    ("BUSL", ("business source license",)),
    ("Commons Clause", ("commons clause",)),
)


@dataclass(frozen=True)
class Module:
    """A module that is linked, and its licences' files."""

    name: str  # with its version
    texts: tuple[tuple[str, str], ...]  # file, text

    @property
    def licences(self) -> tuple[str, ...]:
        """Their names. Raises Failed for one that may not be linked."""
        found = {name for _, text in self.texts if (name := classify(self.name, text))}
        if not found:
            raise Failed(f"{self.name} has no licence that is known here")
        return tuple(sorted(found))


def classify(module: str, text: str) -> str:
    """The licence that a text is; "" for other texts. Raises Failed for a refused one."""
    words = " ".join(re.sub(r"[*#/>]+ ", " ", text).lower().split())
    for name, signs in _REFUSED:
        if all(sign in words for sign in signs) and "mozilla public license" not in words:
            raise Failed(f"{module} is under {name}, which may not be linked")
    return next((name for name, signs in _SIGNS if all(sign in words for sign in signs)), "")


def modules() -> list[Module]:
    """Every module with a package in one of the programs. Raises Failed."""
    go = golang.program()
    found: dict[str, str] = {}
    for program in PROGRAMS:
        words = [go, "-C", str(program.module), "list", "-deps", "-f", _FORMAT, program.package]
        done = subprocess.run(
            words, capture_output=True, text=True, check=False, env=go_environment()
        )
        if done.returncode:
            raise Failed(f"Go cannot list what {program.name} links:\n{done.stderr.strip()}")
        for line in filter(None, done.stdout.splitlines()):
            name, _, folder = line.partition("\t")
            found[name] = folder
    return [Module(name, _texts(Path(found[name]))) for name in sorted(found)]


def _texts(folder: Path) -> tuple[tuple[str, str], ...]:
    files = [
        path
        for path in sorted(folder.iterdir())
        if path.is_file() and _FILES.match(path.name) and path.suffix not in _NOT_TEXT
    ]
    return tuple((path.name, path.read_bytes().decode("utf-8", "replace")) for path in files)


def go_sums() -> str:
    """What the page was made from: tells without Go whether it is of these modules."""
    digest = hashlib.sha256()
    for program in PROGRAMS:
        digest.update((program.module / "go.sum").read_bytes())
    return digest.hexdigest()


def _split(text: str) -> tuple[str, str]:
    """The lines that say whose it is, and the text that many share."""
    lines = [line.rstrip() for line in text.replace("\r", "").replace("\f", "").splitlines()]
    whose = [line for line in lines if re.match(r"(?i)\W*(copyright\b|\(c\))", line.strip())]
    rest = "\n".join(line for line in lines if line not in whose)
    return "\n".join(line.strip() for line in whose), re.sub(r"\n{3,}", "\n\n", rest).strip("\n")


def page() -> str:
    """The page. Raises Failed."""
    linked = modules()
    shared: dict[str, list[tuple[str, str]]] = defaultdict(list)
    bodies: dict[str, str] = {}
    for module in linked:
        for file, text in module.texts:
            whose, body = _split(text)
            mark = " ".join(body.lower().split())
            bodies.setdefault(mark, body)
            shared[mark].append((f"{module.name} ({file})", whose))
    parts = [
        "Licences of the Go modules that Fairway's programs of native/ link.\n"
        f"Made by scripts/gen-notice from go.sum {go_sums()}; do not edit.\n",
        "\n".join(f"{module.name}  {', '.join(module.licences)}" for module in linked) + "\n",
    ]
    for mark in sorted(shared, key=lambda mark: shared[mark][0]):
        parts.append("=" * 80)
        for name, whose in shared[mark]:
            said = dict.fromkeys(line for line in whose.splitlines() if line)
            parts.append("\n".join([name, *(f"    {line}" for line in said)]))
        parts.append("\n" + bodies[mark] + "\n")
    return "\n".join(parts)


def main() -> None:
    """The command."""
    try:
        text = page()
    except Failed as error:
        stop(str(error))
    PAGE.write_text(text)
    say(f"written: {PAGE} ({len(text) // 1024} KiB)")


if __name__ == "__main__":
    main()

"""docs/reference/errors.md, made from `model/errors.py` and every `code="..."` in the source."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from fairwaydev.say import ROOT

PAGE = ROOT / "docs" / "reference" / "errors.md"
SOURCE = ROOT / "src" / "fairway"


@dataclass
class Kind:
    """A class of the tree."""

    name: str
    parent: str
    meaning: str
    values: dict[str, object]


@dataclass
class Code:
    """A code that is raised with a class, and where."""

    code: str
    kind: str
    files: set[str] = field(default_factory=set)


def kinds(path: Path = SOURCE / "model" / "errors.py") -> dict[str, Kind]:
    """The classes, in the order of the file."""
    found: dict[str, Kind] = {}
    for node in ast.parse(path.read_text()).body:
        if not isinstance(node, ast.ClassDef):
            continue
        parent = node.bases[0].id if node.bases and isinstance(node.bases[0], ast.Name) else ""
        meaning = (ast.get_docstring(node) or "").split("\n\n")[0].replace("\n", " ")
        values = dict(found[parent].values) if parent in found else {}
        values.update(_values(node))
        found[node.name] = Kind(node.name, parent, meaning, values)
    return found


def _values(node: ast.ClassDef) -> Iterator[tuple[str, object]]:
    for item in node.body:
        target = item.targets[0] if isinstance(item, ast.Assign) else getattr(item, "target", None)
        value = getattr(item, "value", None)
        if isinstance(target, ast.Name) and isinstance(value, ast.Constant):
            yield target.id, value.value


def codes(source: Path = SOURCE) -> list[Code]:
    """Every code given where an error is made."""
    known = set(kinds())
    found: dict[tuple[str, str], Code] = {}
    for path in sorted(source.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                kind = getattr(node.func, "id", getattr(node.func, "attr", ""))
                for code in _given(node):
                    shown = kind if kind in known else ""
                    entry = found.setdefault((code, shown), Code(code, shown))
                    entry.files.add(str(path.relative_to(source)))
    return [found[key] for key in sorted(found)]


def _given(call: ast.Call) -> Iterator[str]:
    for keyword in call.keywords:
        if keyword.arg == "code":
            for node in ast.walk(keyword.value):
                if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value:
                    yield node.value


def page() -> str:
    """The text of the page."""
    lines = [
        "# Errors",
        "",
        "Made by `scripts/gen-errors`; do not edit. A code is stable and never used again for",
        "something else. An error of the API is problem+json with `code`, `detail` and `remedy`;",
        "the command line prints the same and exits with the status given here.",
        "",
        "| kind | its own code | HTTP | exit | retry | meaning |",
        "|---|---|---|---|---|---|",
    ]
    for kind in kinds().values():
        value = kind.values
        again = "yes" if value.get("retriable") else "no"
        row = (kind.name, f"`{value['code']}`", value["status"], value["exit_code"], again)
        lines.append("| " + " | ".join(map(str, row)) + f" | {kind.meaning} |")
    lines += ["", "## Codes", "", "| code | kind | where |", "|---|---|---|"]
    for code in codes():
        where = ", ".join(f"`{name}`" for name in sorted(code.files))
        lines.append(f"| `{code.code}` | {code.kind or '(given on)'} | {where} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Write the page."""
    PAGE.write_text(page())
    print(PAGE.relative_to(ROOT))

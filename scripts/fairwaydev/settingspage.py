"""docs/reference/settings.md from src/fairway/settings.py: sections, keys, defaults, meanings."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
SOURCE: Final = ROOT / "src" / "fairway" / "settings.py"
PAGE: Final = ROOT / "docs" / "reference" / "settings.md"
_HEAD: Final = """\
# Settings

Generated from `src/fairway/settings.py` by `scripts/gen-settings`.

They come from, later ones winning: defaults, `fairway.toml` in the data directory (or the file that
`FAIRWAY_CONFIG` names), the environment as `FAIRWAY_<SECTION>__<KEY>`, and flags of the command
line. Unknown sections, keys and values are errors. Lists and tables in the environment are JSON:
`FAIRWAY_PIPELINE__IMAGES='{"python:*": "library/python:3.11"}'`.

The data directory itself is `--data`, else `FAIRWAY_DATA`, else `/var/lib/fairway` for root and
`~/.local/share/fairway` for others.
"""


def page() -> str:
    """The page's text."""
    text = SOURCE.read_text(encoding="utf-8")
    classes = {node.name: node for node in ast.parse(text).body if isinstance(node, ast.ClassDef)}
    lines = text.splitlines()
    parts = [_HEAD]
    top: list[tuple[ast.AnnAssign, str]] = []
    sections: list[tuple[ast.AnnAssign, str]] = []
    for field in _fields(classes["Settings"]):
        kind = ast.unparse(field.annotation)
        (sections if kind in classes else top).append((field, kind))
    rows = [_row(field, lines) for field, _ in top if _name(field) != "data"]
    parts.append("## At the top\n\n" + _table(rows))
    for field, kind in sections:
        words = ast.get_docstring(classes[kind]) or ""
        rows = [_row(one, lines) for one in _fields(classes[kind])]
        parts.append(f"## [{_name(field)}]\n\n{words}\n\n" + _table(rows))
    return "\n".join(parts)


def _fields(node: ast.ClassDef) -> list[ast.AnnAssign]:
    return [item for item in node.body if isinstance(item, ast.AnnAssign)]


def _name(field: ast.AnnAssign) -> str:
    return ast.unparse(field.target)


def _row(field: ast.AnnAssign, lines: list[str]) -> tuple[str, str, str, str]:
    value = ast.unparse(field.value) if field.value else ""
    default = {"field(default_factory=dict)": "{}", "()": "[]"}.get(value, value)
    comment = lines[(field.end_lineno or field.lineno) - 1].partition("  # ")[2]
    return (f"`{_name(field)}`", f"`{ast.unparse(field.annotation)}`", f"`{default}`", comment)


def _table(rows: list[tuple[str, str, str, str]]) -> str:
    head = "| key | type | default | meaning |\n| --- | --- | --- | --- |\n"
    return head + "".join(f"| {' | '.join(row)} |\n" for row in rows)


def main() -> None:
    """Write it."""
    PAGE.write_text(page(), encoding="utf-8")
    print(f"written: {PAGE.relative_to(ROOT)}")

"""Rules that matter are executable: sizes, links, words that must not appear."""

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FUNCTION_LINES = 40
FILE_LINES = 400
SIZED = ("src", "tests", "bench", "scripts")
# Data that is one table, or comes from a tool; each with its reason.
LONG_FILES = {
    "src/fairway/store/schema.py": "all tables in one place: the shape of the store is one page",
}


def tracked(*patterns: str) -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", *patterns],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return [ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file()]


def sources() -> list[Path]:
    """Python files that people write: migrations come from a tool, and are never read again."""
    return [
        path
        for path in tracked("*.py")
        if path.relative_to(ROOT).parts[0] in SIZED and "versions" not in path.parts
    ]


def functions(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def length(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines from `def` on, without the docstring and without nested functions' lines."""
    lines = (node.end_lineno or node.lineno) - node.lineno + 1
    first = node.body[0]
    if ast.get_docstring(node, clean=False) is not None:
        lines -= (first.end_lineno or first.lineno) - first.lineno + 1
    inner = (child for child in ast.walk(node) if child is not node)
    for child in inner:
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            lines -= (child.end_lineno or child.lineno) - child.lineno + 1
    return lines


def test_no_function_is_longer_than_forty_lines() -> None:
    long = [
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}: {length(node)} lines"
        for path in sources()
        for node in functions(ast.parse(path.read_text()))
        if length(node) > FUNCTION_LINES
    ]
    assert not long, "\n" + "\n".join(long)


def test_no_file_is_longer_than_four_hundred_lines() -> None:
    long = []
    for path in sources():
        name, lines = str(path.relative_to(ROOT)), len(path.read_text().splitlines())
        if lines > FILE_LINES and name not in LONG_FILES:
            long.append(f"{name}: {lines} lines")
    assert not long, "\n" + "\n".join(long)


def test_every_public_module_class_and_function_of_a_contract_says_what_it_is() -> None:
    silent = [
        str(path.relative_to(ROOT))
        for path in tracked("src/*.py")
        if path.read_text().strip() and ast.get_docstring(ast.parse(path.read_text())) is None
    ]
    assert not silent, "\n" + "\n".join(silent)


LINK = re.compile(r"\[[^]]*\]\(([^)#\s]+)(?:#[^)\s]*)?\)")


def test_links_between_our_pages_lead_somewhere() -> None:
    dead = []
    for page in tracked("*.md"):
        for target in LINK.findall(re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)):
            if "://" in target or target.startswith("mailto:"):
                continue
            if not (page.parent / target).exists():
                dead.append(f"{page.relative_to(ROOT)}: {target}")
    assert not dead, "\n" + "\n".join(dead)


@pytest.mark.parametrize("kind", ["tutorial", "how-to", "reference", "explanation", "decisions"])
def test_every_page_of_docs_is_in_its_index(kind: str) -> None:
    folder = ROOT / "docs" / kind
    index = (folder / "README.md").read_text()
    pages = [page.name for page in folder.glob("*.md") if page.name != "README.md"]
    assert not [name for name in pages if f"({name})" not in index]


# Written in pieces, so that this file does not contain what it forbids.
FORBIDDEN = [
    "/work" + "/main",
    "/work" + "/shared",
    "/tmp" + "/fw",
    "/tmp" + "/boot",
    "files.python" + "hosted.org",
    "pypi" + ".org",
    "registry.npm" + "js.org",
    "proxy.golang" + ".org",
    "crates" + ".io",
    "deb.debian" + ".org",
]


def test_no_tracked_file_names_a_workplace_path_or_a_package_registry() -> None:
    found = []
    for path in tracked():
        if path.suffix in {".png", ".gz", ".tar", ".pack", ".bin"}:
            continue
        text = path.read_bytes().decode("utf-8", "replace").lower()
        found += [f"{path.relative_to(ROOT)}: {word}" for word in FORBIDDEN if word in text]
    assert not found, "\n" + "\n".join(found)


def test_scripts_can_be_run() -> None:
    scripts = [path for path in tracked("scripts/*", ".ci/run") if path.parent.name != "fairwaydev"]
    for path in scripts:
        if path.suffix == "":
            assert path.stat().st_mode & 0o111, f"{path.relative_to(ROOT)} is not executable"

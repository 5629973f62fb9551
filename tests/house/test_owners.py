"""Each noun of the store has one owner: only that package calls what writes it."""

import ast
from functools import cache
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[2] / "src" / "fairway"
# Ground that everyone writes through by design: events, leases, the audit of a change.
SHARED = {"outbox", "lease", "audit", "database", "schema", "rows"}
OWNERS: dict[str, set[str]] = {
    "builds": {"pipeline"},
    "old_builds": {"pipeline"},
    "stages": {"pipeline"},
    "steps": {"pipeline"},
    "logs": {"pipeline"},
    "reports": {"pipeline"},
    "runners": {"pipeline"},
    "secrets": {"pipeline"},
    "refs": {"source"},
    "quiet_commits": {"source"},
    "change_requests": {"source"},
    "repositories": {"source"},
    "manifests": {"image"},
    "registry": {"image"},
    "registry_gc": {"image"},
    "organisations": {"access"},
    "roles": {"access"},
    "tokens": {"access"},
    "users": {"access"},
    "teams": {"access"},
    "delivery_rights": {"access"},
    "channels": {"notify"},
    "messages": {"notify"},
    "settings": {"pipeline", "ports", "boot"},
    "dump": {"boot"},
    "sealed": {"access"},  # a new key seals every secret again, whoever it belongs to
    "crons": {"source"},
    "images": {"image"},
    "scans": {"image"},
    "releases": {"release"},
    "promotions": {"release"},
    "approvals": {"release"},
    "idempotency": {"api"},
}
# Written by another than the owner, each with its reason.
ALSO = {
    # acts of an administrator, in which no chapter takes part
    ("users", "api"): {"create", "set_password"},
    ("organisations", "api"): {"create"},
    ("runners", "api"): {"pause", "forget"},
    ("users", "boot"): {"create"},  # the first start makes the first administrator
    ("tokens", "pipeline"): {"revoke_build"},  # a build's own token ends with the build
    ("repositories", "pipeline"): {"seal"},  # the key that signs pipelines is made with them
    ("organisations", "source"): {"create"},  # the first push may name a new organisation
}
VERBS = {"insert", "update", "delete", "upsert"}


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def is_writing(node: ast.AST) -> bool:
    """`insert(table)`, `table.insert()`, `sqlite.insert(table)`."""
    if not isinstance(node, ast.Call):
        return False
    name = getattr(node.func, "id", getattr(node.func, "attr", ""))
    return name in VERBS


def writers(noun: str) -> set[str]:
    """The public functions of a store file that write, directly or through its own others."""
    tree = parsed(SOURCE / "store" / f"{noun}.py")
    functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    found = {name for name, node in functions.items() if any(map(is_writing, ast.walk(node)))}
    grown = True
    while grown:
        more = {
            name
            for name, node in functions.items()
            if any(isinstance(part, ast.Name) and part.id in found for part in ast.walk(node))
        }
        grown = not more <= found
        found |= more
    return {name for name in found if not name.startswith("_")}


@cache
def uses(path: Path) -> frozenset[tuple[str, str]]:
    """The store files that a module uses, each with the names that it uses of it."""
    aliases, found = dict[str, str](), set[tuple[str, str]]()
    named: list[tuple[str, str]] = []
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.ImportFrom) and node.module == "fairway.store":
            aliases |= {one.asname or one.name: one.name for one in node.names}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("fairway.store."):
            noun = str(node.module).removeprefix("fairway.store.")
            found |= {(noun, one.name) for one in node.names}
        elif isinstance(node, ast.Attribute):
            named.append((getattr(node.value, "id", ""), node.attr))
    found |= {(aliases[alias], name) for alias, name in named if alias in aliases}
    return frozenset(found)


def callers(noun: str) -> dict[str, set[str]]:
    """Package to the writing functions that it uses, of those that are not the owner."""
    found: dict[str, set[str]] = {}
    writing = writers(noun)
    for path in SOURCE.rglob("*.py"):
        package = path.relative_to(SOURCE).parts[0].removesuffix(".py")
        if package not in {"store", "testing", *OWNERS[noun]}:
            used = {name for whose, name in uses(path) if whose == noun} & writing
            used -= ALSO.get((noun, package), set())
            if used:
                found.setdefault(package, set()).update(used)
    return found


@pytest.mark.parametrize("noun", [n for n in OWNERS if (SOURCE / "store" / f"{n}.py").exists()])
def test_only_the_owner_writes(noun: str) -> None:
    assert callers(noun) == {}


def test_every_store_file_has_an_owner_or_is_shared() -> None:
    nouns = {path.stem for path in (SOURCE / "store").glob("*.py")} - SHARED - {"__init__"}
    assert {noun for noun in nouns - set(OWNERS) if writers(noun)} == set()


def test_writing_functions_are_told_from_reading_ones() -> None:
    assert "append" in writers("outbox")
    assert "due" not in writers("outbox")


def test_uses_of_the_store_are_seen_by_whatever_name(tmp_path: Path) -> None:
    path = tmp_path / "module.py"
    path.write_text(
        "def act(db):\n    kept.seal(db)\n    refs.move(db)\n    other.seal(db)\n"
        "from fairway.store import refs, repositories as kept\n"
        "from fairway.store.builds import create\n"
    )
    assert uses(path) == {("repositories", "seal"), ("refs", "move"), ("builds", "create")}

"""scripts/bench [NAME] [its options]: runs a benchmark; without a name, lists them.

A benchmark is `bench/NAME.py` (a dash in the name is an underscore in the file's). It prints one
JSON line last: name, ours, reference, ratio, bar, ok; and exits 1 when it misses the bar. Its file
may say `BAR = "<= 1.10"`, for the list, and `NEEDS = ("clients",)`, what it needs besides Docker.
"""

from __future__ import annotations

import ast
import sys
from pathlib import Path

from fairwaydev import venv
from fairwaydev.children import child, end_in_good_order
from fairwaydev.say import ROOT, Failed, stop
from fairwaydev.services import Services

_FOLDER = ROOT / "bench"


def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def benchmarks() -> dict[str, Path]:
    """Name to file, of those files that can be run; the others are what these import."""
    found = {}
    for path in sorted(_FOLDER.glob("*.py")):
        if 'if __name__ == "__main__":' in path.read_text() and ast.get_docstring(_tree(path)):
            found[path.stem.replace("_", "-")] = path
    return found


def _constant(tree: ast.Module, name: str) -> object:
    for node in tree.body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        named = any(isinstance(target, ast.Name) and target.id == name for target in targets)
        if named and isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            return ast.literal_eval(node.value)
    return None


def _list() -> None:
    print(f"{'benchmark':<22}{'bar':<10}what")
    for name, path in benchmarks().items():
        tree = _tree(path)
        first = (ast.get_docstring(tree) or "").splitlines()[0]
        print(f"{name:<22}{_constant(tree, 'BAR') or '':<10}{first}")
    print("\nscripts/bench NAME runs one")


def _run(path: Path, options: list[str]) -> int:
    needs = _constant(_tree(path), "NEEDS")
    with Services() as services:
        env = {"PYTHONPATH": str(ROOT)}
        for need in ("docker", *(needs if isinstance(needs, tuple) else ())):
            env.update(services.provide(str(need)))
        return child([venv.python(), path, *options], env, 600)


def main() -> None:
    """The command."""
    words = sys.argv[1:]
    if not words or words[0] in ("-h", "--help", "list"):
        _list()
        return
    known = benchmarks()
    if words[0] not in known:
        stop(f"there is no benchmark {words[0]!r}; they are {', '.join(known) or 'none yet'}", 2)
    end_in_good_order()
    try:
        venv.provide()
        raise SystemExit(_run(known[words[0]], words[1:]))
    except Failed as error:
        stop(str(error))
    except KeyboardInterrupt:
        print("\ninterrupted: what was started has been ended", flush=True)
        raise SystemExit(130) from None


if __name__ == "__main__":
    main()

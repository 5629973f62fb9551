"""Evaluates one Starlark template: a program of its own, because memory cannot be bounded inside.

It reads one JSON object from standard input (`name`, `source`, `build`, `repo`, `input`) and
writes one to standard output: `{"value": ...}` or `{"error": ...}`. It has no file, network or
clock; its memory, processor time, steps, depth and output are limited.
"""

from __future__ import annotations

import json
import resource
import sys

import starlark

MEMORY_BYTES = 512 * 1024 * 1024
PROCESSOR_S = 5
STEPS = 400_000  # calls of the check, one every few instructions
DEPTH = 100
OUTPUT_BYTES = 1024 * 1024
_CALL = "\nmain(struct(build=struct(**_build), repo=struct(**_repo), input=struct(**_input)))\n"


class _Steps:
    def __init__(self) -> None:
        self.taken = 0

    def over(self) -> bool:
        self.taken += 1
        return self.taken > STEPS


def evaluate(job: dict[str, object]) -> object:
    """What `main(ctx)` returns. Raises `starlark.StarlarkError`."""
    dialect = starlark.Dialect.standard()
    dialect.enable_f_strings = True
    dialect.enable_load = False
    extensions = [starlark.LibraryExtension.StructType, starlark.LibraryExtension.Json]
    module = starlark.Module()
    for key in ("build", "repo", "input"):
        module[f"_{key}"] = job[key]
    steps = _Steps()
    options = starlark.EvalOptions(check_cancelled=steps.over, max_callstack_size=DEPTH)
    tree = starlark.parse(str(job["name"]), str(job["source"]) + _CALL, dialect)
    library = starlark.Globals.extended_by(extensions)
    return starlark.eval_with(options, module, tree, library).value


def answer(text: str) -> str:
    """The answer to one job, as JSON."""
    try:
        value = evaluate(json.loads(text))
        result = json.dumps({"value": value})
    except (starlark.StarlarkError, ValueError, TypeError, RecursionError) as error:
        return json.dumps({"error": str(error)[-2000:]})
    if len(result) > OUTPUT_BYTES:
        return json.dumps({"error": f"the result is larger than {OUTPUT_BYTES} bytes"})
    return result


def main() -> None:
    """Bound this process, then answer one job."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (PROCESSOR_S, PROCESSOR_S + 1))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    sys.stdout.write(answer(sys.stdin.read()))


if __name__ == "__main__":
    main()

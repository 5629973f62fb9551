"""Argo Rollouts' own programs, for tests that compare ours with it: `scripts/oracles`."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

FOLDER = os.environ.get("FAIRWAY_TEST_ORACLES", "")
needed = pytest.mark.skipif(
    not FOLDER, reason="FAIRWAY_TEST_ORACLES names no folder: scripts/oracles makes one"
)


class Refused(Exception):
    """The original's own error."""


class Oracle:
    """Argo's own functions. Close it."""

    def __init__(self) -> None:
        self._child = subprocess.Popen(
            [Path(FOLDER, "oracle")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def ask(self, method: str, **given: Any) -> Any:
        """What a function gives. Raises `Refused` with its error."""
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        self._child.stdin.write(json.dumps({"method": method, **given}) + "\n")
        self._child.stdin.flush()
        said = json.loads(self._child.stdout.readline())
        assert "panic" not in said, said
        if "error" in said:
            raise Refused(said["error"])
        return said["result"]

    def close(self) -> None:
        self._child.communicate()


def command(kubeconfig: Path, *words: str) -> tuple[int, str]:
    """`kubectl argo rollouts WORDS`: its status, and all that it says."""
    program = Path(FOLDER, "kubectl-argo-rollouts")
    done = subprocess.run(
        [program, "--kubeconfig", kubeconfig, *words],
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
    )
    return done.returncode, done.stdout + done.stderr

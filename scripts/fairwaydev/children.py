"""One child process that must not outlive us, and signals that end us in good order."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import NoReturn

from fairwaydev.say import ROOT

_GRACE = 30
_PARENT_DEATH_SIGNAL = 1  # prctl(2)


def _interrupted(number: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt(signal.Signals(number).name)


def end_in_good_order() -> None:
    """SIGTERM and SIGHUP end us as Ctrl-C does: what we started is ended first."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupted)


def end_with_parent() -> None:
    """SIGTERM when who began us is killed. Where it can be had: on Linux."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PARENT_DEATH_SIGNAL, signal.SIGTERM)


def child(command: Sequence[str | Path], env: Mapping[str, str], seconds: float) -> int:
    """Run a command and wait for it; when we are ended or it takes too long, it is ended too."""
    process = subprocess.Popen(
        [str(word) for word in command],
        cwd=ROOT,
        env={**os.environ, **env},
        stdin=subprocess.DEVNULL,
    )
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        print(f"error: not done after {seconds:.0f} s; ending it", flush=True)
        return 124
    finally:
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        if process.poll() is not None:
            return
        process.send_signal(number)
        try:
            process.wait(_GRACE)
        except subprocess.TimeoutExpired:
            continue

"""Small servers that a demo starts beside Fairway, and that end a while after it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from fairwaydemo.trouble import Trouble

PATIENCE_S = 60.0
LOOK_S = 5.0
_SCRIPTS = Path(__file__).resolve().parents[1]


def start(folder: Path, module: str, pid: int) -> str:
    """Run `python -m MODULE FOLDER PID` until the process PID has gone; returns the address that it
    writes into FOLDER/NAME.url. Raises Trouble.
    """
    name = module.rpartition(".")[2]
    log = folder / f"{name}.log"
    with log.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", module, str(folder), str(pid)],
            env={**os.environ, "PYTHONPATH": str(_SCRIPTS)},
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            start_new_session=True,
        )
    (folder / f"{name}.pid").write_text(str(process.pid))
    place = folder / f"{name}.url"
    until = time.monotonic() + PATIENCE_S
    while not place.exists():
        if process.poll() is not None or time.monotonic() > until:
            raise Trouble(f"the {name} did not start: see {log}")
        time.sleep(0.1)
    return place.read_text()


def end(folder: Path) -> None:
    """End those that an earlier demo left."""
    for path in folder.glob("*.pid"):
        try:
            pid = int(path.read_text())
            if "fairwaydemo." in Path(f"/proc/{pid}/cmdline").read_text():
                os.kill(pid, signal.SIGTERM)
        except (OSError, ValueError):
            continue


def say_where(folder: Path, name: str, url: str) -> None:
    """Write the address down, whole or not at all."""
    partial = folder / f"{name}.partial"
    partial.write_text(url)
    partial.rename(folder / f"{name}.url")


def until_gone(pid: int) -> None:
    """Return a while after a process has ended."""
    pause = threading.Event()
    while _alive(pid):
        pause.wait(LOOK_S)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True

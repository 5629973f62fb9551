"""What Fairway remembers of the components it started, in files; and how they are ended. Blocks."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import msgspec

from fairway.kit import processes
from fairway.kit.files import replace_file
from fairway.kit.processes import Process
from fairway.supervise.component import MARK, Record

_SUFFIX: Final = ".component.json"


def write(folder: Path, record: Record) -> None:
    """Remember a component. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    replace_file(folder / (record.name + _SUFFIX), msgspec.json.encode(record))


def read(folder: Path, name: str) -> Record | None:
    """What is remembered of a component; None where there is nothing (readable)."""
    try:
        data = (folder / (name + _SUFFIX)).read_bytes()
        return msgspec.json.decode(data, type=Record)
    except (OSError, msgspec.MsgspecError):
        return None


def forget(folder: Path, name: str) -> None:
    """Remember nothing of a component."""
    with contextlib.suppress(OSError):
        (folder / (name + _SUFFIX)).unlink()


def everything(folder: Path) -> list[Record]:
    """All that is remembered in a folder, in the order in which it was started."""
    names = [path.name.removesuffix(_SUFFIX) for path in folder.glob("*" + _SUFFIX)]
    found = [record for name in names if (record := read(folder, name))]
    return sorted(found, key=lambda record: (record.order, record.name))


def mark(folder: Path, name: str) -> str:
    """What a component's environment has as MARK."""
    return f"{folder.absolute()}/{name}"


def marked(folder: Path) -> dict[str, Process]:
    """The running processes that we started in a folder, found by their environment.

    Children inherit it: the one that leads its session is the component itself.
    """
    found: dict[str, Process] = {}
    begin = f"{MARK}={folder.absolute()}/".encode()
    for path in Path("/proc").iterdir():
        if not path.name.isdigit():
            continue
        pid = int(path.name)
        with contextlib.suppress(OSError):
            words = (path / "environ").read_bytes().split(b"\0")
            value = next((word for word in words if word.startswith(begin)), None)
            process = processes.identify(pid) if value and os.getsid(pid) == pid else None
            if value and process and processes.same_root(pid):
                name = value[len(begin) :].decode("utf-8", "replace")
                found.setdefault(name, process)
    return found


def stop_all(folder: Path, names: Iterable[str] | None = None) -> list[str]:
    """End the components of a folder, those started last first; the names of those that lived.

    For `fairway down`, when no supervisor runs. `names`: only these.
    """
    wanted = None if names is None else {*names}
    known = {record.name: record for record in everything(folder)}
    alive = {**marked(folder)}
    alive.update({name: one.process for name, one in known.items() if _lives(one.process)})
    order = sorted(alive, key=lambda name: known[name].order if name in known else 0)
    ended = [name for name in reversed(order) if wanted is None or name in wanted]
    for name in ended:
        patience = known[name].stop_s if name in known else 10.0
        processes.end(alive[name], patience)
    for name in known:
        if wanted is None or name in wanted:
            forget(folder, name)
    return ended


def _lives(process: Process) -> bool:
    return processes.is_alive(process)

"""What `fairway kubectl`, `helm` and `cluster add` need of this machine. These block."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from fairway.cluster import kubeconfig
from fairway.model.errors import FairwayError, Unavailable
from fairway.settings import load, local_environment


def whole_kubeconfig(path: Path, context: str, data: bytes | None = None) -> str:
    """One context of a kubeconfig with every certificate and token inline. `data`: its content.

    Raises `BadFile` and `InvalidInput` for one that cannot be used from elsewhere.
    """
    if data is None:
        target = kubeconfig.load(path, context)
    else:
        target = kubeconfig.read(data, where="the input", context=context)
    return json.dumps(kubeconfig.written("cluster", target))


def environment() -> dict[str, str]:
    """This process's environment, for the tool in its place."""
    return local_environment()


def command(tool: str) -> list[str]:
    """How `kubectl` or `helm` is run: out of fairway-native, else the machine's own.

    Raises `Unavailable` (code `tool-missing`).
    """
    try:
        from fairway.native import programs  # noqa: PLC0415 not for commands without a cluster

        return [str(programs.find(load().native.dir).native), tool]
    except FairwayError as error:
        own = shutil.which(tool)
        if own is not None:
            return [own]
        raise Unavailable(
            f"there is neither fairway-native nor {tool} on this machine: {error}",
            code="tool-missing",
            remedy=f"install the wheel fairway-native, or {tool} itself and `fairway kubeconfig"
            " --merge`",
        ) from error

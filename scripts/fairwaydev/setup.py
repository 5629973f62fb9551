"""scripts/setup [PART...]: installs what working on Fairway needs, and says so before it does.

Without a part: the Python environment `.venv`. Parts: docker, postgres, images, clients (Debian's
packages for those tests), engine (Docker, unless an Engine answers already), all. Running it again
is quick and changes nothing.
"""

from __future__ import annotations

import argparse
import getpass
import os
from collections.abc import Callable
from functools import partial

from fairwaydev import apt, venv
from fairwaydev.say import ROOT, Failed, detail, say, stop


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(
        prog="scripts/setup",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parts = ["python", *apt.NEEDS, "engine", "all"]
    parser.add_argument("part", nargs="*", metavar="PART", help=", ".join(parts))
    wanted: list[str] = parser.parse_args().part
    for part in wanted:
        if part not in parts:
            parser.error(f"there is no part {part!r}; the parts are {', '.join(parts)}")
    chosen = [part for part in apt.NEEDS if part in wanted or "all" in wanted]
    lacking: list[str] = []
    try:
        changed = venv.provide()
        for part in chosen:
            _attempt(partial(apt.provide, part), lacking)
        if "engine" in wanted:
            _attempt(lambda: chosen.append(_engine()), lacking)
    except Failed as error:
        stop(str(error))
    except KeyboardInterrupt:
        stop("interrupted; the same command goes on where this one was", 130)
    if lacking:
        stop("\n".join(lacking))
    done = ", ".join(["the Python environment", *chosen])
    say(f"ready: {done}" + ("" if changed else " (nothing had to be done)"))
    detail(f"the command is {venv.VENV.relative_to(ROOT)}/bin/fairway; the checks: make test")


def _attempt(work: Callable[[], object], lacking: list[str]) -> None:
    """One part that is lacking does not hide the next: a person mends all of them at once."""
    try:
        work()
    except Failed as error:
        lacking.append(str(error))


def _engine() -> str:
    host = apt.engine_answers()
    if host:
        return f"the Docker Engine at {host}"
    if os.geteuid() != 0:
        raise Failed(
            "no Docker Engine answers this user, and only root can start one.\n"
            "  as root on Debian:  apt-get update && apt-get install -y docker.io && "
            f"usermod -aG docker {getpass.getuser()}\n"
            "  and log in again; or name an Engine of yours: DOCKER_HOST=unix:///path/docker.sock"
        )
    apt.provide("docker")
    return "docker"


if __name__ == "__main__":
    main()

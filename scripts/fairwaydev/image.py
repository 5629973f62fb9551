"""scripts/image [--load] [--push HOST[:PORT]/NAME[:TAG]]: Fairway's own container image.

Made of Debian's packages, the locked Python packages, the wheel and the programs of native/, into
dist/fairway-VERSION-image.tar, which `docker load`, `ctr images import` and skopeo read. --load
gives it to the Docker Engine as fairway:VERSION; --push sends it to a registry, with the
credentials of FAIRWAY_PUSH_USER and FAIRWAY_PUSH_PASSWORD.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path

from fairwaydev import apt, native, uv, venv
from fairwaydev.say import ROOT, Failed, run, say, stop


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(
        prog="scripts/image",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--load", action="store_true", help="into the Docker Engine")
    parser.add_argument("--push", metavar="HOST[:PORT]/NAME[:TAG]", default="", help="where to")
    parser.add_argument("--insecure", action="store_true", help="the registry has no TLS")
    parser.add_argument("--folder", type=Path, default=ROOT / "dist", help="dist/ unless given")
    parser.add_argument("--archive", type=Path, help="an archive made before: make none")
    chosen = parser.parse_args()
    try:
        venv.provide()
        archive = chosen.archive.absolute() if chosen.archive else _make(chosen.folder.absolute())
        if chosen.load:
            host = os.environ.get("DOCKER_HOST") or apt.engine_answers()
            run(["docker", *(["-H", host] if host else []), "load", "-q", "-i", archive])
        if chosen.push:
            _maker("push", archive, chosen.push, *(["--insecure"] if chosen.insecure else []))
    except Failed as error:
        stop(str(error))
    except KeyboardInterrupt:
        stop("interrupted", 130)
    print(archive, flush=True)


def _make(folder: Path) -> Path:
    apt.provide("images")
    programs = native.build()
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="fairway-image-") as scratch:
        words = ("build", "--quiet", "--no-build-isolation", "--python", venv.python(), "--wheel")
        uv.uv(*words, "--out-dir", scratch, ROOT)
        (wheel,) = Path(scratch).glob("fairway-*.whl")
        target = folder / f"fairway-{wheel.name.split('-')[1]}-image.tar"
        say(f"making {target}")
        _maker("make", wheel, programs, venv.lock_file("runtime"), target)
    return target


def _maker(*words: str | Path) -> None:
    """It imports fairway, so it runs in the environment of the checkout."""
    command = [venv.python(), "-m", "fairwaydev.imagemaker", *words]
    run(command, env={"PYTHONPATH": str(ROOT / "scripts")})


if __name__ == "__main__":
    main()

"""scripts/wheel [FOLDER]: builds the wheel and the source archive, into dist/ unless told."""

from __future__ import annotations

import sys
from pathlib import Path

from fairwaydev import uv, venv
from fairwaydev.say import ROOT, Failed, say, stop


def main() -> None:
    """The command."""
    folder = Path(sys.argv[1]).absolute() if len(sys.argv) > 1 else ROOT / "dist"
    try:
        venv.provide()
        say(f"building into {folder}")
        words = ("build", "--quiet", "--no-build-isolation", "--python", venv.python())
        uv.uv(*words, "--out-dir", folder, ROOT)
    except Failed as error:
        stop(str(error))
    for built in sorted(folder.glob("fairway-*")):
        print(built)


if __name__ == "__main__":
    main()

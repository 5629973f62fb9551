"""scripts/wheel [FOLDER]: builds the wheels and the source archive, into dist/ unless told.

`fairway` is the product; `fairway_native` holds the Go programs for machines like this one.
"""

from __future__ import annotations

import sys
from pathlib import Path

from fairwaydev import native, uv, venv
from fairwaydev.say import ROOT, Failed, say, stop


def main() -> None:
    """The command."""
    folder = Path(sys.argv[1]).absolute() if len(sys.argv) > 1 else ROOT / "dist"
    try:
        venv.provide()
        say(f"building into {folder}")
        words = ("build", "--quiet", "--no-build-isolation", "--python", venv.python())
        uv.uv(*words, "--out-dir", folder, ROOT)
        native.build()
        uv.uv(*words, "--wheel", "--out-dir", folder, native.SOURCE / "wheel")
    except Failed as error:
        stop(str(error))
    for built in sorted(folder.glob("fairway[-_]*")):
        print(built)


if __name__ == "__main__":
    main()

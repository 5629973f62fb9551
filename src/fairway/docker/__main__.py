"""python -m fairway.docker FOLDER start|stop|purge: an Engine of our own, for the test scripts."""

from __future__ import annotations

import sys
from pathlib import Path

from fairway.docker.daemon import OwnEngine
from fairway.model.errors import FairwayError


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")


def main() -> int:
    """Print the Engine's address after `start`; errors go to standard error."""
    folder, verb = sys.argv[1:]
    engine = OwnEngine(Path(folder), say=_say)
    try:
        if verb == "start":
            sys.stdout.write(engine.ensure().host + "\n")
        elif verb == "stop":
            engine.stop()
        else:
            engine.purge()
    except FairwayError as error:
        _say(f"error: {error}\n  {error.remedy}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Fairway: one channel from `git push` to production, marked, and with a way back."""

import sys

__version__ = "0.1.0.dev0"

# httpx imports its own command line with it, and so rich and pygments, wherever they are installed:
# half of its time. What stands for None in sys.modules is not to be had, and httpx does without.
sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]

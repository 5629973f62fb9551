"""What ends a demo before its time."""

from __future__ import annotations


class Trouble(Exception):
    """The demo cannot go on; the text says why and what to do."""

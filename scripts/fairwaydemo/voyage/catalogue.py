"""The catalogue's releases, as earlier chapters left them in the facts."""

from __future__ import annotations

import msgspec

from fairway.client.wire.release import Release
from fairwaydemo.voyage.world import World


def release(world: World, chapter: str) -> Release:
    """The release of a chapter."""
    return msgspec.convert(world.facts[chapter]["release"], Release)

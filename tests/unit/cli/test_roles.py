"""The command line knows every role, though it does not import the settings to list them."""

from __future__ import annotations

from fairway import settings
from fairway.cli import platform


def test_the_command_line_knows_every_role() -> None:
    assert platform.ROLES == settings.ROLES

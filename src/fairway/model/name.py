"""Names that become folders, URLs and image names: what they may be."""

from __future__ import annotations

import re
from typing import Final

from fairway.model.errors import InvalidInput

LONGEST: Final = 100
_NAME: Final = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*")
_RESERVED: Final = frozenset({"api", "hooks", "v2", "healthz", "readyz", "metrics", "token"})


def check_name(name: str, what: str) -> str:
    """The name itself.

    Lower case, as image names must be: `org/app` is a repository and an image at once.
    Raises `InvalidInput` (code `bad-name`).
    """
    if len(name) > LONGEST or not _NAME.fullmatch(name) or name.endswith((".git", ".lock")):
        raise InvalidInput(
            f"{name[:LONGEST]!r} cannot be the name of {what}",
            code="bad-name",
            remedy=f"at most {LONGEST} lower-case letters and digits, with single . or _, or - "
            "between them; not ending in .git or .lock",
        )
    return name


def check_organisation(name: str) -> str:
    """An organisation's name; some are taken by paths of ours. Raises as `check_name`."""
    if name in _RESERVED:
        raise InvalidInput(
            f"{name!r} cannot be the name of an organisation: it is a path of Fairway's own",
            code="reserved-name",
            remedy="choose another name",
        )
    return check_name(name, "an organisation")


def split_slug(slug: str) -> tuple[str, str]:
    """(organisation, name) of a slug. Raises `InvalidInput` (code `bad-name`)."""
    organisation, slash, name = slug.partition("/")
    if not slash:
        raise InvalidInput(
            f"{slug[:LONGEST]!r} is no repository's name",
            code="bad-name",
            remedy="write ORGANISATION/NAME",
        )
    return check_organisation(organisation), check_name(name, "a repository")

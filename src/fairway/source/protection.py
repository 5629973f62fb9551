"""Protected branches and tags: a pure judgement of what a push asks for.

Every rule that matches a ref must allow what is asked. Whether history is rewritten only git can
say, once it has the objects: such refs are named in `forward` and looked at by the update hook.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable

from msgspec import Struct

from fairway.git.packets import Command
from fairway.model.errors import TooLarge
from fairway.model.repository import RefRule, Settings
from fairway.model.role import Role

_LONGEST = 100_000  # bytes that fit into a variable of the hook's environment


class Judgement(Struct, frozen=True):
    """`refused`: reason by ref. `forward`: refs whose history may not be rewritten."""

    refused: dict[str, str]
    forward: list[str]

    def environment(self) -> dict[str, str]:
        """What the update hook is told; empty when it has nothing to do. Raises `TooLarge`."""
        if not self.refused and not self.forward:
            return {}
        refused = "".join(f"{ref} {why}\n" for ref, why in self.refused.items())
        forward = "\n".join(self.forward)
        if len(refused) + len(forward) > _LONGEST:
            raise TooLarge(
                "the push touches too many protected refs at once",
                code="push-too-many-refs",
                remedy="push in several steps of fewer refs",
            )
        return {"FAIRWAY_REFUSE": refused, "FAIRWAY_FORWARD": forward}


def judge(settings: Settings, role: Role, commands: Iterable[Command]) -> Judgement:
    """Which refs of a push are refused, and which may only move forward."""
    refused: dict[str, str] = {}
    forward: list[str] = []
    for command in commands:
        rules, tag = _rules(settings, command.ref)
        why = next((why for rule in rules if (why := _refusal(rule, role, command, tag=tag))), "")
        if why:
            refused[command.ref] = f"{command.ref} is protected: {why}"
        elif not tag and command.before and command.after and not all(r.force for r in rules):
            forward.append(command.ref)
    return Judgement(refused, forward)


def matches(pattern: str, name: str) -> bool:
    """Whether a short ref name matches a glob: `*` and `?` within a part, `**` across parts."""
    return _compiled(pattern).fullmatch(name) is not None


def _rules(settings: Settings, ref: str) -> tuple[list[RefRule], bool]:
    if ref.startswith("refs/tags/"):
        name = ref.removeprefix("refs/tags/")
        return [rule for rule in settings.tags if matches(rule.pattern, name)], True
    name = ref.removeprefix("refs/heads/")
    return [rule for rule in settings.branches if matches(rule.pattern, name)], False


def _refusal(rule: RefRule, role: Role, command: Command, *, tag: bool) -> str:
    if rule.push == "nobody":
        return "nobody may push it"
    if not role.covers(Role(rule.push)):
        return f"only a {rule.push} may push it"
    if not command.after and not rule.delete:
        return "it may not be deleted"
    if tag and command.before and command.after and not rule.force:
        return "it may not be moved"
    return ""


@functools.lru_cache(maxsize=1024)
def _compiled(pattern: str) -> re.Pattern[str]:
    parts = re.split(r"(\*\*/|\*\*|\*|\?)", pattern)
    words = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    return re.compile("".join(words.get(part) or re.escape(part) for part in parts), re.DOTALL)

"""A plugin's settings as its image would read them: PLUGIN_* variables, with older names."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final

from fairway.model.errors import InvalidInput

_TRUE: Final = frozenset({"1", "t", "T", "true", "TRUE", "True"})
_FALSE: Final = frozenset({"0", "f", "F", "false", "FALSE", "False", ""})


class Settings:
    """Reads variables by name; knows which settings nobody asked for."""

    def __init__(self, environment: Mapping[str, str], *, asked: set[str] | None = None) -> None:
        self._all = environment
        self.asked = asked if asked is not None else set()

    def text(self, *names: str, default: str = "") -> str:
        """The first of these variables that is set; names without prefix are settings."""
        for name in names:
            variable = name if name.isupper() else f"PLUGIN_{name.upper()}"
            self.asked.add(variable)
        for name in names:
            value = self._all.get(name if name.isupper() else f"PLUGIN_{name.upper()}", "")
            if value:
                return value
        return default

    def variable(self, name: str) -> str:
        """A variable of the step's environment by its exact name."""
        self.asked.add(name)
        return self._all.get(name, "")

    def flag(self, *names: str, default: bool = False) -> bool:
        """A setting as Go's `ParseBool` reads it. Raises `InvalidInput` for anything else."""
        value = self.text(*names)
        if not value:
            return default
        if value in _TRUE:
            return True
        if value in _FALSE:
            return False
        raise InvalidInput(
            f"the setting `{names[0]}` is '{value}', which is neither true nor false",
            code="plugin-setting",
            remedy="Write true or false.",
        )

    def items(self, *names: str) -> list[str]:
        """A list: joined by commas, as settings are. Items are trimmed, empty ones dropped."""
        return [item.strip() for item in self.text(*names).split(",") if item.strip()]

    def pairs(self, *names: str) -> dict[str, str]:
        """`a=1,b=2`, or a map (which reaches plugins as JSON)."""
        text = self.text(*names).strip()
        if text.startswith("{"):
            try:
                return {str(key): str(value) for key, value in json.loads(text).items()}
            except (ValueError, AttributeError):
                pass
        found: dict[str, str] = {}
        for item in split_pairs(text):
            key, _, value = item.partition("=")
            found[key.strip()] = value
        return found

    def unknown(self) -> list[str]:
        """Settings that are given and that nothing read, by their names in the file."""
        given = {name for name in self._all if name.startswith("PLUGIN_")}
        return sorted(name.removeprefix("PLUGIN_").lower() for name in given - self.asked)


def split_pairs(text: str) -> list[str]:
    """`a=1,b=2,3,c=4` cut where a new `key=` begins, so that a value may hold commas."""
    found: list[str] = []
    for part in text.split(","):
        if "=" in part or not found:
            found.append(part)
        else:
            found[-1] += f",{part}"
    return [item for item in found if item.strip()]

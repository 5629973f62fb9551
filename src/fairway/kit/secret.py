"""The type that cannot be printed, and the masker that logs leave through."""

from __future__ import annotations

from typing import Any, Final, NoReturn

MASK: Final = b"******"
_SHORTEST: Final = 3  # Drone masks no shorter value either: a mask of "1" would ruin every log


class Secret:
    """A value that shows itself to nobody who does not ask by name.

    `str`, `repr`, `format` and errors show only that there is one. It cannot be pickled.
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The value itself. Every call is a place to look at in a review."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(******)"

    __str__ = __repr__

    def __format__(self, _spec: str) -> str:
        return repr(self)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)

    def __bool__(self) -> bool:
        return bool(self._value)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not pickled")

    def __deepcopy__(self, _memo: dict[int, Any]) -> Secret:
        return self

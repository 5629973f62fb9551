"""Answers of the simulated server: objects, and refusals in the words of the real one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from fairway.kube.kind import Json
from fairway.kube.transport import Response
from fairway.testing.simkube.checking import Wrong
from fairway.testing.simkube.owning import Owned

_JSON: Final = {"content-type": "application/json"}


class Refused(Exception):
    """The server's refusal."""

    def __init__(
        self, status: int, reason: str, message: str, causes: Iterable[Mapping[str, Any]] = ()
    ) -> None:
        super().__init__(message)
        self.status, self.reason, self.causes = status, reason, list(causes)

    def response(self) -> Response:
        """As a `Status` object."""
        told: Json = {
            "kind": "Status",
            "apiVersion": "v1",
            "status": "Failure",
            "message": str(self),
            "reason": self.reason,
            "code": self.status,
        }
        if self.causes:
            told["details"] = {"causes": self.causes}
        return answer(told, self.status)


def answer(body: Any, status: int = 200, warnings: Iterable[str] = ()) -> Response:
    """An answer with JSON."""
    said = ", ".join('299 - "{}"'.format(one.replace('"', '\\"')) for one in warnings)
    headers = {**_JSON, "warning": said} if said else _JSON
    return Response(status, headers, msgspec.json.encode(body))


def not_found(what: str, name: str = "") -> Refused:
    """There is no such object, or no such path."""
    told = f'{what} "{name}" not found' if name else "the server could not find the resource"
    return Refused(404, "NotFound", told)


def conflict(what: str, name: str, why: str) -> Refused:
    """It is another object than the one that was meant."""
    return Refused(409, "Conflict", f'Operation cannot be fulfilled on {what} "{name}": {why}')


def invalid(kind: str, name: str, wrong: Iterable[Wrong]) -> Refused:
    """Values that the kind does not take."""
    causes = [{"field": w.path, "message": w.message, "reason": w.reason} for w in wrong]
    told = ", ".join(f"{one['field']}: {one['message']}" for one in causes)
    return Refused(422, "Invalid", f'{kind} "{name}" is invalid: {told}', causes)


def strict(paths: Iterable[str]) -> Refused:
    """Fields that the kind does not know."""
    told = ", ".join(f'unknown field "{path}"' for path in paths)
    return Refused(400, "BadRequest", f"strict decoding error: {told}")


def untyped(paths: Iterable[str]) -> Refused:
    """The same of server-side apply."""
    told = "\n".join(f"  .{path}: field not declared in schema" for path in paths)
    return Refused(500, "", f"failed to create typed patch object (an object): errors:\n{told}")


def contested(conflicts: Iterable[Owned]) -> Refused:
    """Fields that others own."""
    causes = [
        {
            "reason": "FieldManagerConflict",
            "message": 'conflict with "{}"'.format(one.manager.name.replace('"', '\\"')),
            "field": one.path,
        }
        for one in conflicts
    ]
    count = len(causes)
    told = "; ".join(f"{one['message']}: {one['field']}" for one in causes)
    return Refused(409, "Conflict", f"Apply failed with {count} conflict(s): {told}", causes)

"""What the server makes of an object before it keeps it: unknown fields, values, defaults."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from msgspec import Struct

from fairway.kube.kind import Json
from fairway.testing.simkube.schemas import child, is_free

_NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9.:]*[a-z0-9])?")
_TYPES: Final[dict[str, tuple[type, ...]]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "object": (dict,),
    "array": (list,),
}
_DEEP: Final = (dict, list)  # what is descended into; most values are neither


class Wrong(Struct, frozen=True):
    """A value that the kind does not take."""

    path: str
    message: str
    reason: str = "FieldValueInvalid"


def unknown(value: Any, schema: Json, path: str = "") -> Iterator[str]:
    """The paths of fields that the schema does not know."""
    if isinstance(value, list):
        for number, one in enumerate(value):
            if isinstance(one, _DEEP):
                yield from unknown(one, schema.get("items") or {}, f"{path}[{number}]")
    elif isinstance(value, dict) and not is_free(schema):
        for name, one in value.items():
            below = child(schema, name)
            if below is None:
                yield f"{path}.{name}" if path else name
            elif isinstance(one, _DEEP):
                yield from unknown(one, below, f"{path}.{name}" if path else name)


def pruned(value: Any, schema: Json) -> Any:
    """Without the fields that the schema does not know, and without nulls."""
    if isinstance(value, list):
        return [pruned(one, schema.get("items") or {}) for one in value]
    if not isinstance(value, dict):
        return value
    if is_free(schema):
        return _nulls_gone(value)
    found = {}
    for name, one in value.items():
        below = child(schema, name)
        if below is not None and one is not None:
            found[name] = pruned(one, below) if isinstance(one, _DEEP) else one
    return found


def _nulls_gone(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _nulls_gone(one) for name, one in value.items() if one is not None}
    return [_nulls_gone(one) for one in value] if isinstance(value, list) else value


def defaulted(value: Any, schema: Json) -> Any:
    """With the schema's defaults for what is left out."""
    if isinstance(value, list):
        inner = schema.get("items") or {}
        return value if is_free(inner) else [defaulted(one, inner) for one in value]
    if not isinstance(value, dict) or is_free(schema):
        return value
    found = {
        name: defaulted(one, child(schema, name) or {}) if isinstance(one, _DEEP) else one
        for name, one in value.items()
    }
    for name, below in (schema.get("properties") or {}).items():
        if name not in found and "default" in below:
            found[name] = below["default"]
    return found


def problems(obj: Json, schema: Json) -> list[Wrong]:
    """What is wrong with an object's values."""
    found = list(_values(obj, schema, ""))
    name = str((obj.get("metadata") or {}).get("name") or "")
    if not _NAME.fullmatch(name):
        told = f"Invalid value: {name!r}: a lowercase RFC 1123 subdomain is needed"
        found.append(Wrong("metadata.name", told))
    return found


def _values(value: Any, schema: Json, path: str) -> Iterator[Wrong]:
    wrong = _wrong(value, schema)
    if wrong:
        yield Wrong(path, wrong)
    elif not is_free(schema):
        yield from _inside(value, schema, path)


def _inside(value: Any, schema: Json, path: str) -> Iterator[Wrong]:
    if isinstance(value, dict):
        for name in schema.get("required") or ():
            if name not in value:
                yield Wrong(f"{path}.{name}".lstrip("."), "Required value", "FieldValueRequired")
        for name, one in value.items():
            below = child(schema, name) or {}
            if isinstance(one, _DEEP) or _wrong(one, below):
                yield from _values(one, below, f"{path}.{name}".lstrip("."))
    elif isinstance(value, list):
        for number, one in enumerate(value):
            yield from _values(one, schema.get("items") or {}, f"{path}[{number}]")


def _wrong(value: Any, schema: Json) -> str:
    """What is wrong with one value; "" for nothing."""
    types = _TYPES.get(str(schema.get("type")))
    if types and (not isinstance(value, types) or _bool_for_number(value, types)):
        return f"Invalid value: {value!r}: {schema['type']} is needed"
    if "enum" in schema and value not in schema["enum"]:
        return f"Unsupported value: {value!r}: supported values: {schema['enum']}"
    least = schema.get("minimum")
    if least is not None and isinstance(value, int | float) and value < least:
        return f"Invalid value: {value!r}: should be greater than or equal to {least}"
    return ""


def _bool_for_number(value: Any, types: tuple[type, ...]) -> bool:
    return isinstance(value, bool) and bool not in types

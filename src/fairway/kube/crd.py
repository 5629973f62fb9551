"""CustomResourceDefinitions stated compactly in Python, and brought about in a cluster.

A schema is a dict of fields. A field's name may end in `!`: it is required. Its type is

- a word: `string`, `int32`, `int64`, `number`, `bool`, `time`, `int-or-string`, `any` (an object
  whose fields are not looked at), `anything` (a value of any type);
- a dict: an object with these fields; with the one field `*` a map from any name;
- a list of one type: a list of it;
- a `Typed`: one of these with more of OpenAPI's words (`enum`, `default`, validation rules).
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Final

import msgspec
from msgspec import Struct

from fairway.kube import objects
from fairway.kube.client import Kube
from fairway.kube.errors import KubeConflict
from fairway.kube.kind import CUSTOM_RESOURCE_DEFINITION, Json, Kind
from fairway.model.errors import Unavailable

Type = Any  # a word, a dict, a list of one, or a Typed: see above
Fields = Mapping[str, Type]
OURS: Final = "fairway.dev/installed-by"
DIGEST: Final = "fairway.dev/definition"
_POLL_S: Final = 0.05
_log = logging.getLogger(__name__)
_WORDS: Final[Mapping[str, Json]] = {
    "string": {"type": "string"},
    "int32": {"type": "integer", "format": "int32"},
    "int64": {"type": "integer", "format": "int64"},
    "number": {"type": "number"},
    "bool": {"type": "boolean"},
    "time": {"type": "string", "format": "date-time"},
    "int-or-string": {
        "anyOf": [{"type": "integer"}, {"type": "string"}],
        "x-kubernetes-int-or-string": True,
    },
    "any": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
    "anything": {"x-kubernetes-preserve-unknown-fields": True},
}


class Typed(Struct, frozen=True):
    """A type with more of OpenAPI's words, as they are written there."""

    type: Type
    more: Mapping[str, Any]


class Column(Struct, frozen=True):
    """A column of `kubectl get`."""

    name: str
    path: str
    type: str = "string"
    priority: int = 0


class Scale(Struct, frozen=True):
    """Where the `scale` subresource finds its numbers and its selector."""

    spec: str = ".spec.replicas"
    status: str = ".status.replicas"
    selector: str = ""


class Crd(Struct, frozen=True, kw_only=True, eq=False):
    """A kind of object that a cluster shall know. `fields` are `spec` and `status`.

    Two of them are never the same: each is a constant of its module.
    """

    kind: Kind
    fields: Fields
    short: tuple[str, ...] = ()
    status: bool = True  # whether the status is a subresource
    scale: Scale | None = None
    columns: tuple[Column, ...] = ()


def schema(type_: Type) -> Json:
    """OpenAPI's words for a type. Raises `ValueError` for a word that is none."""
    if isinstance(type_, Typed):
        return {**schema(type_.type), **type_.more}
    if isinstance(type_, str):
        if type_ not in _WORDS:
            raise ValueError(f"{type_!r} is no type of a field")
        return dict(_WORDS[type_])
    if isinstance(type_, Mapping):
        return _object(type_)
    (item,) = type_
    return {"type": "array", "items": schema(item)}


def _object(fields: Fields) -> Json:
    if set(fields) == {"*"}:
        return {"type": "object", "additionalProperties": schema(fields["*"])}
    made: Json = {
        "type": "object",
        "properties": {name.rstrip("!"): schema(type_) for name, type_ in fields.items()},
    }
    required = sorted(name[:-1] for name in fields if name.endswith("!"))
    return {**made, "required": required} if required else made


@cache
def definition(crd: Crd) -> Json:
    """The CustomResourceDefinition, marked as ours and with its content's digest; not to be
    changed: it is made once.
    """
    kind = crd.kind
    names: Json = {
        "plural": kind.plural,
        "singular": kind.kind.lower(),
        "kind": kind.kind,
        "listKind": f"{kind.kind}List",
    }
    if crd.short:
        names["shortNames"] = list(crd.short)
    spec = {
        "group": kind.group,
        "scope": "Namespaced" if kind.namespaced else "Cluster",
        "names": names,
        "versions": [_version(crd)],
    }
    digest = hashlib.sha256(msgspec.json.encode(spec, order="sorted")).hexdigest()[:16]
    return {
        "apiVersion": CUSTOM_RESOURCE_DEFINITION.api_version,
        "kind": CUSTOM_RESOURCE_DEFINITION.kind,
        "metadata": {
            "name": kind.resource,
            "annotations": {OURS: "fairway", DIGEST: digest},
        },
        "spec": spec,
    }


def _version(crd: Crd) -> Json:
    top = {"apiVersion": "string", "kind": "string", "metadata": {}, **crd.fields}
    root = schema(top)
    root["properties"]["metadata"] = {"type": "object"}
    made: Json = {
        "name": crd.kind.version,
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": root},
    }
    columns = [_column(one) for one in crd.columns]
    if columns:
        made["additionalPrinterColumns"] = columns
    below: Json = {"status": {}} if crd.status else {}
    if crd.scale:
        below["scale"] = _scale(crd.scale)
    if below:
        made["subresources"] = below
    return made


def _column(column: Column) -> Json:
    made: Json = {"name": column.name, "type": column.type, "jsonPath": column.path}
    return {**made, "priority": column.priority} if column.priority else made


def _scale(scale: Scale) -> Json:
    made = {"specReplicasPath": scale.spec, "statusReplicasPath": scale.status}
    return {**made, "labelSelectorPath": scale.selector} if scale.selector else made


def to_install(ours: Mapping[str, Any], there: Mapping[str, Any] | None) -> bool:
    """Whether to write a definition: it is missing, or another one of ours.

    What somebody else has installed stays as it is.
    """
    if there is None:
        return True
    notes = objects.notes(there)
    return OURS in notes and notes.get(DIGEST) != objects.notes(ours)[DIGEST]


def established(there: Mapping[str, Any]) -> bool:
    """Whether the API server serves a definition's objects."""
    conditions = (there.get("status") or {}).get("conditions") or ()
    return any(one["type"] == "Established" and one["status"] == "True" for one in conditions)


async def ensure(kube: Kube, crds: Sequence[Crd], *, seconds: float = 30.0) -> list[str]:
    """Bring the kinds about and wait until they are served; the names that were written.

    May be repeated, and by several at once. Raises `Unavailable` (code `crd-not-served`) when one
    is not served within `seconds`.
    """
    written = [name for crd in crds if (name := await _install(kube, definition(crd)))]
    try:
        async with asyncio.timeout(seconds):
            for crd in crds:
                await _served(kube, crd.kind.resource)
    except TimeoutError as error:
        names = ", ".join(crd.kind.resource for crd in crds)
        raise Unavailable(
            f"{kube.server} does not serve {names} after {seconds:g} s", code="crd-not-served"
        ) from error
    return written


async def _install(kube: Kube, ours: Json) -> str:
    name = objects.key(ours).name
    there = await kube.find(CUSTOM_RESOURCE_DEFINITION, name)
    if not to_install(ours, there):
        return ""
    try:
        await kube.apply(CUSTOM_RESOURCE_DEFINITION, ours, force=True)
    except KubeConflict as error:
        _log.info("%s is being written by somebody else: %s", name, error)
        return ""
    return name


async def _served(kube: Kube, name: str) -> None:
    while True:
        there = await kube.find(CUSTOM_RESOURCE_DEFINITION, name)
        if there is not None and established(there):
            return
        await asyncio.sleep(_POLL_S)

"""The Compose model as it is run for one build: what belongs to the build alone replaces what a
file for one machine names once. Pure.

The file itself is never changed. Of its resolved model: images are those that were chosen, without
builds; containers, networks and volumes get names and labels of their own, so that two builds never
meet in one and all of them are found again; the stage's network is joined, where later steps reach
the services by name; logs stay with the engine, whence they are read; ports are published only
where that was asked for.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct, field

STAGE_NETWORK: Final = "fairway-stage"
_LOGGING: Final = {"driver": "json-file", "options": {"max-size": "512m", "max-file": "1"}}
_UNSAFE: Final = re.compile(r"[^a-z0-9_-]+")
Json = dict[str, Any]


class Shape(Struct, frozen=True, kw_only=True):
    """What a build makes of a file."""

    project: str
    labels: Mapping[str, str]  # on every container, network and volume
    images: Mapping[str, str] = field(default_factory=dict)  # service -> what it runs
    network: str = ""  # the stage's, which all services join; "" for none
    binds: Mapping[str, str] = field(
        default_factory=dict
    )  # path as resolved -> path that is mounted
    publish: bool = False


def project_name(text: str) -> str:
    """A name that Compose takes for a project."""
    return _UNSAFE.sub("-", text.lower()).strip("-_") or "environment"


def arranged(model: Mapping[str, Any], shape: Shape) -> Json:
    """The model that is run."""
    services = model.get("services") or {}
    made: Json = {
        "name": shape.project,
        "services": {name: _service(name, one, shape) for name, one in services.items()},
        "networks": _owned(model.get("networks"), shape),
        "volumes": _owned(model.get("volumes"), shape),
    }
    if shape.network:
        made["networks"][STAGE_NETWORK] = {"name": _quoted(shape.network), "external": True}
    for kind in ("secrets", "configs"):
        made[kind] = {name: _filed(one, shape) for name, one in (model.get(kind) or {}).items()}
    return {key: value for key, value in made.items() if value}


def _owned(things: Mapping[str, Any] | None, shape: Shape) -> Json:
    """Networks or volumes under names of this project, but for those that are others'."""
    found: Json = {}
    for name, thing in (things or {}).items():
        one = dict(thing or {})
        if not one.get("external"):
            one["name"] = f"{shape.project}_{name}"
            one["labels"] = {**(one.get("labels") or {}), **_labels(shape)}
        found[name] = one
    return found


def _filed(thing: Mapping[str, Any], shape: Shape) -> Json:
    one = {key: value for key, value in thing.items() if key != "name"}
    if one.get("file") in shape.binds:
        one["file"] = _quoted(shape.binds[one["file"]])
    return one


def _service(name: str, service: Mapping[str, Any], shape: Shape) -> Json:
    gone = ("build", "container_name", "profiles", "develop", "env_file", "label_file")
    one: Json = {key: copy.deepcopy(value) for key, value in service.items() if key not in gone}
    if name in shape.images:
        one["image"] = _quoted(shape.images[name])
        one["pull_policy"] = "never"
    one["labels"] = {**(one.get("labels") or {}), **_labels(shape)}
    one["logging"] = _LOGGING
    if not shape.publish:
        one.pop("ports", None)
    for volume in one.get("volumes") or []:
        if volume.get("type") == "bind" and volume.get("source") in shape.binds:
            volume["source"] = _quoted(shape.binds[volume["source"]])
    if not one.get("network_mode"):
        _join(one, names(name, service), shape)
    return {key: value for key, value in one.items() if value is not None}


def _join(one: Json, called: list[str], shape: Shape) -> None:
    networks = dict(one.get("networks") or {"default": None})
    own = [alias for alias in called[1:] if alias]  # Compose gives the service's name itself
    if own:
        networks = {name: _aliased(end, own) for name, end in networks.items()}
    if shape.network:
        networks[STAGE_NETWORK] = {"aliases": called}
    one["networks"] = networks


def _aliased(endpoint: Mapping[str, Any] | None, more: list[str]) -> Json:
    one = dict(endpoint or {})
    one["aliases"] = [*dict.fromkeys([*(one.get("aliases") or []), *more])]
    return one


def names(name: str, service: Mapping[str, Any]) -> list[str]:
    """Every name that a service answers to: its own, its container's, and its aliases."""
    aliases = [
        alias
        for endpoint in (service.get("networks") or {}).values()
        for alias in (endpoint or {}).get("aliases") or []
    ]
    return [*dict.fromkeys([name, *filter(None, [service.get("container_name")]), *aliases])]


def _labels(shape: Shape) -> dict[str, str]:
    return {key: _quoted(value) for key, value in shape.labels.items()}


def _quoted(text: str) -> str:
    """Text in which Compose finds no variables."""
    return text.replace("$", "$$")

"""Writes to objects: what is checked, what the server keeps of them, and who owns it then."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any, Final

import msgspec
from msgspec import Struct

from fairway.kube import objects
from fairway.kube.kind import NAMESPACE, POD, SECRET, Json
from fairway.kube.transport import Request, Response
from fairway.testing.simkube import checking, patching, refusing
from fairway.testing.simkube.admitting import refusal
from fairway.testing.simkube.owning import Manager, applied, updated
from fairway.testing.simkube.refusing import Refused, answer
from fairway.testing.simkube.schemas import Resource
from fairway.testing.simkube.server import Place, SimApi, now

_SERVERS: Final = ("uid", "creationTimestamp", "generation", "deletionTimestamp", "managedFields")
_UNDELETED: Final = "deletionGracePeriodSeconds"


class Asked(Struct, frozen=True, kw_only=True):
    """How a write is meant."""

    method: str
    how: str  # the patch's content type
    body: bytes
    manager: str
    strict: bool
    dry_run: bool
    force: bool

    @classmethod
    def of(cls, request: Request) -> Asked:
        """From a request's words."""
        query = dict(request.query)
        return cls(
            method=request.method,
            how=request.headers.get("content-type", ""),
            body=request.body,
            manager=query.get("fieldManager") or "unknown",
            strict=query.get("fieldValidation") == "Strict",
            dry_run=query.get("dryRun") == "All",
            force=query.get("force") == "true",
        )

    @property
    def applies(self) -> bool:
        """Whether it is a server-side apply."""
        return "apply-patch" in self.how


class Writing:
    """One write to one place. Raises `Refused`."""

    def __init__(self, api: SimApi, resource: Resource, place: Place, asked: Asked) -> None:
        self._api, self._resource, self._place, self._asked = api, resource, place, asked
        self._warnings: list[str] = []

    def create(self, body: Json) -> Response:
        """A new object."""
        self._admit_namespace()
        made = self._decoded(body)
        if self._resource.status:
            made.pop("status", None)
        self._admit(made, None)
        self._own({}, made, "")
        return answer(self.keep(self._checked(made)), 201, self._warnings)

    def write(self, found: Json | None, subresource: str) -> Response:
        """A change, or an apply of what is not there yet."""
        if self._asked.applies:
            return self._apply(found, subresource)
        if found is None:
            raise refusing.not_found(self._resource.kind.resource, self._place[2])
        body = self._decoded(self._changed(found))
        given = objects.version(body)
        if given and given != objects.version(found):
            raise refusing.conflict(
                self._resource.kind.resource, self._place[2], "the object has been modified"
            )
        if objects.uid(body) not in ("", objects.uid(found)):
            raise refusing.conflict(self._resource.kind.resource, self._place[2], "another uid")
        made = self._checked(self._parted(found, body, subresource))
        self._admit(made, found)
        self._own(found, made, subresource)
        return answer(self.keep(made), 200, self._warnings)

    # ---- parts of it -----------------------------------------------------------------------------

    def keep(self, made: Json) -> Json:
        """Store it, unless it is a dry run."""
        if self._asked.dry_run:
            self._api.managers.pop(self._place, None)
            before = self._former
            if before is not None:
                self._api.managers[self._place] = before
            return made
        return self._api.put(self._place, made)

    def rescale(self, found: Json, replicas: int) -> Json:
        """Set how many replicas are wanted, by the scale subresource."""
        made = {**found, "spec": {**found["spec"], "replicas": replicas}}
        self._own(found, made, "scale")
        return self.keep(self._checked(made))

    def _own(self, before: Json, after: Json, subresource: str) -> None:
        self._former = self._api.managers.get(self._place)
        who = Manager(self._asked.manager, applies=False, subresource=subresource)
        held = self._former or {}
        self._api.managers[self._place] = updated(
            before, after, who, held, schema=self._resource.schema
        )

    _former: dict[Manager, Any] | None = None

    def _changed(self, found: Json) -> Json:
        """The object as the request wants it."""
        body: Any = msgspec.json.decode(self._asked.body)
        if self._asked.method == "PUT":
            return dict(body)
        how = self._asked.how
        try:
            if "json-patch" in how:
                return patching.json_patch(found, body)
            if "strategic" in how:
                if not self._resource.brought:
                    raise Refused(415, "UnsupportedMediaType", "no strategic patch of this kind")
                return dict(patching.strategic(found, body, self._resource.schema))
            return dict(patching.merge(found, body))
        except patching.BadPatch as error:
            raise Refused(422, "Invalid", str(error)) from error

    def _decoded(self, body: Json) -> Json:
        """Without what the kind does not know, with its defaults."""
        schema = self._resource.schema
        strange = list(checking.unknown(body, schema))
        if strange and self._asked.strict:
            raise refusing.strict(strange)
        self._warnings += [f'unknown field "{path}"' for path in strange]
        made = checking.defaulted(checking.pruned(body, schema), schema)
        if self._resource.kind == SECRET and made.get("stringData"):
            more = {k: _base64(v) for k, v in made.pop("stringData").items()}
            made["data"] = {**made.get("data", {}), **more}
        return dict(made)

    def _checked(self, made: Json) -> Json:
        wrong = checking.problems(made, self._resource.schema)
        if wrong:
            raise refusing.invalid(self._resource.kind.kind, self._place[2], wrong)
        return made

    def _parted(self, found: Json, made: Json, subresource: str) -> Json:
        """Status and the rest are written apart; what is the server's stays."""
        old = objects.metadata(found)
        if subresource == "status":
            return _with(found, "status", made.get("status"))
        meta = {k: v for k, v in objects.metadata(made).items() if k not in _SERVERS}
        meta.update({name: old[name] for name in (*_SERVERS, _UNDELETED) if name in old})
        made = {**made, "metadata": meta}
        return _with(made, "status", found.get("status")) if self._resource.status else made

    def _admit_namespace(self) -> None:
        namespace = self._place[1]
        if not namespace:
            return
        found = self._api.find(NAMESPACE, namespace)
        if found is None:
            raise refusing.not_found("namespaces", namespace)
        if objects.deleting(found):
            told = f"unable to create new content in namespace {namespace}: it is being terminated"
            raise Refused(403, "Forbidden", told, [{"reason": "NamespaceTerminating"}])

    def _admit(self, made: Json, before: Json | None) -> None:
        """Policies of pods."""
        if self._resource.kind == POD:
            why = refusal(self._api, self._place[1], made, before)
            if why:
                raise Refused(403, "Forbidden", f'pods "{self._place[2]}" is forbidden: {why}')

    # ---- apply -----------------------------------------------------------------------------------

    def _apply(self, found: Json | None, subresource: str) -> Response:
        config = self._applicable()
        if found is None:
            if subresource:
                raise refusing.not_found(self._resource.kind.resource, self._place[2])
            self._admit_namespace()
        elif objects.uid(config) not in ("", objects.uid(found)):
            raise refusing.conflict(self._resource.kind.resource, self._place[2], "another uid")
        config = self._part_of(config, subresource)
        live = found or {"metadata": objects.metadata(config)}
        self._former = self._api.managers.get(self._place)
        who = Manager(self._asked.manager, applies=True, subresource=subresource)
        done = applied(
            live,
            config,
            who,
            self._former or {},
            schema=self._resource.schema,
            force=self._asked.force,
        )
        if done.conflicts:
            raise refusing.contested(done.conflicts)
        made = checking.defaulted(done.object, self._resource.schema)
        if found is not None:
            made = {**made, "metadata": _kept_meta(found, made)}
        made = self._checked(made)
        self._api.managers[self._place] = done.managers
        return answer(self.keep(made), 200 if found else 201, self._warnings)

    def _applicable(self) -> Json:
        body = msgspec.json.decode(self._asked.body)
        strange = list(checking.unknown(body, self._resource.schema))
        if strange and self._resource.brought:
            raise refusing.untyped(strange)
        if strange and self._asked.strict:
            raise refusing.strict(strange)
        self._warnings += [f'unknown field "{path}"' for path in strange]
        made: Json = checking.pruned(body, self._resource.schema)
        meta = {**objects.metadata(made), "name": self._place[2]}
        if self._place[1]:
            meta["namespace"] = self._place[1]
        return {**made, "metadata": meta}

    def _part_of(self, config: Json, subresource: str) -> Json:
        if subresource == "status":
            return {"metadata": {}, "status": config.get("status") or {}}
        return _with(config, "status", None) if self._resource.status else config


def _kept_meta(found: Json, made: Json) -> Json:
    old = objects.metadata(found)
    names = (*_SERVERS, _UNDELETED, "name", "namespace", "resourceVersion")
    return {**objects.metadata(made), **{name: old[name] for name in names if name in old}}


def _with(obj: Mapping[str, Any], name: str, value: Any) -> Json:
    made = {key: one for key, one in obj.items() if key != name}
    return made if value is None else {**made, name: value}


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def ended() -> str:
    """The moment of a deletion."""
    return now()

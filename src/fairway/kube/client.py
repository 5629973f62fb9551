"""The Kubernetes API for one actor: requests on objects of any kind, as plain JSON dicts.

Every call has a deadline (`timeout`, seconds) and raises what `errors` has: `KubeUnavailable` may
be retried by the caller, who decides anew; a write that was cut off may have happened.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any, Final, Literal

from msgspec import structs

from fairway.kube import objects
from fairway.kube.caller import CALL_S, Actor, Caller, Query
from fairway.kube.discovery import Discovery
from fairway.kube.errors import KubeConflict, KubeExpired, KubeNotFound
from fairway.kube.kind import Json, Kind
from fairway.kube.page import EVERYTHING, Page, RawPage, Selection, read_page
from fairway.kube.transport import Response, Stream, Transport

PAGE: Final = 500
PatchType = Literal["merge", "strategic", "json"]
Propagation = Literal["Background", "Foreground", "Orphan"]
Objects = list[Json]
_APPLY: Final = "application/apply-patch+yaml"
_PATCHES: Final = {
    "merge": "application/merge-patch+json",
    "strategic": "application/strategic-merge-patch+json",
    "json": "application/json-patch+json",
}
_ONE: Final = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
_MANY: Final = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"


class Kube:
    """One API server for one actor. Safe to use from many tasks at once."""

    def __init__(
        self,
        transport: Transport,
        actor: Actor,
        *,
        on_warning: Callable[[str], None] | None = None,
        kinds: Discovery | None = None,
    ) -> None:
        """`on_warning` is told the server's warnings (deprecated kinds, dropped fields)."""
        self._caller = Caller(transport, actor, on_warning=on_warning)
        self.kinds = kinds or Discovery(self._caller)

    @property
    def caller(self) -> Caller:
        """The calls beneath, for what has no method here."""
        return self._caller

    @property
    def actor(self) -> Actor:
        """Who acts."""
        return self._caller.actor

    @property
    def server(self) -> str:
        """The server's address, for messages."""
        return self._caller.transport.server

    def acting(self, actor: Actor) -> Kube:
        """The same server for another actor, over the same connections."""
        return Kube(
            self._caller.transport,
            actor,
            on_warning=self._caller.on_warning,
            kinds=self.kinds,
        )

    def as_user(self, user: str, *groups: str) -> Kube:
        """The same server, judged by the rights of `user` in `groups` (impersonation)."""
        return self.acting(structs.replace(self.actor, user=user, groups=groups))

    async def close(self) -> None:
        """Drop every connection: for whoever opened the transport."""
        await self._caller.transport.close()

    # ---- reading ---------------------------------------------------------------------------------

    async def get(
        self,
        kind: Kind,
        name: str,
        namespace: str = "",
        *,
        subresource: str = "",
        timeout: float = CALL_S,
    ) -> Json:
        """One object, as it is now. Raises `KubeNotFound`."""
        request = self._caller.prepare("GET", kind.path(namespace, name, subresource))
        return await self._caller.call(request, timeout=timeout)

    async def find(
        self, kind: Kind, name: str, namespace: str = "", *, timeout: float = CALL_S
    ) -> Json | None:
        """One object, or None where there is none."""
        try:
            return await self.get(kind, name, namespace, timeout=timeout)
        except KubeNotFound:
            return None

    async def list(
        self, kind: Kind, selection: Selection = EVERYTHING, *, timeout: float = CALL_S
    ) -> list[Json]:
        """All objects that are selected, of one moment; each with `apiVersion` and `kind`.

        Read by pages, from the start again when the server no longer keeps their moment, and in
        the end all at once. `timeout` is for each page.
        """
        for limit in (PAGE, PAGE, PAGE):
            try:
                return await self._pages(kind, selection, limit=limit, timeout=timeout)
            except KubeExpired:
                continue
        return await self._pages(kind, selection, limit=0, timeout=timeout)

    async def _pages(
        self, kind: Kind, selection: Selection, *, limit: int, timeout: float
    ) -> Objects:
        found: Objects = []
        rest = ""
        while True:
            page = await self.page(kind, selection, limit=limit, rest=rest, timeout=timeout)
            found += page.items
            rest = page.rest
            if not rest:
                return found

    async def page(
        self,
        kind: Kind,
        selection: Selection = EVERYTHING,
        *,
        limit: int = PAGE,
        rest: str = "",
        timeout: float = CALL_S,
    ) -> Page:
        """One page of a list; `limit` 0 is all at once. Raises `KubeExpired` for an old `rest`."""
        raw = await self.raw_page(kind, selection, limit=limit, rest=rest, timeout=timeout)
        return Page(list(raw.objects()), raw.version, raw.rest)

    async def raw_page(
        self,
        kind: Kind,
        selection: Selection = EVERYTHING,
        *,
        limit: int = PAGE,
        rest: str = "",
        timeout: float = CALL_S,
    ) -> RawPage:
        """As `page`, with objects that are made one at a time: for caches, which keep less."""
        request = self._caller.prepare(
            "GET",
            kind.path(selection.namespace),
            query={**selection.query(), "limit": limit or None, "continue": rest},
            headers={"accept": _MANY} if selection.metadata_only else None,
        )
        answer = await self._caller.send(request, timeout=timeout)
        return read_page(kind, answer.body, self.server)

    def watch(
        self,
        kind: Kind,
        selection: Selection = EVERYTHING,
        *,
        version: str = "",
        seconds: int = 300,
        timeout: float = CALL_S,
    ) -> AbstractAsyncContextManager[Stream]:
        """The raw lines of a watch from `version` on, ended by the server after `seconds`.

        For `Informer`, which resumes, relists and keeps order: use that. `timeout` is until the
        answer begins.
        """
        query: Query = {
            **selection.query(),
            "watch": True,
            "allowWatchBookmarks": True,
            "resourceVersion": version,
            "timeoutSeconds": seconds,
        }
        headers = {"accept": _ONE} if selection.metadata_only else None
        path = kind.path(selection.namespace)
        request = self._caller.prepare("GET", path, query=query, headers=headers)
        return self._caller.stream(request, timeout=timeout)

    # ---- writing ---------------------------------------------------------------------------------

    async def create(
        self,
        kind: Kind,
        obj: Mapping[str, Any],
        *,
        dry_run: bool = False,
        strict: bool = True,
        timeout: float = CALL_S,
    ) -> Json:
        """Create it; returns what the server made of it. Raises `KubeExists`, `KubeInvalid`.

        `metadata.generateName` instead of a name lets the server choose one. `strict`: unknown and
        duplicate fields are refused by path; otherwise they are dropped with a warning.
        """
        path = kind.path(objects.key(obj).namespace)
        request = self._caller.prepare(
            "POST",
            path,
            query=self._written(dry_run=dry_run, strict=strict),
            body=_named(kind, obj),
        )
        return await self._caller.call(request, timeout=timeout)

    async def replace(
        self,
        kind: Kind,
        obj: Mapping[str, Any],
        *,
        subresource: str = "",
        dry_run: bool = False,
        strict: bool = True,
        timeout: float = CALL_S,
    ) -> Json:
        """Put it in the place of the one that has the same resourceVersion.

        Raises `KubeConflict` when that one has changed, `KubeInvalid` without a resourceVersion
        (nothing is written unconditionally). `subresource` is `status`, for one.
        """
        if not objects.version(obj):
            raise ValueError("a replacement needs the resourceVersion of what it replaces")
        key = objects.key(obj)
        request = self._caller.prepare(
            "PUT",
            kind.path(key.namespace, key.name, subresource),
            query=self._written(dry_run=dry_run, strict=strict),
            body=_named(kind, obj) if subresource in ("", "status") else obj,
        )
        return await self._caller.call(request, timeout=timeout)

    async def patch(
        self,
        kind: Kind,
        name: str,
        namespace: str = "",
        *,
        body: Any,
        how: PatchType = "merge",
        subresource: str = "",
        dry_run: bool = False,
        timeout: float = CALL_S,
    ) -> Json:
        """Change parts of it; `body` is a map, or a list of operations for `json`.

        With `metadata.resourceVersion` in the body (merge, strategic) the patch is conditional.
        """
        request = self._caller.prepare(
            "PATCH",
            kind.path(namespace, name, subresource),
            query=self._written(dry_run=dry_run, strict=True),
            body=body,
            headers={"content-type": _PATCHES[how]},
        )
        return await self._caller.call(request, timeout=timeout)

    async def apply(
        self,
        kind: Kind,
        obj: Mapping[str, Any],
        *,
        subresource: str = "",
        force: bool = False,
        dry_run: bool = False,
        strict: bool = True,
        timeout: float = CALL_S,
    ) -> Json:
        """Server-side apply: own the fields of `obj` as the actor's manager, create or change.

        Fields that the manager applied before and that `obj` leaves out go away. Raises
        `ApplyConflict` with the owners when others own a field with another value, unless `force`
        takes it over. `metadata.managedFields` must not be there.
        """
        key = objects.key(obj)
        request = self._caller.prepare(
            "PATCH",
            kind.path(key.namespace, key.name, subresource),
            query={**self._written(dry_run=dry_run, strict=strict), "force": force},
            body=_named(kind, obj),
            headers={"content-type": _APPLY},
        )
        return await self._caller.call(request, timeout=timeout)

    def _written(self, *, dry_run: bool, strict: bool) -> dict[str, str | None]:
        return {
            "fieldManager": self.actor.manager,
            "fieldValidation": "Strict" if strict else "Warn",
            "dryRun": "All" if dry_run else None,
        }

    async def delete(
        self,
        kind: Kind,
        name: str,
        namespace: str = "",
        *,
        uid: str = "",
        version: str = "",
        propagation: Propagation = "Background",
        grace_s: int | None = None,
        dry_run: bool = False,
    ) -> Json | None:
        """Begin its deletion; None when there is none of that name.

        `uid` and `version` are preconditions: `KubeConflict` when it is another, or has changed.
        Returns the object that finalizers or grace still hold, or a `Status`.
        """
        preconditions = {"uid": uid or None, "resourceVersion": version or None}
        options = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "propagationPolicy": propagation,
            "gracePeriodSeconds": grace_s,
            "preconditions": _given(preconditions) or None,
            "dryRun": ["All"] if dry_run else None,
        }
        path = kind.path(namespace, name)
        request = self._caller.prepare("DELETE", path, body=_given(options))
        try:
            return await self._caller.call(request)
        except KubeNotFound:
            return None

    async def update(
        self,
        kind: Kind,
        name: str,
        namespace: str = "",
        *,
        change: Callable[[Json], Json | None],
        subresource: str = "",
        tries: int = 5,
    ) -> Json:
        """Read, change and replace; again from the start when it changed meanwhile.

        `change` gets an object of its own and returns what to write, None for nothing to do. It
        may be called several times. Raises `KubeConflict` after `tries`.
        """
        while True:
            tries -= 1
            found = await self.get(kind, name, namespace)
            wanted = change(objects.copy(found))
            if wanted is None or wanted == found:
                return found
            try:
                return await self.replace(kind, wanted, subresource=subresource)
            except KubeConflict:
                if tries <= 0:
                    raise

    async def scale(
        self, kind: Kind, name: str, namespace: str, replicas: int, *, dry_run: bool = False
    ) -> Json:
        """Set how many replicas are wanted; returns the `Scale`."""
        body = {"spec": {"replicas": replicas}}
        return await self.patch(
            kind, name, namespace, body=body, subresource="scale", dry_run=dry_run
        )

    # ---- anything else ---------------------------------------------------------------------------

    async def raw(
        self,
        method: str,
        path: str,
        *,
        query: Query | None = None,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        timeout: float = CALL_S,
    ) -> Response:
        """A call to a path such as `/readyz`. Raises for a status from 400 on."""
        request = self._caller.prepare(method, path, query=query, body=body, headers=headers)
        return await self._caller.send(request, timeout=timeout)

    async def version(self, *, timeout: float = CALL_S) -> Json:
        """`/version`: `gitVersion`, `major`, `minor`."""
        return await self._caller.call(self._caller.prepare("GET", "/version"), timeout=timeout)


def _named(kind: Kind, obj: Mapping[str, Any]) -> Json:
    """The object with the `apiVersion` and `kind` that callers may leave out."""
    return {"apiVersion": kind.api_version, "kind": kind.kind, **obj}


def _given(fields: Mapping[str, Any]) -> Json:
    return {name: value for name, value in fields.items() if value is not None}

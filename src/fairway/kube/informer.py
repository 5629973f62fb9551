"""A cache of objects that follows the API server: a list, then a watch, for ever.

What it guarantees (docs/explanation/kube.md): once the server is quiet, the cache equals it; an
object in the cache never goes back to an older resourceVersion; every change is told as a change
of its key, though several may be told as one.
"""

from __future__ import annotations

import asyncio
import logging
import zlib
from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import Any, Final, TypeVar

from msgspec import Struct

from fairway.kube import objects
from fairway.kube.client import Kube
from fairway.kube.errors import KubeExpired, KubeNotFound, KubeUnavailable
from fairway.kube.events import Event, events
from fairway.kube.kind import Json, Key, Kind
from fairway.kube.page import EVERYTHING, Selection
from fairway.kube.store import Change, Index, Store
from fairway.kube.workqueue import WorkQueue
from fairway.model.errors import FairwayError

log: Final = logging.getLogger(__name__)
K = TypeVar("K", bound=Hashable)
Handler = Callable[[Json | None, Json | None], None]
_RESTARTS: Final = 3  # of a paged list that expires in the middle; then all at once
_OLDER: Final = 3  # lists in a row from before what was seen: the server's history was rewritten


class Habits(Struct, frozen=True, kw_only=True):
    """How an informer behaves; seconds."""

    page: int = 250
    watch_s: int = 300  # then the server ends the watch, which is resumed;
    spread_s: int = 30  # each kind's up to so much later: not all of a process end together
    quiet_s: float = 100.0  # bookmarks come each minute: longer silence is a dead connection
    first_wait_s: float = 0.1
    most_wait_s: float = 30.0


class Informer:
    """One kind (or what of it is selected), cached. Run it as a task; read `store` any time."""

    def __init__(
        self,
        kube: Kube,
        kind: Kind,
        *,
        selection: Selection = EVERYTHING,
        indexes: Mapping[str, Index] | None = None,
        transform: Callable[[Json], Json] = objects.trim,
        optional: bool = False,
        habits: Habits | None = None,
    ) -> None:
        """`transform` may change or replace what it gets, but for name, namespace and version.

        `optional`: a kind that the server does not have counts as synced and empty, until its CRD
        comes; otherwise that is a `problem`.
        """
        self.kind = kind
        self.selection = selection
        self.store = Store(indexes)
        self.problem: FairwayError | None = None
        self._kube = kube
        self._transform = transform
        self._optional = optional
        self._habits = habits or Habits()
        self._handlers: list[Handler] = []
        self._synced = asyncio.Event()
        self._version = ""  # up to where the server's history is known
        self._older = 0
        self._absent = 0

    @property
    def synced(self) -> bool:
        """Whether the first list is in the cache. Stays so while the server is out of reach."""
        return self._synced.is_set()

    async def wait_synced(self, timeout: float) -> None:
        """Wait for `synced`. Raises `KubeUnavailable` with what is in the way."""
        try:
            async with asyncio.timeout(timeout):
                await self._synced.wait()
        except TimeoutError as error:
            why = f": {self.problem}" if self.problem else ""
            raise KubeUnavailable(
                f"{self.kind.resource} of {self._kube.server} were not read within "
                f"{timeout:g} s{why}",
                code="kube-unavailable",
            ) from error

    def on_change(self, handler: Handler) -> None:
        """Have `handler(old, new)` called for every change from now on, and for what is there.

        It is called within the loop: it must be quick, and must not change what it gets.
        """
        self._handlers.append(handler)
        for obj in self.store:
            self._call(handler, Change(None, obj))

    def feed(self, queue: WorkQueue[K], keys: Callable[[Json], Iterable[K]]) -> None:
        """Add to `queue` the keys that `keys` gives for an object, before and after a change.

        For the objects' own keys: `informer.feed(queue, own_key)`.
        """

        def handler(old: Json | None, new: Json | None) -> None:
            for obj in (old, new):
                if obj is not None:
                    for key in keys(obj):
                        queue.add(key)

        self.on_change(handler)

    def observe(self, obj: Json) -> None:
        """Take the answer of one's own write at once, before the watch tells of it.

        What the watch has told already is newer or the same, and stays. With a selector, only
        what is in the cache is replaced: whether another is selected is the server's to say.
        """
        if not self.synced or objects.compare_versions(objects.version(obj), self._version) != 1:
            return
        key = objects.key(obj)
        narrow = self.selection
        if narrow.namespace and key.namespace != narrow.namespace:
            return
        if key not in self.store and (narrow.labels or narrow.fields):
            return
        self._tell(self.store.put(self._made(objects.copy(obj))))

    # ---- following -------------------------------------------------------------------------------

    async def run(self) -> None:
        """Follow the server for ever. Ends by cancellation only."""
        wait = self._habits.first_wait_s
        while True:
            before = self._version
            try:
                await self._list()
                await self._follow()
            except KubeNotFound as error:
                self._not_served(error)
            except FairwayError as error:
                self._trouble(error)
            if self._version != before:
                wait = self._habits.first_wait_s
            await asyncio.sleep(wait)
            wait = min(wait * 2, self._habits.most_wait_s)

    def _trouble(self, error: FairwayError) -> None:
        if self.problem is None or str(self.problem) != str(error):
            log.info("%s of %s: %s", self.kind.resource, self._kube.server, error)
        self.problem = error

    def _not_served(self, error: KubeNotFound) -> None:
        """The server does not have the kind (now)."""
        self._absent += 1
        if not self._optional:
            self._trouble(error)
            return
        # A second time, before everything counts as gone: a server's word at a bad moment.
        if self._absent > 1 or not len(self.store):
            for key in self.store.keys():  # noqa: SIM118 a store is no dict
                self._tell(self.store.remove(key))
            self.problem = None
            self._synced.set()

    async def _list(self) -> None:
        """Bring the cache to one moment of the server's, by pages."""
        for restart in range(_RESTARTS + 1):
            limit = self._habits.page if restart < _RESTARTS else 0
            try:
                version, seen, force = await self._pages(limit)
            except KubeExpired:
                if limit:
                    continue
                raise
            break
        for key in self.store.keys():  # noqa: SIM118 a store is no dict
            if key not in seen:
                self._tell(self.store.remove(key, "" if force else version))
        self._version = version
        self._absent = 0
        self.problem = None
        self._synced.set()

    async def _pages(self, limit: int) -> tuple[str, set[Key], bool]:
        """Take all pages; returns their version, the keys, and whether history was rewritten."""
        seen: set[Key] = set()
        force, rest = False, ""
        while True:
            page = await self._kube.raw_page(self.kind, self.selection, limit=limit, rest=rest)
            if not rest:
                force = self._rewritten(page.version)
            for item in page.objects():
                made = self._made(item)
                seen.add(objects.key(made))
                self._tell(self.store.put(made, force=force))
            rest = page.rest
            if not rest:
                return page.version, seen, force

    def _rewritten(self, version: str) -> bool:
        """Whether a list is from a history that does not know what was seen.

        A list is read by quorum and cannot be older than what was seen before, unless the server's
        data was restored from a backup. One such answer is not believed, three in a row are.
        """
        if objects.compare_versions(version, self._version or version) != -1:
            self._older = 0
            return False
        self._older += 1
        if self._older < _OLDER:
            raise KubeUnavailable(
                f"the list of {self.kind.resource} is from before what was seen "
                f"({version} < {self._version})",
                code="kube-unavailable",
            )
        log.warning(
            "%s of %s: its history was rewritten, %s came after %s: taking it as it is",
            self.kind.resource,
            self._kube.server,
            version,
            self._version,
        )
        self._older = 0
        return True

    async def _follow(self) -> None:
        """Watch from where the cache is, again and again. Returns when a list is needed."""
        wait = self._habits.first_wait_s
        while True:
            before = self._version
            began = asyncio.get_running_loop().time()
            try:
                if not await self._watch():
                    return
            except (KubeExpired, KubeNotFound):
                return
            except FairwayError as error:
                if _too_new(error):
                    return
                self._trouble(error)
            lasted = asyncio.get_running_loop().time() - began
            if self._version != before or lasted > self._habits.most_wait_s:
                wait = self._habits.first_wait_s
            await asyncio.sleep(wait)
            wait = min(wait * 2, self._habits.most_wait_s)

    async def _watch(self) -> bool:
        """One watch to its end; whether the next one may go on where it ended."""
        habits = self._habits
        seconds = habits.watch_s + zlib.crc32(self.kind.resource.encode()) % habits.spread_s
        opening = self._kube.watch(
            self.kind, self.selection, version=self._version, seconds=seconds
        )
        async with opening as stream:
            self.problem = None
            source = events(stream.chunks(), self._kube.server, quiet_s=habits.quiet_s)
            async for event in source:
                if not self._take(event):
                    return False
        return True

    def _take(self, event: Event) -> bool:
        """Take one event; False for one from before what was seen, which needs a list."""
        version = objects.version(event.object)
        if self._version and objects.compare_versions(version, self._version) == -1:
            return False
        if event.type in ("ADDED", "MODIFIED"):
            self._tell(self.store.put(self._made(event.object)))
        elif event.type == "DELETED":
            self._tell(self.store.remove(objects.key(event.object), version))
        elif event.type != "BOOKMARK":
            return False
        self._version = version or self._version
        return True

    def _made(self, obj: Json) -> Json:
        """What is kept of an object: all of it where the transform has a defect."""
        try:
            return self._transform(obj)
        except Exception:
            log.exception("the transform of %s failed on %s", self.kind.resource, objects.key(obj))
            return obj

    def _tell(self, change: Change | None) -> None:
        if change is not None:
            for handler in self._handlers:
                self._call(handler, change)

    def _call(self, handler: Handler, change: Change) -> None:
        try:
            handler(change.old, change.new)
        except Exception:
            # A defect of the handler's: the other handlers and the cache go on.
            log.exception("a handler of %s failed on %s", self.kind.resource, change.key)


def own_key(obj: Json) -> Iterable[Key]:
    """The object's own key: for `Informer.feed`."""
    return (objects.key(obj),)


def _too_new(error: FairwayError) -> bool:
    """The server does not know the version yet, and may never: its data was restored."""
    return "Too large resource version" in str(error)


def owner_key(kind: Kind) -> Callable[[Json], Iterable[Key]]:
    """The key of the object of `kind` that controls an object: for `Informer.feed`."""

    def keys(obj: Mapping[str, Any]) -> Iterable[Key]:
        found = objects.controller(obj)
        if found is None or found.get("kind") != kind.kind:
            return ()
        if (
            str(found.get("apiVersion") or "").partition("/")[0]
            != kind.api_version.partition("/")[0]
        ):
            return ()
        namespace = objects.key(obj).namespace if kind.namespaced else ""
        return (Key(namespace, str(found.get("name") or "")),)

    return keys

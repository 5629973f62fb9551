"""One application brought on: looked at, synced where it shall be, and its status told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from fairway.gitops import operating, status
from fairway.gitops.application import Application, read
from fairway.gitops.automation import SYNC_ERROR, automatic
from fairway.gitops.deleting import Deleter, is_wanted
from fairway.gitops.ground import Grounds, OutOfReach, Unfit
from fairway.gitops.objects import Condition, Json
from fairway.gitops.state import Ground, Observer, State
from fairway.gitops.syncing import Asked, Syncer
from fairway.gitops.tasks import ERROR, RUNNING, SUCCEEDED, TERMINATING
from fairway.gitops.writing import Writer
from fairway.kit import clock
from fairway.kube import Key
from fairway.model.errors import Conflict, Unavailable
from fairway.native.toolbox import Toolbox

_WAITING_S: Final = 10.0  # a look at what runs, should no change of it be told
_BLOCKING: Final = ("ComparisonError", "InvalidSpecError")
_AT_ONCE: Final = 0.0


class Reconciler:
    """Applications of one hub."""

    def __init__(
        self, observer: Observer, grounds: Grounds, writer: Writer, toolbox: Toolbox
    ) -> None:
        self._observer = observer
        self._grounds = grounds
        self._writer = writer
        self._toolbox = toolbox
        self._deleter = Deleter(grounds, writer)

    async def reconcile(self, raw: Json, *, fresh: bool, lazy: bool = False) -> float | None:
        """Bring one application on; the seconds after which to look again, or None.

        `fresh`: ask its source for what it stands for now. `lazy`: a mere change of the revision
        need not be written yet: -1 says that there is one. Raises `FairwayError` for what may be
        tried again.
        """
        app = read(raw)
        if app.deleting:
            return await self._deleter.step(app) if is_wanted(app) else None
        try:
            ground = self._grounds.of(app)
        except Unfit as error:
            await self._unfit(app, error.conditions)
            return None
        except OutOfReach as error:
            said = Condition("ComparisonError", f"Failed to load live state: {error}")
            await self._tell_unknown(app, [said])
            return _WAITING_S
        state = await self._look(app, ground, fresh=fresh or bool(app.refresh))
        if app.operation is not None:
            return await self._operate(app, ground, state)
        return await self._settle(app, ground, state, lazy=lazy and not app.refresh)

    async def inspect(self, raw: Json) -> State:
        """An application compared now, changing nothing. Raises `Conflict` (`app-unfit`) where it
        cannot be, `Unavailable` where its cluster cannot be read.
        """
        app = read(raw)
        try:
            ground = self._grounds.of(app)
        except Unfit as error:
            said = f"the application {app.key.name} cannot be compared: {error}"
            raise Conflict(said, code="app-unfit") from error
        except OutOfReach as error:
            raise Unavailable(str(error), code="cluster-unavailable") from error
        return await self._look(app, ground, fresh=False)

    def forget(self, key: Key) -> None:
        """An application is gone."""
        self._observer.forget(key)

    async def _look(self, app: Application, ground: Ground, *, fresh: bool) -> State:
        return await self._observer.look(
            app, ground, source=app.spec.source, revision="", fresh=fresh
        )

    # ---- what cannot be compared -----------------------------------------------------------------

    async def _unfit(self, app: Application, conditions: Sequence[Condition]) -> None:
        """Say why; an operation that is asked for has failed."""
        if app.operation is None:
            await self._tell_unknown(app, conditions)
            return
        began = self._begun(app)
        ended = operating.ended(_unretried(began), ERROR, operating.told(conditions), clock.now())
        await self._tell_unknown(app, conditions, operation=ended)

    async def _tell_unknown(
        self, app: Application, conditions: Sequence[Condition], *, operation: Json | None = None
    ) -> None:
        now = clock.now()
        revision = str((app.status.get("sync") or {}).get("revision") or "")
        made = status.unknown(app, revision, now)
        made["conditions"] = status.conditions(app, conditions, now)
        if operation is not None:
            made["operationState"] = operation
            await self._write(app, made, operation=None)
        else:
            await self._write(app, made)

    # ---- no operation ----------------------------------------------------------------------------

    async def _settle(
        self, app: Application, ground: Ground, state: State, *, lazy: bool
    ) -> float | None:
        """Tell what was found, and begin a sync where automation says so."""
        now = clock.now()
        auto = automatic(app, state.compared, state.revision, now)
        if auto.operation is not None and not _blocked(state.compared.conditions):
            began = operating.begun(auto.operation, app.spec.source, now)
            made = {**self._found(app, state), "operationState": began}
            answer = await self._write(app, made, operation=auto.operation)
            return _AT_ONCE if answer is None else await self._go(read(answer), ground, state)
        more = [auto.condition] if auto.condition else self._kept(app, state)
        made = self._found(app, state, *more)
        if lazy and _only_revision(app, made):
            return -1.0
        await self._write(app, made)
        return auto.wait_s

    def _kept(self, app: Application, state: State) -> list[Condition]:
        """Why the last sync failed stays while it still differs."""
        if state.compared.status == "Synced" or app.automated is None:
            return []
        return [
            Condition(SYNC_ERROR, str(one.get("message") or ""))
            for one in app.status.get("conditions") or ()
            if one.get("type") == SYNC_ERROR and app.state.get("phase") != SUCCEEDED
        ]

    def _found(self, app: Application, state: State, *more: Condition) -> Json:
        """What a comparison says, as fields of the status."""
        now = clock.now()
        made = status.of_comparison(
            app, state.compared, revision=state.revision, source_type=state.source_type, now=now
        )
        every = (*state.compared.conditions, *more)
        made["conditions"] = status.conditions(app, every, now)
        return made

    async def _write(
        self, app: Application, made: Mapping[str, Any], *, operation: Any = ...
    ) -> Json | None:
        """Write what differs, with the time of the comparison."""
        changed = status.patch(app.status, made)
        if not changed and operation is ... and not app.refresh:
            return app.raw
        stamped = {**made, "reconciledAt": operating.text(clock.now())}
        return await self._writer.status(app, stamped, operation=operation, refreshed=app.refresh)

    # ---- an operation ----------------------------------------------------------------------------

    def _begun(self, app: Application) -> Json:
        if operating.in_progress(app.state):
            return app.state
        operation = app.raw.get("operation") or {}
        return operating.begun(operation, app.spec.source, clock.now())

    async def _operate(self, app: Application, ground: Ground, state: State) -> float | None:
        """Begin an operation that is asked for, or go on with it."""
        began = self._begun(app)
        wait = operating.retry_wait(began, clock.now())
        if wait is not None and wait > 0 and began.get("phase") != TERMINATING:
            await self._write(app, self._found(app, state))
            return wait
        if wait is not None and began.get("phase") != TERMINATING:
            began = operating.retried(began, app.spec.source)
        if began is not app.state:
            made = {**self._found(app, state), "operationState": began}
            answer = await self._write(app, made)
            if answer is None:
                return _AT_ONCE
            app = read(answer)
        return await self._go(app, ground, state)

    async def _go(self, app: Application, ground: Ground, state: State) -> float | None:
        """One step of the operation in `status.operationState`, and what came of it."""
        began = app.state
        asked = app.operation.sync if app.operation else None
        refused = [one for one in app.problems if one.path.startswith("operation.")]
        if asked is None or refused:
            said = "; ".join(map(str, refused)) or "no operation specified"
            ended = _unretried(began)
            return await self._ended(
                app, ground, state, (ended, ERROR, f"Invalid operation request: {said}")
            )
        source, synced = await self._synced(app, ground, state)
        if _blocked(synced.compared.conditions):
            said = operating.told(_blocked(synced.compared.conditions))
            return await self._ended(app, ground, state, (began, ERROR, said))
        outcome = await Syncer(ground.live, self._toolbox).step(
            Asked(
                app=app,
                sync=asked,
                state=began,
                revision=synced.revision,
                compared=synced.compared,
                targets=synced.targets,
                live=synced.live,
                project=ground.project,
                member=ground.member,
            )
        )
        result = {
            "source": source,
            "revision": synced.revision,
            "resources": outcome.results,
        }
        reached = {**began, "syncResult": result}
        again = await self._ended(app, ground, state, (reached, outcome.phase, outcome.message))
        return _AT_ONCE if outcome.again else again

    async def _synced(self, app: Application, ground: Ground, state: State) -> tuple[Json, State]:
        """The source that the operation is about, and the application's state by it."""
        result = app.state.get("syncResult") or {}
        source = result.get("source") or app.spec.source
        revision = str(result.get("revision") or "")
        if source == app.spec.source and revision in ("", state.revision):
            return source, state
        return source, await self._observer.look(
            app, ground, source=source, revision=revision, fresh=not revision
        )

    async def _ended(
        self,
        app: Application,
        ground: Ground,
        state: State,
        what: tuple[Json, str, str],
    ) -> float | None:
        """Write where the operation is; one that is over leaves the field `operation`."""
        reached, phase, message = what
        now = clock.now()
        made_state = operating.ended(reached, phase, message, now)
        if operating.in_progress(made_state):
            made = {**self._found(app, state), "operationState": made_state}
            answer = await self._write(app, made)
            wait = operating.retry_wait(made_state, now)
            return _AT_ONCE if answer is None else (_WAITING_S if wait is None else wait)
        after = await self._look(app, ground, fresh=False)
        made = {
            **self._found(app, after),
            "operationState": made_state,
            "history": operating.history(app, made_state, now),
        }
        await self._write(app, made, operation=None)
        return _AT_ONCE


def _unretried(state: Mapping[str, Any]) -> Json:
    """An operation that can never be right is not tried again."""
    operation = {**(state.get("operation") or {}), "retry": {}}
    return {**state, "operation": operation, "phase": RUNNING}


def _blocked(conditions: Sequence[Condition]) -> list[Condition]:
    """What keeps an application from being synced."""
    return [one for one in conditions if one.type in _BLOCKING]


def _only_revision(app: Application, made: Mapping[str, Any]) -> bool:
    """Whether nothing but the revision is new."""
    changed = status.patch(app.status, made)
    return set(changed) == {"sync"} and set(changed["sync"]) == {"revision"}

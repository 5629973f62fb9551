"""An Application as the controller reads it: Argo CD's fields, typed. Pure.

Fields that are left out here are other files' (`source.py`) or carry nothing to act on (`info`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
from msgspec import Struct, field

from fairway.gitops.kinds import APPLICATION_RULES
from fairway.gitops.objects import Json, ObjectKey
from fairway.kit import goduration
from fairway.kube import Key, objects
from fairway.kube.subset import FieldProblem, unsupported
from fairway.model.errors import InvalidInput

FOREGROUND: Final = "resources-finalizer.argocd.argoproj.io"
FOREGROUND_LONG: Final = "resources-finalizer.argocd.argoproj.io/foreground"
BACKGROUND: Final = "resources-finalizer.argocd.argoproj.io/background"
FINALIZERS: Final = frozenset({FOREGROUND, FOREGROUND_LONG, BACKGROUND})
REFRESH: Final = "argocd.argoproj.io/refresh"
HISTORY: Final = 10  # entries, unless the spec says otherwise


class Place(Struct, frozen=True, kw_only=True):
    """`spec.destination`."""

    server: str = ""
    name: str = ""
    namespace: str = ""


class Automated(Struct, frozen=True, kw_only=True, rename="camel"):
    """`spec.syncPolicy.automated`."""

    enabled: bool = True
    prune: bool = False
    self_heal: bool = False
    allow_empty: bool = False


class Backoff(Struct, frozen=True, kw_only=True, rename="camel"):
    """How long to wait between tries."""

    duration: str = ""
    factor: int | None = None
    max_duration: str = ""


class Retry(Struct, frozen=True, kw_only=True):
    """`syncPolicy.retry`, `operation.retry`: `limit` tries after the first, below 0 for ever."""

    limit: int = 0
    backoff: Backoff | None = None
    refresh: bool = False


class Policy(Struct, frozen=True, kw_only=True, rename="camel"):
    """`spec.syncPolicy`."""

    automated: Automated | None = None
    sync_options: tuple[str, ...] = ()
    retry: Retry | None = None


class Ignored(Struct, frozen=True, kw_only=True, rename="camel"):
    """One of `spec.ignoreDifferences`."""

    kind: str
    group: str = ""
    name: str = ""
    namespace: str = ""
    json_pointers: tuple[str, ...] = ()


class Spec(Struct, frozen=True, kw_only=True, rename="camel"):
    """`spec`. `source` is JSON: `source.parse` reads it."""

    project: str = "default"
    source: Json = field(default_factory=dict)
    destination: Place = Place()
    sync_policy: Policy = Policy()
    ignore_differences: tuple[Ignored, ...] = ()
    revision_history_limit: int | None = None


class Selected(Struct, frozen=True, kw_only=True):
    """One resource that a partial sync names; an empty namespace is any."""

    kind: str
    name: str
    group: str = ""
    namespace: str = ""

    def fits(self, key: ObjectKey) -> bool:
        """Whether an object is meant."""
        same = (self.group, self.kind, self.name) == (key.group, key.kind, key.name)
        return same and self.namespace in ("", key.namespace)


class Strategy(Struct, frozen=True, kw_only=True):
    """`syncStrategy`: `apply` runs no hooks."""

    apply: Json | None = None
    hook: Json | None = None


class Sync(Struct, frozen=True, kw_only=True, rename={
    "dry_run": "dryRun", "sync_options": "syncOptions", "sync_strategy": "syncStrategy",
    "heals": "autoHealAttemptsCount",
}):  # fmt: skip
    """`operation.sync`. `source` None is the spec's."""

    revision: str = ""
    prune: bool = False
    dry_run: bool = False
    source: Json | None = None
    resources: tuple[Selected, ...] = ()
    sync_options: tuple[str, ...] = ()
    sync_strategy: Strategy | None = None
    heals: int = 0


class Initiator(Struct, frozen=True, kw_only=True):
    """Who began an operation."""

    username: str = ""
    automated: bool = False


class Operation(Struct, frozen=True, kw_only=True, rename="camel"):
    """`operation`: what a client, or automation, asks for."""

    sync: Sync | None = None
    initiated_by: Initiator = Initiator()
    retry: Retry = Retry()


class Application(Struct, frozen=True, kw_only=True):
    """One Application. `raw` is the object itself; `status` its status as it is written there."""

    key: Key
    raw: Json
    spec: Spec
    status: Json
    operation: Operation | None
    problems: tuple[FieldProblem, ...]

    @property
    def uid(self) -> str:
        """Its identity; another of the same name has another."""
        return objects.uid(self.raw)

    @property
    def version(self) -> str:
        """Its resourceVersion."""
        return objects.version(self.raw)

    @property
    def options(self) -> tuple[str, ...]:
        """The policy's sync options."""
        return self.spec.sync_policy.sync_options

    @property
    def automated(self) -> Automated | None:
        """What automation may do; None where it is off."""
        found = self.spec.sync_policy.automated
        return found if found is not None and found.enabled else None

    @property
    def deleting(self) -> bool:
        """Whether its deletion has begun."""
        return objects.deleting(self.raw)

    @property
    def finalizers(self) -> list[str]:
        """Its finalizers."""
        return list(objects.metadata(self.raw).get("finalizers") or ())

    @property
    def refresh(self) -> str:
        """`normal`, `hard`, or "" where no refresh is asked for."""
        notes = objects.notes(self.raw)
        return ("hard" if notes[REFRESH] == "hard" else "normal") if REFRESH in notes else ""

    @property
    def state(self) -> Json:
        """`status.operationState`; {} where there is none."""
        return self.status.get("operationState") or {}

    @property
    def history_limit(self) -> int:
        """Entries of history that are kept."""
        given = self.spec.revision_history_limit
        return HISTORY if given is None else max(given, 0)


def read(raw: Json) -> Application:
    """An Application from its object. Raises `InvalidInput` (`bad-application`): an object that
    its definition would not admit.
    """
    try:
        spec = msgspec.convert(_given(raw.get("spec") or {}), Spec)
        operation = raw.get("operation")
        asked = msgspec.convert(_given(operation), Operation) if operation else None
    except msgspec.ValidationError as error:
        raise InvalidInput(
            f"the application {objects.key(raw)} cannot be read: {error}", code="bad-application"
        ) from None
    return Application(
        key=objects.key(raw),
        raw=raw,
        spec=spec,
        status=raw.get("status") or {},
        operation=asked,
        problems=tuple(unsupported(raw, APPLICATION_RULES)),
    )


def _given(value: Any) -> Any:
    """Without fields that are null, which are as if left out; a source stays as it is."""
    if isinstance(value, Mapping):
        return {
            name: each if name == "source" else _given(each)
            for name, each in value.items()
            if each is not None
        }
    if isinstance(value, list):
        return [_given(each) for each in value]
    return value


def option(options: Sequence[str], name: str) -> str:
    """The value of the first option of that name, "" without one: `Prune` of `Prune=false`."""
    for text in options:
        found, equals, value = text.strip().partition("=")
        if equals and found == name:
            return value
    return ""


def has(options: Sequence[str], text: str) -> bool:
    """Whether an option is given as it is written."""
    return any(one.strip() == text for one in options)


def seconds(text: str) -> float:
    """A duration of Argo CD's: whole seconds, or as Go writes them. Raises `InvalidInput`."""
    if re.fullmatch(r"[+-]?[0-9]+", text):
        return float(int(text))
    try:
        return goduration.seconds(text)
    except ValueError as error:
        raise InvalidInput(f"unable to parse {text} as a duration", code="bad-duration") from error

"""A run of an analysis as data: what Argo Rollouts writes into `status`, and reads in `spec`."""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec
from msgspec import Struct, field

from fairway.kube.kind import Json

PENDING: Final = "Pending"
RUNNING: Final = "Running"
SUCCESSFUL: Final = "Successful"
FAILED: Final = "Failed"
ERROR: Final = "Error"
INCONCLUSIVE: Final = "Inconclusive"
ENDED: Final = frozenset({SUCCESSFUL, FAILED, ERROR, INCONCLUSIVE})

Number = int | str | None
_WHOLE: Final = re.compile(r"[+-]?[0-9]{1,18}\Z", re.ASCII)


def whole(value: Number) -> int:
    """A number or text as Kubernetes reads it: text that is no number counts as 0."""
    if isinstance(value, str):
        return int(value) if _WHOLE.match(value) else 0
    return value or 0


class Metric(Struct, frozen=True, rename="camel"):
    """What is measured, how often, and what it must be; arguments are filled in."""

    name: str = ""
    interval: str = ""
    initial_delay: str = ""
    count: Number = None
    success_condition: str = ""
    failure_condition: str = ""
    failure_limit: Number = None
    inconclusive_limit: Number = None
    consecutive_error_limit: Number = None
    consecutive_success_limit: Number = None
    provider: Json = {}

    @property
    def wanted(self) -> int | None:
        """How often it is measured; None is for ever."""
        return whole(self.count) or (None if self.interval else 1)

    @property
    def errors(self) -> int:
        """How many errors in a row it may have."""
        given = self.consecutive_error_limit
        return 4 if given is None else whole(given)


class Measurement(Struct, frozen=True, rename="camel", omit_defaults=True):
    """One value at one time; without `finished_at` it is still being measured."""

    phase: str
    message: str = ""
    started_at: str | None = None
    finished_at: str | None = None
    value: str = ""
    metadata: dict[str, str] = field(default_factory=dict)
    resume_at: str | None = None


class Result(Struct, frozen=True, rename="camel", omit_defaults=True):
    """Everything that was measured of one metric."""

    name: str
    phase: str
    measurements: tuple[Measurement, ...] = ()
    message: str = ""
    count: int = 0
    successful: int = 0
    failed: int = 0
    inconclusive: int = 0
    error: int = 0
    consecutive_error: int = 0
    dry_run: bool = False
    metadata: dict[str, str] = field(default_factory=dict)
    consecutive_success: int = 0

    @property
    def last(self) -> Measurement | None:
        """The newest measurement."""
        return self.measurements[-1] if self.measurements else None


class Summary(Struct, frozen=True, rename="camel", omit_defaults=True):
    """How many metrics ended how."""

    count: int = 0
    successful: int = 0
    failed: int = 0
    inconclusive: int = 0
    error: int = 0


class Status(Struct, frozen=True, rename="camel", omit_defaults=True):
    """A run's `status`."""

    phase: str = ""
    message: str = ""
    metric_results: tuple[Result, ...] = ()
    started_at: str | None = None
    run_summary: Summary | None = None
    dry_run_summary: Summary | None = None
    completed_at: str | None = None

    def result(self, metric: str) -> Result | None:
        """What was measured of a metric."""
        return next((one for one in self.metric_results if one.name == metric), None)

    def json(self) -> Json:
        """As it is written."""
        found: Json = msgspec.to_builtins(self)
        return found


def status_of(run: Mapping[str, Any]) -> Status:
    """A run's status; what somebody else wrote into it that does not fit counts as nothing."""
    try:
        return msgspec.convert(run.get("status") or {}, Status)
    except msgspec.ValidationError:
        return Status()


def stamp(at: float) -> str:
    """A time of day as Kubernetes writes it: whole seconds, UTC."""
    moment = datetime.datetime.fromtimestamp(int(at), datetime.UTC)
    return moment.isoformat().replace("+00:00", "Z")


def seconds(at: str) -> float:
    """A time of day in seconds since 1970; 0 for text that is none."""
    try:
        return datetime.datetime.fromisoformat(at).timestamp()
    except ValueError:
        return 0.0

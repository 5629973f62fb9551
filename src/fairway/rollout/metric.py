"""A provider of metrics: what takes measurements. Implementations are in `metrics/`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from msgspec import Struct

from fairway.kube.client import Kube
from fairway.kube.kind import Json
from fairway.rollout.analysis.model import Measurement, Metric, Result


class Place(Struct, frozen=True, kw_only=True):
    """Where a run is measured."""

    cluster: str
    kube: Kube
    run: Json  # the AnalysisRun

    @property
    def namespace(self) -> str:
        """The run's namespace."""
        return str(self.run["metadata"]["namespace"])


class Provider(Protocol):
    """Takes measurements of one kind. Safe to use from many tasks at once.

    A measurement that goes wrong is one with the phase Error, not an exception. What is raised is
    about ourselves or the cluster (`Unavailable`): nothing was measured, and it is tried again.
    """

    def metadata(self, metric: Metric) -> dict[str, str]:
        """What to keep beside a metric's measurements."""
        ...

    async def begin(self, place: Place, metric: Metric, result: Result | None) -> Measurement:
        """Take a measurement, or begin one; `result` is what was measured before.

        Repeated after a crash it must find what it began.
        """
        ...

    async def resume(self, place: Place, metric: Metric, unfinished: Measurement) -> Measurement:
        """Look how a measurement comes along."""
        ...

    async def terminate(self, place: Place, metric: Metric, unfinished: Measurement) -> Measurement:
        """End an unfinished measurement. May be repeated."""
        ...

    async def collect(self, place: Place, metric: Metric, keep: int) -> None:
        """Remove what measurements left behind, but for the newest `keep`."""
        ...


class Value(Struct, frozen=True):
    """What an instant query found: `result` is what conditions see, `shown` what people do."""

    result: Any
    shown: str
    metadata: Mapping[str, str] = {}
    judged: str = ""  # the phase, where conditions are not asked


class Instant(Protocol):
    """A provider that answers at once."""

    def metadata(self, metric: Metric) -> dict[str, str]:
        """See `Provider`."""
        ...

    async def query(self, place: Place, metric: Metric, given: Json) -> Value:
        """The value now; `given` is what the metric says for this provider.

        Raises `FairwayError` for a measurement in error.
        """
        ...

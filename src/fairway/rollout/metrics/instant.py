"""Makes a provider of what answers at once: a value, judged by the metric's conditions."""

from __future__ import annotations

from msgspec.structs import replace

from fairway.kit import clock
from fairway.model.errors import FairwayError
from fairway.rollout.analysis import checking
from fairway.rollout.analysis.condition import Conditions
from fairway.rollout.analysis.model import ERROR, Measurement, Metric, Result, stamp
from fairway.rollout.metric import Instant, Place


class Instantly:
    """`Provider` over an `Instant`. A measurement begins and ends in `begin`.

    Whatever is in the way, a server that does not answer or a toolbox that is being started again,
    is a measurement in error: it is tried again in 10 s, and too many in a row end the run.
    """

    def __init__(self, source: Instant, conditions: Conditions) -> None:
        self._source = source
        self._conditions = conditions

    def metadata(self, metric: Metric) -> dict[str, str]:
        """See `Provider`."""
        return self._source.metadata(metric)

    async def begin(self, place: Place, metric: Metric, result: Result | None) -> Measurement:  # noqa: ARG002 what was measured before does not matter
        """See `Provider`."""
        made = Measurement(ERROR, started_at=stamp(clock.seconds()))
        try:
            value = await self._source.query(place, metric, checking.provider(metric)[1])
        except FairwayError as error:
            made = replace(made, message=str(error))
        else:
            phase, message = value.judged, ""
            if not phase:
                phase, message = await self._conditions.judge(metric, value.result)
            made = replace(
                made,
                phase=phase,
                message=message,
                value="" if phase == ERROR else value.shown,
                metadata=dict(value.metadata),
            )
        return replace(made, finished_at=stamp(clock.seconds()))

    async def resume(self, place: Place, metric: Metric, unfinished: Measurement) -> Measurement:  # noqa: ARG002
        """See `Provider`: nothing is ever unfinished, but by another hand."""
        return await self.begin(place, metric, None)

    async def terminate(self, place: Place, metric: Metric, unfinished: Measurement) -> Measurement:  # noqa: ARG002
        """See `Provider`: nothing is ever unfinished, but by another hand."""
        ended = stamp(clock.seconds())
        return replace(unfinished, phase=ERROR, message="it never ended", finished_at=ended)

    async def collect(self, place: Place, metric: Metric, keep: int) -> None:
        """See `Provider`: nothing is left behind."""

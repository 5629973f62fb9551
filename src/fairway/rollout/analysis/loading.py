"""A run as it is judged: its arguments filled in, its rules resolved to names."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from fairway.kube.client import Kube
from fairway.kube.kind import Json, Kind
from fairway.model.errors import FairwayError, InvalidInput
from fairway.rollout.analysis import args, checking
from fairway.rollout.analysis.condition import Conditions
from fairway.rollout.analysis.judge import Run
from fairway.rollout.analysis.model import Measurement, status_of

_SECRET: Final = Kind("", "v1", "secrets", "Secret")
_HIDDEN: Final = "*****"


async def load(run: Mapping[str, Any], conditions: Conditions) -> Run:
    """The run, with placeholders for secrets. Raises `InvalidInput` with the status' message."""
    spec = run.get("spec") or {}
    said = checking.problem(run)
    if said:
        raise InvalidInput(f"Analysis spec invalid: {said}", code="bad-analysis")
    try:
        known = args.without_secrets(spec.get("args") or ())
        metrics = tuple(args.resolved(one, known) for one in spec.get("metrics") or ())
    except InvalidInput as error:
        raise InvalidInput(
            f"Unable to resolve metric arguments: {error.message}", code="bad-analysis"
        ) from error
    rules = spec.get("dryRun") or (), spec.get("measurementRetention") or ()
    names = [metric.name for metric in metrics]
    matches = await _matches([one for part in rules for one in part], names, conditions)
    try:
        checking.check(metrics)
        dry, kept = checking.dry_run(rules[0], matches), checking.retention(rules[1], matches)
    except InvalidInput as error:
        raise InvalidInput(
            f"Analysis spec invalid: {error.message}", code="bad-analysis"
        ) from error
    return Run(
        metrics=metrics,
        status=status_of(run),
        terminate=bool(spec.get("terminate")),
        dry_run=frozenset(dry),
        retention=kept,
    )


async def _matches(
    rules: Iterable[Mapping[str, Any]], names: list[str], conditions: Conditions
) -> dict[str, Sequence[str]]:
    found: dict[str, Sequence[str]] = {}
    for pattern in {str(rule.get("metricName") or "") for rule in rules}:
        plain = checking.plain_match(pattern, names)
        found[pattern] = await conditions.matching(pattern, names) if plain is None else plain
    return found


class Secrets:
    """What a run's arguments take from secrets, for one round of measurements."""

    def __init__(self, given: list[Json], values: frozenset[str]) -> None:
        self.args = given
        self._values = sorted(values - {""}, key=len, reverse=True)

    def hide(self, text: str) -> str:
        """A text without what is secret."""
        for value in self._values:
            text = text.replace(value, _HIDDEN)
        return text

    def hidden(self, measured: Measurement) -> Measurement:
        """A measurement that may be shown."""
        return Measurement(
            measured.phase,
            message=self.hide(measured.message),
            started_at=measured.started_at,
            finished_at=measured.finished_at,
            value=self.hide(measured.value),
            metadata={name: self.hide(value) for name, value in measured.metadata.items()},
            resume_at=measured.resume_at,
        )


async def secrets(kube: Kube, run: Mapping[str, Any], namespace: str) -> Secrets:
    """The run's arguments with secrets' values. Raises `InvalidInput` with the status' message."""
    given, values = [], set()
    for arg in (run.get("spec") or {}).get("args") or ():
        ref = args.secret_of(arg)
        if ref is None:
            given.append(dict(arg))
            continue
        value = await _value(kube, namespace, *ref)
        values.add(value)
        given.append({"name": arg.get("name"), "value": value})
    return Secrets(given, frozenset(values))


async def _value(kube: Kube, namespace: str, name: str, key: str) -> str:
    try:
        secret = await kube.get(_SECRET, name, namespace)
    except FairwayError as error:
        if error.retriable:
            raise
        raise InvalidInput(
            f"Unable to resolve metric arguments: {error.message}", code="bad-analysis"
        ) from error
    data = (secret.get("data") or {}).get(key)
    if data is None:
        raise InvalidInput(
            f"Unable to resolve metric arguments: key '{key}' does not exist in secret '{name}'",
            code="bad-analysis",
        )
    try:
        return base64.b64decode(data).decode("utf-8", "replace")
    except binascii.Error as error:  # pragma: no cover the API server lets no such secret in
        raise InvalidInput(f"secret '{name}' is no base64", code="bad-analysis") from error

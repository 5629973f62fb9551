"""Conditions on a measured value: expressions of expr-lang, run by the toolbox."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final, Protocol, TypeVar

from fairway.kit.gotext import quote
from fairway.model.errors import FairwayError, InvalidInput
from fairway.native import wire
from fairway.native.languages import Expr, Function
from fairway.native.wire import Request
from fairway.rollout.analysis.model import ERROR, FAILED, INCONCLUSIVE, SUCCESSFUL, Metric

R = TypeVar("R")
_INFINITY: Final = "(1.0 / 0.0)"
_ALWAYS: Final[Mapping[str, Function]] = {
    "asInt": Function(("x",), "int(x)"),
    "asFloat": Function(("x",), "float(x)"),
    # `abs` refuses what is no number, as Go's math.IsNaN does by its type.
    "isNaN": Function(("x",), "abs(x) != abs(x)"),
    "isInf": Function(("x",), f"abs(x) == {_INFINITY}"),
}
_GO_TYPES: Final = {int: "int", float: "float64", str: "string", type(None): "<nil>"}


class Asks(Protocol):
    """What is needed of the toolbox."""

    async def ask(self, request: Request[R], /) -> R:
        """See `Toolbox.ask`."""
        ...


class Conditions:
    """Judges values by the toolbox."""

    def __init__(self, toolbox: Asks) -> None:
        self._toolbox = toolbox

    async def judge(self, metric: Metric, result: Any) -> tuple[str, str]:
        """A value's phase, and the message of an error."""
        success = failure = False
        for name in ("success_condition", "failure_condition"):
            source = getattr(metric, name)
            if not source:
                continue
            try:
                holds = await self.holds(source, result)
            except FairwayError as error:
                return ERROR, _problem(name, source, result, error)
            success, failure = (holds, failure) if name == "success_condition" else (success, holds)
        return phase(metric, success=success, failure=failure), ""

    async def holds(self, source: str, result: Any) -> bool:
        """Whether a condition is true of a value. Raises `InvalidInput` for one that says neither.

        What the names are that it may use, docs/reference/analysis.md says.
        """
        found = await self._toolbox.ask(
            Expr(
                source=source,
                env={"result": wire.wrapped(floats(result))},
                functions={**_ALWAYS, **_of_result(source, result)},
            )
        )
        if not isinstance(found, bool):
            kind = _GO_TYPES.get(type(found), "[]interface {}")
            kind = "map[string]interface {}" if isinstance(found, dict) else kind
            raise InvalidInput(f"expected bool, but got {kind}", code="bad-condition")
        return found

    async def matching(self, pattern: str, names: list[str]) -> list[str]:
        """The names in which Go finds a regular expression; none for what is none.

        Raises `Unavailable` when the toolbox does not answer.
        """
        source = "filter(names, # matches pattern)"
        env = {"names": names, "pattern": pattern}
        try:
            found: list[str] = await self._toolbox.ask(Expr(source=source, env=env))
        except FairwayError as error:
            if error.retriable:
                raise
            return []
        return found


def phase(metric: Metric, *, success: bool, failure: bool) -> str:
    """What the truth of a metric's conditions means."""
    if not metric.success_condition and not metric.failure_condition:
        return SUCCESSFUL
    if not metric.failure_condition:
        failure = not success
    elif not metric.success_condition:
        success = not failure
    if failure:
        return FAILED
    return SUCCESSFUL if success else INCONCLUSIVE


def _problem(name: str, source: str, result: Any, error: FairwayError) -> str:
    said = "successCondition" if name == "success_condition" else "failureCondition"
    if result is None or result == []:
        why = "metric result is nil or empty: no data returned from the metric provider"
    else:
        why = error.message
    return f'could not evaluate {said} "{source}": {why}'


def _of_result(source: str, result: Any) -> dict[str, Function]:
    """`isNil` and `default`, which look at the result whatever they are given, as in Argo."""
    found = {"isNil": Function(("x",), "true" if result is None else "false")}
    if "default" in source:
        body = "other" if result is None else _literal(floats(result))
        found["default"] = Function(("x", "other"), body)
    return found


def floats(value: Any) -> Any:
    """Every number a floating one, as Go reads JSON."""
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        return float(value)
    if isinstance(value, list | tuple):
        return [floats(one) for one in value]
    if isinstance(value, dict):
        return {name: floats(one) for name, one in value.items()}
    return value


def _literal(value: Any) -> str:
    """A value in expr-lang's own words."""
    if value is None:
        return "nil"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return _number(value)
    if isinstance(value, str):
        return quote(value)
    if isinstance(value, list):
        return f"[{', '.join(_literal(one) for one in value)}]"
    pairs = (f"{quote(str(name))}: {_literal(one)}" for name, one in value.items())
    return f"{{{', '.join(pairs)}}}"


def _number(value: float) -> str:
    if math.isnan(value):
        return "(0.0 / 0.0)"
    if math.isinf(value):
        return _INFINITY if value > 0 else f"(-{_INFINITY})"
    return f"float({value!r})"

"""Whether an environment's services may be relied on, by what the engine says of them. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, Final

from msgspec import Struct

SERVICE: Final = "com.docker.compose.service"
STEADY_S: Final = 0.5
Json = Mapping[str, Any]


class State(StrEnum):
    """What a container is to those who wait for it."""

    WAITING = "waiting"
    READY = "ready"  # runs, and is healthy where it can say so
    ENDED = "ended"  # with 0: a service that does one thing
    FAILED = "failed"


class Verdict(Struct, frozen=True):
    """One container's state, in words where there are any. `checked`: by its own health check."""

    service: str
    state: State
    why: str = ""
    checked: bool = False


def verdict(found: Json) -> Verdict:
    """By a container's inspection."""
    service = str((found["Config"].get("Labels") or {}).get(SERVICE, ""))
    state = found["State"]
    if state.get("Restarting"):
        code = int(state.get("ExitCode") or 0)
        return Verdict(service, State.WAITING, f"it ended ({code}) and is started again")
    if state.get("Running"):
        return _running(service, state.get("Health") or {})
    if state.get("Status") == "created":
        return Verdict(service, State.WAITING, str(state.get("Error") or ""))
    return _ended(service, state)


def _running(service: str, health: Json) -> Verdict:
    status = health.get("Status") or "none"
    if status == "unhealthy":
        return Verdict(service, State.FAILED, f"it is unhealthy{_last_check(health)}")
    if status == "starting":
        return Verdict(service, State.WAITING, f"it is not healthy yet{_last_check(health)}")
    return Verdict(service, State.READY, checked=status != "none")


def _last_check(health: Json) -> str:
    checks = health.get("Log") or []
    if not checks:
        return ""
    said = str(checks[-1].get("Output") or "").strip()
    code = checks[-1].get("ExitCode")
    return f": its last check ended {code}" + (f": {said[-300:]}" if said else "")


def _ended(service: str, state: Json) -> Verdict:
    code = int(state.get("ExitCode") or 0)
    if code == 0 and not state.get("OOMKilled"):
        return Verdict(service, State.ENDED, "it ended (0)")
    if state.get("OOMKilled"):
        return Verdict(service, State.FAILED, "it was killed: it used more memory than it may")
    words = str(state.get("Error") or "")
    return Verdict(service, State.FAILED, f"it ended ({code})" + (f": {words}" if words else ""))


class Steady:
    """Takes a service without a health check for well once it has run for `STEADY_S`: one whose
    program fails at once runs for a moment as well."""

    def __init__(self) -> None:
        self._since: dict[str, float] = {}

    def judge(self, verdicts: Sequence[Verdict], now: float) -> list[Verdict]:
        """The verdicts of one look; `now` in seconds of a clock that only goes on."""
        running = {one.service for one in verdicts if _unchecked(one)}
        self._since = {name: self._since.get(name, now) for name in sorted(running)}
        return [self._judged(one, now) for one in verdicts]

    def _judged(self, one: Verdict, now: float) -> Verdict:
        if not _unchecked(one) or now - self._since[one.service] >= STEADY_S:
            return one
        return Verdict(one.service, State.WAITING, "it has only just begun")


def _unchecked(one: Verdict) -> bool:
    return one.state is State.READY and not one.checked


def failed(verdicts: Sequence[Verdict]) -> list[Verdict]:
    """Those for which waiting on is in vain."""
    return [one for one in verdicts if one.state is State.FAILED]


def ready(verdicts: Sequence[Verdict], wanted: Mapping[str, int]) -> bool:
    """Whether every service has as many containers as it wants, and all of them are well."""
    counts = dict.fromkeys(wanted, 0)
    for one in verdicts:
        if one.state is State.WAITING or one.state is State.FAILED:
            return False
        counts[one.service] = counts.get(one.service, 0) + 1
    return all(counts[name] >= count for name, count in wanted.items())


def wanted(services: Mapping[str, Json]) -> dict[str, int]:
    """How many containers each service has."""
    return {name: _replicas(one) for name, one in services.items() if not one.get("provider")}


def _replicas(service: Json) -> int:
    deploy = (service.get("deploy") or {}).get("replicas")
    scale = service.get("scale")
    return int(deploy if deploy is not None else 1 if scale is None else scale)

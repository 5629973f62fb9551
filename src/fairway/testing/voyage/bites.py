"""Mistakes put into the controllers on purpose: voyages must find each within a few seeds."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

from msgspec import Struct
from msgspec.structs import replace

from fairway.gitops import automation, plan
from fairway.image import candidates
from fairway.model.release import PromotionState
from fairway.notify.channels.slack import Slack
from fairway.queue.shards import Shards
from fairway.release import carrying, checks, commands, gates, history, noting
from fairway.release import decide as decisions
from fairway.release.admission import Admission
from fairway.rollout import bluegreen, controller, services, traffic
from fairway.rollout.decide import decide as decided
from fairway.rollout.objects import ReplicaSet
from fairway.rollout.telling import Telling
from fairway.source import change_course, merging
from fairway.source.change_course import ChangeCourse

WITHIN = 30
"""Every mistake is found in so many voyages."""


@contextlib.contextmanager
def _moves_traffic_to_nothing() -> Iterator[None]:
    """A canary that gets requests, and its Service, whether it has pods or not."""

    def offer(draft: Any, name: str, one: ReplicaSet | None) -> bool:
        return one is not None and services.switch(draft, name, one.hash)

    with (
        mock.patch.object(traffic, "_wanted", return_value=50),
        mock.patch.object(services, "offer", offer),
    ):
        yield


def _switches_unready() -> Any:
    """A blue/green switch that does not wait for the new version."""

    def switch(draft: Any, active: str) -> str:
        if draft.new is None:
            return str(draft.selects(active))
        services.switch(draft, active, draft.new.hash)
        return str(draft.new.hash)

    return mock.patch.object(bluegreen, "_switch", switch)


def _never_heals() -> Any:
    """Automation that syncs what is pushed and leaves what is edited by hand."""
    return mock.patch.object(automation, "_again", return_value=automation.NOTHING)


def _leaves_images_by_hand() -> Any:
    """Automation that heals configuration and leaves images."""

    def again(app: Any, differing: Any, now: Any) -> Any:
        heals = all(one.key.kind != "Rollout" for one in differing)
        return healing(app, differing, now) if heals else automation.NOTHING

    healing = automation._again  # noqa: SLF001 to break it
    return mock.patch.object(automation, "_again", again)


def _admits_everything() -> Any:
    """Nobody has the cluster refuse what was not promoted."""

    async def ensure(*_: Any) -> None:
        """It is forgotten."""

    return mock.patch.object(Admission, "ensure", ensure)


def _never_prunes() -> Any:
    """What Git no longer has stays in the cluster."""
    return mock.patch.object(plan, "prune_refusal", return_value="not pruned")


def _forgets_gained_shards() -> Any:
    """A process that takes over another's shards and does not look at what is in them."""

    def on_gain(_self: Shards, _handler: Any) -> Callable[[], None]:
        return lambda: None

    return mock.patch.object(Shards, "on_gain", on_gain)


def _sleeps_through() -> Any:
    """Rollouts that are not looked at again when a pause is over."""

    def decide(*given: Any) -> Any:
        return replace(decided(*given), again=None)

    return mock.patch.object(controller, "decide", decide)


def _tells_nobody() -> Any:
    """Rollouts of which no event is written."""

    async def told(*_: Any) -> None:
        """Nobody hears."""

    return mock.patch.object(Telling, "__call__", told)


# ---- mistakes of releases ------------------------------------------------------------------------


def _takes_change_requests() -> Any:
    """What a change request's build made counts as a push's."""

    def judged(facts: Any) -> str:
        return why_not(replace(facts, event="push", branch=facts.default_branch))

    why_not = candidates.why_not
    return mock.patch.object(candidates, "why_not", judged)


def _merges_untested() -> Any:
    """Whatever is in the way, and however it was tested."""

    def hindrance(change: Any, *given: Any, **more: Any) -> Any:
        found = judged(change, *given, **more)
        return None if found is not None and found.passes else found

    judged = merging.hindrance
    return mock.patch.object(change_course, "hindrance", hindrance)


def _forgets_its_merge() -> Any:
    """A change request whose merge arrived is not closed by it."""

    async def settled(*_: Any, **__: Any) -> None:
        """Nobody writes it down."""

    return mock.patch.object(ChangeCourse, "_settled", settled)


def _takes_red_builds() -> Any:
    """A digest whose build failed counts as a candidate."""
    return mock.patch.object(candidates, "why_not", return_value="")


def _opens_every_gate() -> Any:
    """Releases that nobody approved go on."""
    return mock.patch.object(gates, "judge", return_value=gates.OPEN)


def _leaves_windows_open() -> Any:
    """Releases set out at any time."""
    return mock.patch.dict(gates._LEAVES, window=lambda *_: gates.OPEN)  # noqa: SLF001 to break it


def _proves_nothing() -> Any:
    """What failed its verification counts as verified."""

    async def verdict(*_: Any) -> tuple[str, str]:
        return "passed", ""

    return mock.patch.object(checks, "_analysis_verdict", verdict)


def _skips_environments() -> Any:
    """A release comes into an environment that was not good in the one before."""
    return mock.patch.object(history, "good_since", return_value=0)


def _leaves_refused_ones_in_git() -> Any:
    """What a rollout refuses is not taken back."""

    def refused(db: Any, number: int, why: str) -> None:
        noting.ended(db, number, PromotionState.FAILED, why, bad=why)

    return mock.patch.object(carrying, "refused", refused)


def _says_things_twice() -> Any:
    """What may have been said before a lost answer is said again, unasked."""

    async def find(*_: Any) -> str:
        return ""

    return mock.patch.object(Slack, "find", find)


def _forgets_the_audit() -> Any:
    """What people do to releases is not written down."""
    return mock.patch.object(commands, "_note")


def _waits_for_what_was_overtaken() -> Any:
    """What voyages found first: a promotion that its environment's range has left behind."""
    return mock.patch.object(decisions, "_gives_way", return_value=False)


class Course(Struct, frozen=True, kw_only=True):
    """What happens while a mistake of releases is looked for."""

    deeds: int = 1
    only: tuple[str, ...] = ("push_more",)
    faults: int = 0
    weather: tuple[str, ...] = ()
    shape: int = 0


COURSES: dict[str, Course] = {
    "takes-red-builds": Course(only=("push_red",)),
    "takes-change-requests": Course(only=("change",)),
    "merges-untested": Course(only=("change",), deeds=2),
    "forgets-its-merge": Course(only=("change",)),
    "opens-every-gate": Course(deeds=0),
    "leaves-windows-open": Course(deeds=0, shape=8),
    "proves-nothing": Course(deeds=2, only=("push_unfit",), shape=10),
    "skips-environments": Course(),
    "leaves-refused-ones-in-git": Course(only=("push_faulty",), deeds=2),
    "says-things-twice": Course(deeds=4, faults=3, weather=("storm",)),
    "leaves-images-by-hand": Course(only=("edit_image",)),
    "admits-everything": Course(only=("run_pod",), deeds=4),
    "forgets-the-audit": Course(deeds=0),
    "waits-for-what-was-overtaken": Course(deeds=6),
}
"""Mistakes that voyages with releases must find, and on which course."""

ALL: dict[str, Callable[[], Any]] = {
    "takes-red-builds": _takes_red_builds,
    "takes-change-requests": _takes_change_requests,
    "merges-untested": _merges_untested,
    "forgets-its-merge": _forgets_its_merge,
    "opens-every-gate": _opens_every_gate,
    "leaves-windows-open": _leaves_windows_open,
    "proves-nothing": _proves_nothing,
    "skips-environments": _skips_environments,
    "leaves-refused-ones-in-git": _leaves_refused_ones_in_git,
    "says-things-twice": _says_things_twice,
    "forgets-the-audit": _forgets_the_audit,
    "waits-for-what-was-overtaken": _waits_for_what_was_overtaken,
    "moves-traffic-to-nothing": _moves_traffic_to_nothing,
    "switches-unready": _switches_unready,
    "never-heals": _never_heals,
    "admits-everything": _admits_everything,
    "leaves-images-by-hand": _leaves_images_by_hand,
    "never-prunes": _never_prunes,
    "forgets-gained-shards": _forgets_gained_shards,
    "sleeps-through": _sleeps_through,
    "tells-nobody": _tells_nobody,
}

SIGNS: dict[str, str] = {
    "takes-red-builds": "which is no candidate",
    "takes-change-requests": "which is no candidate",
    "merges-untested": "as what nobody tested",
    "forgets-its-merge": "and open",
    "opens-every-gate": "without its gates",
    "leaves-windows-open": "without its gates",
    "proves-nothing": "without its gates",
    "skips-environments": "web-production has",  # ... what was never good before, or not for long
    "leaves-refused-ones-in-git": "passed last",
    "says-things-twice": "said",  # twice; or not in the end: nothing tells what became of it
    "forgets-the-audit": "the audit has 0 of",
    "waits-for-what-was-overtaken": "is at sync",
    "moves-traffic-to-nothing": "which has no pods",
    "switches-unready": "which has no pods",
    "never-heals": "not Synced",
    "admits-everything": "where only its own images may",
    "leaves-images-by-hand": "by hand",
    "never-prunes": "not Synced",
    "forgets-gained-shards": "not within",
    "sleeps-through": "though every pause has an end",
    "tells-nobody": "people were told",
}
"""By what each is found: not by just any failure."""


@contextlib.contextmanager
def bitten(name: str | None) -> Iterator[None]:
    """The product with one mistake, or as it is."""
    with ALL[name]() if name else contextlib.nullcontext():
        yield

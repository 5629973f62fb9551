"""Who said what and what was seen where, written down by a bystander: by it, not by the product's
own decisions, a release is judged when it comes into an environment.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct

from fairway.kube import objects
from fairway.kube.kind import Json
from fairway.rollout.crds import ROLLOUT
from fairway.testing.simkube.server import Place
from fairway.testing.voyage.builds import Built
from fairway.testing.voyage.shop import AUTHOR, Berth, Shape


class Word(Struct):
    """What a person said of a release before an environment. `sure`: it was accepted."""

    berth: Berth
    digest: str
    login: str
    kind: str  # approval or qa
    yes: bool
    sure: bool = False


class Ledger:
    """One voyage's. `now` gives the time of day in seconds."""

    def __init__(
        self,
        made: Mapping[str, Built],
        shape: Shape,
        now: Callable[[], float],
        note: Callable[[str], None],
    ) -> None:
        self._made, self._shape, self._now, self._note = made, shape, now, note
        self._berths = set(shape.berths)
        self.broken: list[str] = []
        self.words: list[Word] = []
        self.asked: set[tuple[Berth, str]] = set()  # promotions and rollbacks that people wanted
        self.banned: set[tuple[Berth, str]] = set()  # what people rolled back
        self.wanted: dict[Berth, str] = {}  # the digest that each Rollout has now
        self._came: set[tuple[Berth, str]] = set()
        self._good: dict[Berth, tuple[str, float]] = {}  # what was Healthy last, and since when
        self._longest: dict[tuple[Berth, str], float] = {}  # ... how long without a break

    def fate(self, pod: Json) -> str:
        """What becomes of a pod: by its digest and where it is."""
        found = self._made.get(_digest(pod["spec"]))
        if found is None or found.where not in ("", objects.key(pod).namespace):
            return ""
        return found.fault

    def was_good(self, berth: Berth, digest: str) -> bool:
        """Whether it was ever Healthy there."""
        return (berth, digest) in self._longest

    def heard(self, berth: Berth, digest: str, login: str, kind: str) -> bool:
        """Whether somebody has said something of it already, for sure."""
        return any(
            (one.berth, one.digest, one.login, one.kind, one.sure)
            == (berth, digest, login, kind, True)
            for one in self.words
        )

    def saw(self, place: Place, obj: Json | None) -> None:
        """A Rollout changed."""
        berth = Berth(place[2], place[1])
        if place[0] != ROLLOUT.path() or obj is None or berth not in self._berths:
            return
        digest = _digest(obj["spec"]["template"]["spec"])
        if self.wanted.get(berth) != digest:
            self.wanted[berth] = digest
            self._note(f"{berth.application} gets {digest[7:19]}")
            for told in (self._strange(berth, digest), self._too_early(berth, digest)):
                if told:
                    self.broken.append(told)
                    self._note(f"BROKEN {told}")
            self._came.add((berth, digest))
        status = obj.get("status") or {}
        seen = str(status.get("observedGeneration")) == str(obj["metadata"].get("generation"))
        if seen and status.get("phase") == "Healthy":
            self._healthy(berth, digest)

    def _healthy(self, berth: Berth, digest: str) -> None:
        before, since = self._good.get(berth, ("", 0.0))
        if before and before != digest:
            self._lasted(berth, before, since)
        if before != digest:
            self._good[berth] = (digest, self._now())
            self._longest.setdefault((berth, digest), 0.0)

    def _lasted(self, berth: Berth, digest: str, since: float) -> None:
        key = berth, digest
        self._longest[key] = max(self._longest[key], self._now() - since)

    def _strange(self, berth: Berth, digest: str) -> str:
        found = self._made.get(digest)
        if found is None or found.service != berth.service:
            return f"{berth.application} has {digest}, which nobody built for it"
        return "" if found.good else f"{berth.application} has {digest}, which is no candidate"

    def _too_early(self, berth: Berth, digest: str) -> str:
        told = f"{berth.application} has {digest[7:19]}"
        key = berth, digest
        if key in self.asked and self.was_good(*key):
            return ""
        if key in self.banned and key not in self.asked:
            return f"{told} again, which was rolled back"
        if self.was_good(*key):
            return ""
        if key in self._came and key not in self.asked:
            return f"{told} again, which was refused there"
        before = self._shape.before(berth)
        if before is not None and not self.was_good(before, digest):
            return f"{told}, which was never good in {before.environment}"
        gate = self._shape.gate(berth)
        return "" if not gate or self._holds(gate, berth, digest) else f"{told} without its gates"

    def _holds(self, gate: Json, berth: Berth, digest: str) -> bool:
        ((kind, inside),) = gate.items()
        match kind:
            case "all":
                return all(self._holds(one, berth, digest) for one in inside)
            case "any":
                return any(self._holds(one, berth, digest) for one in inside)
            case "soak":
                return self._soaked(berth, digest, float(inside["duration"].rstrip("s")))
            case "approval":
                said = self._said(berth, digest, "approval")
                yes = {login for login, good in said.items() if good} - {AUTHOR}
                return len(yes) >= int(inside["count"])
            case "qa":
                return self._said(berth, digest, "qa").get(inside["user"], False)
        raise AssertionError(kind)

    def _said(self, berth: Berth, digest: str, kind: str) -> dict[str, bool]:
        """Everybody's last word. A no whose answer was lost may never have been heard."""
        return {
            one.login: one.yes
            for one in self.words
            if (one.berth, one.digest, one.kind) == (berth, digest, kind) and (one.yes or one.sure)
        }

    def _soaked(self, berth: Berth, digest: str, seconds: float) -> bool:
        before = self._shape.before(berth)
        assert before is not None, "the first environment has no gates here"
        good, since = self._good.get(before, ("", 0.0))
        if good == digest:
            self._lasted(before, digest, since)
        return self._longest.get((before, digest), 0.0) >= seconds


def _digest(pod: Mapping[str, Any]) -> str:
    image = str(pod["containers"][0].get("image", ""))
    return image.rpartition("@")[2]

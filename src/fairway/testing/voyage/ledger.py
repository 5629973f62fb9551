"""Who said what and what was seen where, written down by a bystander: by it, not by the product's
own decisions, a release is judged when it comes into an environment.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from msgspec import Struct

from fairway.gitops.automation import heal_wait_s
from fairway.kube import objects
from fairway.kube.kind import JOB, POD, Json
from fairway.rollout.crds import ROLLOUT
from fairway.testing.simkube.server import Place
from fairway.testing.voyage.builds import Built
from fairway.testing.voyage.shop import AUTHOR, GUARDED, REGISTRY, Berth, Shape

UNFIT: Final = "unfit"
_MINUTE_S: Final = 60.0
_LATE_S: Final = 1.0
_HEAL_S: Final = 10.0


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
        *,
        begun: Callable[[Berth, str], float],
        jumps: Sequence[tuple[float, float]],
    ) -> None:
        """`begun`: when a digest was last set out for a place; `jumps` of the clock: from, to."""
        self._made, self._shape, self._now, self._note = made, shape, now, note
        self._begun, self._jumps = begun, jumps
        self._berths = set(shape.berths)
        self.broken: list[str] = []
        self.words: list[Word] = []
        self.asked: set[tuple[Berth, str]] = set()  # promotions and rollbacks that people wanted
        self.banned: set[tuple[Berth, str]] = set()  # what people rolled back
        self.wanted: dict[Berth, str] = {}  # the digest that each Rollout has now
        self._came: set[tuple[Berth, str]] = set()
        self._good: dict[Berth, tuple[str, float]] = {}  # what was Healthy last, and since when
        self._longest: dict[tuple[Berth, str], float] = {}  # ... how long without a break
        self._strays: dict[Berth, tuple[str, float]] = {}  # digests by hand, and until when
        self._edits: dict[str, int] = {}  # by hand, of each application
        self.guards = False  # production's policy is in place
        self._pods: set[str] = set()  # of production, by uid
        self.rough_until = 0.0  # when the last fault, and what came of it, is over
        self._proven: set[tuple[str, str]] = set()  # environments, and digests verified there

    def fate(self, pod: Json) -> str:
        """What becomes of a pod: by its digest and where it is."""
        found = self._made.get(_digest(pod["spec"]))
        if found is None or found.where not in ("", objects.key(pod).namespace):
            return ""
        if pod["spec"].get("restartPolicy") == "Never":  # of a verification
            return "crash" if found.fault == UNFIT else ""
        return "" if found.fault == UNFIT else found.fault

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
        """A Rollout changed, or a Job, or a pod."""
        if place[0] == POD.path() and obj is not None:
            self._admitted(place, obj)
        if place[0] == JOB.path() and obj is not None and _is_complete(obj):
            self._proven.add((place[1], _digest(obj["spec"]["template"]["spec"])))
        berth = Berth(place[2], place[1])
        if place[0] != ROLLOUT.path() or obj is None or berth not in self._berths:
            return
        digest = _digest(obj["spec"]["template"]["spec"])
        if self._is_stray(berth, digest):
            return
        if self.wanted.get(berth) != digest:
            self.wanted[berth] = digest
            self._note(f"{berth.application} gets {digest[7:19]}")
            self._breaks(self._strange(berth, digest))
            self._breaks(self._too_early(berth, digest))
            self._came.add((berth, digest))
        status = obj.get("status") or {}
        seen = str(status.get("observedGeneration")) == str(obj["metadata"].get("generation"))
        if seen and status.get("phase") == "Healthy":
            self._healthy(berth, digest)

    def _admitted(self, place: Place, pod: Json) -> None:
        """Production's pods have only what was promoted, by its name, once that was asked for."""
        if not self.guards or place[1] != GUARDED or objects.uid(pod) in self._pods:
            return
        self._pods.add(objects.uid(pod))
        image = str(pod["spec"]["containers"][0].get("image", ""))
        if not image.startswith(f"{REGISTRY}/{GUARDED}/"):
            self._breaks(f"{place[2]} runs {image} in {GUARDED}, where only its own images may")

    # ---- images by hand --------------------------------------------------------------------------

    def by_hand(self, berth: Berth, digest: str = "") -> None:
        """Somebody edits what an application has, and maybe its image. It heals; what is edited
        again and again, ever more slowly, as in Argo CD.
        """
        count = self._edits[berth.application] = self._edits.get(berth.application, 0) + 1
        if digest:
            until = self._now() + _HEAL_S + heal_wait_s(count)
            self._strays[berth] = digest, until

    def strays(self) -> list[str]:
        """What has by now an image that somebody brought by hand. Too long is wrong."""
        found = []
        for berth, (digest, until) in list(self._strays.items()):
            told = f"{berth.application} has {digest[7:19]} by hand"
            found.append(told)
            if self._now() > max(until, self.rough_until):
                self._strays[berth] = digest, float("inf")
                self._breaks(f"{told}, and nobody healed it in time")
        return found

    def forget(self, berth: Berth) -> None:
        """What was to be edited by hand was not."""
        self._strays.pop(berth, None)

    def _is_stray(self, berth: Berth, digest: str) -> bool:
        if berth not in self._strays:
            return False
        if self._strays[berth][0] == digest:
            return True
        self.strays()
        self.forget(berth)
        return False

    def _breaks(self, told: str) -> None:
        if told:
            self.broken.append(told)
            self._note(f"BROKEN {told}")

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
        if kind in {"all", "any"}:
            parts = (self._holds(one, berth, digest) for one in inside)
            return all(parts) if kind == "all" else any(parts)
        leaf: Callable[..., bool] = getattr(self, f"_has_{kind}")
        return leaf(inside, berth, digest)

    def _has_approval(self, wanted: Json, berth: Berth, digest: str) -> bool:
        said = self._said(berth, digest, "approval")
        yes = {login for login, good in said.items() if good} - {AUTHOR}
        return len(yes) >= int(wanted["count"])

    def _has_qa(self, wanted: Json, berth: Berth, digest: str) -> bool:
        return self._said(berth, digest, "qa").get(wanted["user"], False)

    def _has_verification(self, _wanted: Json, berth: Berth, digest: str) -> bool:
        before = self._shape.before(berth)
        return before is not None and (before.environment, digest) in self._proven

    def _has_window(self, wanted: Json, berth: Berth, digest: str) -> bool:
        """Whether it set out so soon after a minute began. It was decided shortly before, but the
        clock may have jumped since.
        """
        told = self._begun(berth, digest)
        decided = told - _LATE_S
        for before, after in reversed(self._jumps):
            if decided < after <= told:
                decided = before - _LATE_S
        another = decided // _MINUTE_S != told // _MINUTE_S
        since = min(decided % _MINUTE_S, told % _MINUTE_S)
        return another or since < float(wanted["duration"].rstrip("s"))

    def _said(self, berth: Berth, digest: str, kind: str) -> dict[str, bool]:
        """Everybody's last word. A no whose answer was lost may never have been heard."""
        return {
            one.login: one.yes
            for one in self.words
            if (one.berth, one.digest, one.kind) == (berth, digest, kind) and (one.yes or one.sure)
        }

    def _has_soak(self, wanted: Json, berth: Berth, digest: str) -> bool:
        before = self._shape.before(berth)
        assert before is not None, "the first environment has no gates here"
        good, since = self._good.get(before, ("", 0.0))
        if good == digest:
            self._lasted(before, digest, since)
        seconds = float(wanted["duration"].rstrip("s"))
        return self._longest.get((before, digest), 0.0) >= seconds


def _digest(pod: Mapping[str, Any]) -> str:
    image = str(pod["containers"][0].get("image", ""))
    return image.rpartition("@")[2]


def _is_complete(job: Json) -> bool:
    conditions = (job.get("status") or {}).get("conditions") or ()
    return any(one["type"] == "Complete" and one["status"] == "True" for one in conditions)

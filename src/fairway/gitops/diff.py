"""Wanted and live objects side by side, as Argo CD's default comparison has them.

What was applied last (kubectl's annotation), what is wanted and what is live give a three-way merge
patch, strategic for kinds that Kubernetes brings; what comes of it, with Kubernetes' defaults in
both, is equal to the live object or not. Without the annotation, what is wanted stands for what was
applied last. Where the API server has said what would come of it, that counts.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec

from fairway.gitops import merging
from fairway.gitops.application import Ignored
from fairway.gitops.normalise import known_kind, normalised, pointers, same, without_nulls
from fairway.gitops.objects import Difference, Json, Pair
from fairway.kube import objects
from fairway.model.errors import InvalidInput
from fairway.native.objects import Defaults, Filled, Merge, ThreeWay
from fairway.native.toolbox import Toolbox

_KEPT: Final = 50_000
_BATCH: Final = 500  # objects in one call of the toolbox
_WRITTEN: Final = ("managedFields", "resourceVersion")


class Differ:
    """Comparisons of one process. What was equal once is remembered by content and version."""

    def __init__(self, toolbox: Toolbox) -> None:
        self._toolbox = toolbox
        self._equal: OrderedDict[bytes, None] = OrderedDict()
        self._known: dict[tuple[str, str], bool] = {}

    def differences(self, pairs: Sequence[Pair], ignore: Sequence[Ignored]) -> list[Difference]:
        """One for each pair. Blocks; raises as `Toolbox` does."""
        made: list[Difference | None] = [_alone(pair, ignore) for pair in pairs]
        marks = [None if made[n] else _mark(pair, ignore) for n, pair in enumerate(pairs)]
        open_ = [number for number, mark in enumerate(marks) if self._is_open(mark)]
        found = self._computed([pairs[number] for number in open_], ignore)
        for number, one in zip(open_, found, strict=True):
            made[number] = one
            if not one.modified:
                self._keep(marks[number])
        return [one or _unchanged(pairs[number]) for number, one in enumerate(made)]

    def _is_open(self, mark: bytes | None) -> bool:
        if mark is None or mark not in self._equal:
            return mark is not None
        self._equal.move_to_end(mark)
        return False

    def _keep(self, mark: bytes | None) -> None:
        if mark is not None:
            self._equal[mark] = None
            while len(self._equal) > _KEPT:
                self._equal.popitem(last=False)

    def _computed(self, pairs: Sequence[Pair], ignore: Sequence[Ignored]) -> list[Difference]:
        self._learn(pair.target for pair in pairs if pair.target is not None)
        sides = [self._sides(pair, pointers(ignore, pair.key)) for pair in pairs]
        filled = self._filled([one for both in sides for one in both])
        return [
            _difference(filled[2 * number], filled[2 * number + 1]) for number in range(len(sides))
        ]

    def _learn(self, wanted: Iterable[Json]) -> None:
        """Find out which kinds Kubernetes brings."""
        new = {known_kind(one): one for one in wanted if known_kind(one) not in self._known}
        bare = [{"apiVersion": version, "kind": kind} for version, kind in new]
        for (kind, _), one in zip(new.items(), self._filled(bare), strict=True):
            self._known[kind] = one.known

    def _filled(self, given: Sequence[Json]) -> list[Filled]:
        made: list[Filled] = []
        for start in range(0, len(given), _BATCH):
            batch = tuple(given[start : start + _BATCH])
            filled: list[Filled] = self._toolbox.ask_now(Defaults(objects=batch))
            made += filled
        return made

    def _sides(self, pair: Pair, ignored: tuple[str, ...]) -> tuple[Json, Json]:
        """What would be, and what is."""
        wanted, live = pair.target or {}, normalised(pair.live or {}, ignored)
        if pair.predicted is not None:
            return _unwritten(normalised(pair.predicted, ignored)), _unwritten(live)
        wanted = _placeless(normalised(wanted, ignored))
        last = last_applied(pair.live or {})
        last = wanted if last is None else _placeless(normalised(last, ignored))
        if not self._known[known_kind(wanted)]:
            return merging.merged(live, merging.three_way(last, wanted, live)), live
        wanted = without_nulls(wanted)
        try:
            return self._strategic(last, wanted, live), live
        except InvalidInput:  # what was applied last cannot be used: two ways are left
            return self._strategic(wanted, wanted, live), live

    def _strategic(self, last: Json, wanted: Json, live: Json) -> Json:
        claims = _claims(last)
        if claims is None or _claims(live) is None:
            return self._toolbox.ask_now(ThreeWay(last=last, wanted=wanted, live=live)).object
        # A StatefulSet's claim templates are compared by what was applied of them.
        spec = {**live["spec"], _CLAIMS: merging.known_part(claims, _claims(live))}
        trimmed = {**live, "spec": spec}
        patch = self._toolbox.ask_now(ThreeWay(last=last, wanted=wanted, live=trimmed)).patch
        return self._toolbox.ask_now(Merge(object=live, patch=patch)).object


_CLAIMS: Final = "volumeClaimTemplates"


def _claims(obj: Json) -> list[Any] | None:
    """A StatefulSet's claim templates."""
    if obj.get("kind") != "StatefulSet":
        return None
    found = (obj.get("spec") or {}).get(_CLAIMS)
    return found if isinstance(found, list) else None


def _alone(pair: Pair, ignore: Sequence[Ignored]) -> Difference | None:
    """The difference of a pair of which only one is there."""
    if pair.target is not None and pair.live is not None:
        return None
    ignored = pointers(ignore, pair.key)
    live = None if pair.live is None else normalised(pair.live, ignored)
    wanted = None if pair.target is None else normalised(pair.target, ignored)
    return Difference(modified=wanted is not None, live=live, predicted=wanted)


def _unchanged(pair: Pair) -> Difference:
    return Difference(modified=False, live=pair.live, predicted=pair.live)


def _difference(predicted: Filled, live: Filled) -> Difference:
    """Fields that Kubernetes does not know count, though its types drop them."""
    odd = sorted(predicted.strange) != sorted(live.strange)
    modified = odd or not same(predicted.object, live.object)
    return Difference(modified=modified, live=live.object, predicted=predicted.object)


def _placeless(obj: Json) -> Json:
    """Without its namespace, which live objects have anyway, and without empty annotations."""
    meta = dict(obj.get("metadata") or {})
    meta.pop("namespace", None)
    if not meta.get("annotations"):
        meta.pop("annotations", None)
    return {**obj, "metadata": meta}


def _unwritten(obj: Json) -> Json:
    """Without what every write changes."""
    meta = {n: each for n, each in (obj.get("metadata") or {}).items() if n not in _WRITTEN}
    notes = meta.get("annotations")
    if isinstance(notes, dict) and objects.LAST_APPLIED in notes:
        meta["annotations"] = {n: each for n, each in notes.items() if n != objects.LAST_APPLIED}
        if not meta["annotations"]:
            del meta["annotations"]
    return {**obj, "metadata": meta}


def last_applied(live: Mapping[str, Any]) -> Json | None:
    """What kubectl's annotation says; None without one, or one that cannot be read."""
    text = objects.notes(live).get(objects.LAST_APPLIED)
    if not text:
        return None
    try:
        found = msgspec.json.decode(text)
    except msgspec.MsgspecError:
        return None
    return found if isinstance(found, dict) else None


def _mark(pair: Pair, ignore: Sequence[Ignored]) -> bytes | None:
    """What a pair's result depends on."""
    live = pair.live or {}
    parts = [pair.target, pair.predicted, objects.uid(live), objects.version(live), list(ignore)]
    if not objects.version(live):
        parts.append(live)
    return hashlib.blake2b(msgspec.json.encode(parts), digest_size=16).digest()

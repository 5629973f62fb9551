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
from msgspec import Struct

from fairway.gitops import merging
from fairway.gitops.application import Ignored
from fairway.gitops.normalise import known_kind, normalised, pointers, same, without_nulls
from fairway.gitops.objects import Difference, Json, Pair
from fairway.kube import objects
from fairway.model.errors import InvalidInput
from fairway.native.objects import Defaults, Filled, Merge, ThreeWay
from fairway.native.toolbox import Toolbox

_KEPT: Final = 50_000  # pairs that were equal
_KEPT_MODIFIED: Final = 2_000  # and such that were not, which are kept whole
_BATCH: Final = 500  # objects in one call of the toolbox
_WRITTEN: Final = ("managedFields", "resourceVersion")
_SERVERS: Final = (*_WRITTEN, "generation", "uid")


class Differ:
    """Comparisons of one process, remembered by what they depend on. Status has no part in that:
    an object whose pods come up is not compared again.
    """

    def __init__(self, toolbox: Toolbox) -> None:
        self._toolbox = toolbox
        self._equal: OrderedDict[bytes, None] = OrderedDict()
        self._modified: OrderedDict[bytes, Difference] = OrderedDict()
        self._known: dict[tuple[str, str], bool] = {}

    def differences(self, pairs: Sequence[Pair], ignore: Sequence[Ignored]) -> list[Difference]:
        """One for each pair. Blocks; raises as `Toolbox` does."""
        made: list[Difference | None] = [_alone(pair, ignore) for pair in pairs]
        marks = [b"" if made[n] else _mark(pair, ignore) for n, pair in enumerate(pairs)]
        for number, mark in enumerate(marks):
            made[number] = made[number] or self._remembered(mark, pairs[number])
        open_ = [number for number, one in enumerate(made) if one is None]
        found = self._computed([pairs[number] for number in open_], ignore)
        for number, one in zip(open_, found, strict=True):
            made[number] = one
            self._remember(marks[number], one)
        return [one for one in made if one is not None]

    def _remembered(self, mark: bytes, pair: Pair) -> Difference | None:
        if mark in self._equal:
            self._equal.move_to_end(mark)
            return Difference(modified=False, live=pair.live, predicted=pair.live)
        return self._modified.get(mark)

    def _remember(self, mark: bytes, found: Difference) -> None:
        if found.modified:
            self._modified[mark] = found
        else:
            self._equal[mark] = None
        while len(self._equal) > _KEPT:
            self._equal.popitem(last=False)
        while len(self._modified) > _KEPT_MODIFIED:
            self._modified.popitem(last=False)

    def _computed(self, pairs: Sequence[Pair], ignore: Sequence[Ignored]) -> list[Difference]:
        self._learn(pair.target for pair in pairs if pair.target is not None)
        sides = [self._sides(pair, ignore) for pair in pairs]
        easy = [one for one in sides if self._is_easy(one)]
        guesses = self._compared([(merging.overlaid(one.live, one.wanted), one) for one in easy])
        equal = [one for one, guess in zip(easy, guesses, strict=True) if not guess.modified]
        settled = {id(one): Difference(modified=False, live=one.live, predicted=one.live)
                   for one in equal}  # fmt: skip
        hard = [one for one in sides if id(one) not in settled]
        for one, found in zip(
            hard, self._compared([(self._predicted(one), one) for one in hard]), strict=True
        ):
            settled[id(one)] = found
        return [settled[id(one)] for one in sides]

    def _sides(self, pair: Pair, ignore: Sequence[Ignored]) -> _Sides:
        known = self._known[known_kind(pair.target or {})]
        return _sides(pair, pointers(ignore, pair.key), known=known)

    def _is_easy(self, sides: _Sides) -> bool:
        """Whether nothing was applied before that is wanted no more. Then it is enough to lay what
        is wanted over what is live, lists as wholes: where that changes nothing, no merge does.
        """
        if sides.predicted is not None or not self._known[known_kind(sides.wanted)]:
            return False
        return sides.last is None or same(without_nulls(sides.last), sides.wanted)

    def _compared(self, pairs: Sequence[tuple[Json, _Sides]]) -> list[Difference]:
        """What would be with what is, both with Kubernetes' defaults."""
        filled = self._filled([one for made, sides in pairs for one in (made, sides.live)])
        return [_difference(filled[2 * n], filled[2 * n + 1]) for n in range(len(pairs))]

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

    def _predicted(self, sides: _Sides) -> Json:
        """What would be."""
        if sides.predicted is not None:
            return sides.predicted
        last, wanted, live = sides.last, sides.wanted, sides.live
        if not self._known[known_kind(wanted)]:
            patch = merging.three_way(wanted if last is None else last, wanted, live)
            made: Json = merging.merged(live, patch)
            return made
        try:
            return self._strategic(wanted if last is None else last, wanted, live)
        except InvalidInput:  # what was applied last cannot be used: two ways are left
            return self._strategic(wanted, wanted, live)

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


class _Sides(Struct, frozen=True, kw_only=True):
    """A pair as it is compared: without what does not count."""

    wanted: Json
    live: Json
    last: Json | None = None  # what was applied last
    predicted: Json | None = None  # what the server says


def _sides(pair: Pair, ignored: tuple[str, ...], *, known: bool) -> _Sides:
    live = normalised(pair.live or {}, ignored)
    wanted = _placeless(normalised(pair.target or {}, ignored))
    if pair.predicted is not None:
        predicted = _unwritten(normalised(pair.predicted, ignored))
        return _Sides(wanted=wanted, live=_unwritten(live), predicted=predicted)
    last = last_applied(pair.live or {})
    if last is not None:
        last = _placeless(normalised(last, ignored))
    return _Sides(wanted=without_nulls(wanted) if known else wanted, live=live, last=last)


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


def _mark(pair: Pair, ignore: Sequence[Ignored]) -> bytes:
    """What a pair's result depends on."""
    live = {name: each for name, each in (pair.live or {}).items() if name != "status"}
    meta = live.get("metadata") or {}
    live["metadata"] = {name: each for name, each in meta.items() if name not in _SERVERS}
    parts = [pair.target, pair.predicted, live, list(ignore)]
    return hashlib.blake2b(msgspec.json.encode(parts), digest_size=16).digest()

"""Whether a ReplicaSet's template is a Rollout's, however each of them is written.

Our own versions are found by their hash. What another controller made, or what means the same in
other words, is found by Kubernetes' own defaults: nothing is deployed anew because of a word.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from fairway.kube import Json, objects
from fairway.native.objects import Defaults
from fairway.native.toolbox import Toolbox
from fairway.rollout import hashing
from fairway.rollout.objects import HASH, Rollout

_MOST: Final = 2048


class Equality:
    """Compares by the toolbox; without one nothing matches but by hash."""

    def __init__(self, toolbox: Toolbox | None) -> None:
        self._toolbox = toolbox
        self._known: dict[tuple[str, str], bool] = {}

    async def match(self, obj: Json, sets: Sequence[Json]) -> str:
        """The name of the ReplicaSet that has the Rollout's template; "" for none, and where the
        hash says it already. Raises what the toolbox does."""
        rollout = Rollout(obj)
        hash_ = hashing.template_hash(
            rollout.template, int(rollout.status.get("collisionCount") or 0)
        )
        if self._toolbox is None or any(objects.labels(one).get(HASH) == hash_ for one in sets):
            return ""
        for one in sorted(sets, key=lambda one: str(objects.metadata(one)["creationTimestamp"])):
            if await self._same(hash_, rollout.template, one):
                return objects.key(one).name
        return ""

    async def _same(self, hash_: str, template: Mapping[str, Any], one: Json) -> bool:
        at = (hash_, objects.uid(one))
        if at not in self._known:
            if len(self._known) > _MOST:
                self._known.clear()
            self._known[at] = await self._compare(template, one["spec"]["template"])
        return self._known[at]

    async def _compare(self, template: Mapping[str, Any], live: Mapping[str, Any]) -> bool:
        wanted, found = (objects.copy(dict(one)) for one in (template, live))
        ((found.get("metadata") or {}).get("labels") or {}).pop(HASH, None)
        bodies = tuple(
            {"apiVersion": "v1", "kind": "PodTemplate", "metadata": {"name": "x"}, "template": one}
            for one in (wanted, found)
        )
        assert self._toolbox is not None  # noqa: S101 `match` has looked
        filled = await self._toolbox.ask(Defaults(objects=bodies))
        return bool(_plain(filled[0].object) == _plain(filled[1].object))


def _plain(obj: Json) -> str:
    template = obj["template"]
    (template.get("metadata") or {}).pop("creationTimestamp", None)
    (template.get("spec") or {}).pop("serviceAccount", None)  # the old name of another field
    return json.dumps(hashing.cleaned(template), sort_keys=True)

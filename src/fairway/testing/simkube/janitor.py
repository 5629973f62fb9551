"""What clears away: the garbage collector, and the controller of namespaces."""

from __future__ import annotations

from fairway.kube import objects
from fairway.kube.kind import NAMESPACE, Json
from fairway.testing.simkube.requests import delete
from fairway.testing.simkube.server import Place, SimApi

_FOREGROUND = "foregroundDeletion"
_ORPHAN = "orphan"
_KEEPER = "kubernetes"


class Janitor:
    """Looks at objects that changed."""

    def __init__(self, api: SimApi) -> None:
        self._api = api

    def tend(self, place: Place, obj: Json | None) -> bool:
        """Do what an object's change asks for; False when it is none of anybody's business now."""
        if obj is None:
            self._sweep()
            return False
        if objects.deleting(obj):
            self._ending(place, obj)
            return place in self._api.objects
        if self._is_orphaned(obj):
            delete(self._api, place, {})
            return place in self._api.objects
        return True

    def _ending(self, place: Place, obj: Json) -> None:
        finalizers = objects.metadata(obj).get("finalizers") or ()
        if _ORPHAN in finalizers:
            for at, one in self._dependents(obj):
                self._disown(at, one, objects.uid(obj))
            self._release(place, _ORPHAN)
        elif _FOREGROUND in finalizers:
            blocking = self._dependents(obj)
            for at, one in blocking:
                if not objects.deleting(one):
                    delete(self._api, at, {"propagationPolicy": "Foreground"})
            if not self._dependents(obj):
                self._release(place, _FOREGROUND)
        elif _KEEPER in finalizers and place[0] == NAMESPACE.path():
            self._empty(place)

    def _empty(self, place: Place) -> None:
        inside = [at for at in self._api.objects if at[1] == place[2]]
        for at in inside:
            found = self._api.objects.get(at)
            if found is not None and not objects.deleting(found):
                delete(self._api, at, {})
        if not any(at[1] == place[2] for at in self._api.objects):
            self._release(place, _KEEPER)

    def _sweep(self) -> None:
        """Something is gone: what was its own goes, and who waited for it goes on."""
        for at, one in list(self._api.objects.items()):
            if at not in self._api.objects:
                continue
            if objects.deleting(one):
                self._ending(at, one)
            elif self._is_orphaned(one):
                delete(self._api, at, {})

    def _is_orphaned(self, obj: Json) -> bool:
        owners = objects.metadata(obj).get("ownerReferences")
        if not owners:
            return False
        living = {objects.uid(one) for one in self._api.objects.values()}
        return not any(one["uid"] in living for one in owners)

    def _dependents(self, owner: Json) -> list[tuple[Place, Json]]:
        uid = objects.uid(owner)
        return [
            (at, one)
            for at, one in list(self._api.objects.items())
            if any(o["uid"] == uid for o in objects.metadata(one).get("ownerReferences") or ())
        ]

    def _disown(self, place: Place, obj: Json, uid: str) -> None:
        meta = dict(objects.metadata(obj))
        meta["ownerReferences"] = [one for one in meta["ownerReferences"] if one["uid"] != uid]
        self._api.put(place, {**obj, "metadata": meta})

    def _release(self, place: Place, finalizer: str) -> None:
        found = self._api.objects[place]
        meta = dict(objects.metadata(found))
        meta["finalizers"] = [one for one in meta["finalizers"] if one != finalizer]
        self._api.put(place, {**found, "metadata": meta})

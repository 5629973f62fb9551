"""Requests to the simulated server: what each does to the state, and its answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from msgspec import Struct

from fairway.kube import objects
from fairway.kube.kind import NAMESPACE, POD, Json
from fairway.kube.transport import Request, Response
from fairway.testing.simkube import refusing
from fairway.testing.simkube.discovering import discovery
from fairway.testing.simkube.refusing import Refused, answer
from fairway.testing.simkube.schemas import Resource
from fairway.testing.simkube.selecting import Selector, selector
from fairway.testing.simkube.server import Place, SimApi
from fairway.testing.simkube.writing import Asked, Writing, ended

_MASTERS: Final = "system:masters"
_VERSION: Final = {"major": "1", "minor": "34", "gitVersion": "v1.34.0-simulated"}


class Target(Struct, frozen=True):
    """What a path names."""

    resource: Resource
    namespace: str
    name: str
    subresource: str

    @property
    def place(self) -> Place:
        """Where the object is."""
        return (self.resource.kind.path(), self.namespace, self.name)


def carry_out(api: SimApi, request: Request) -> Response:
    """Any request but a watch. Never raises: a refusal is an answer."""
    try:
        found = discovery(api, request)
        if found is not None:
            return found
        if request.path == "/version":
            return answer(_VERSION)
        if request.path in ("/readyz", "/livez", "/healthz"):
            return Response(200, {"content-type": "text/plain"}, b"ok")
        target = target_of(api, request.path)
        allowed(request, target)
        return _on(api, request, target)
    except Refused as error:
        return error.response()


def watched(api: SimApi, request: Request) -> Selector:
    """What a watch is for. Raises `Refused`."""
    target = target_of(api, request.path)
    allowed(request, target)
    return _selector(target, dict(request.query))


def target_of(api: SimApi, path: str) -> Target:
    """What a path names. Raises `Refused` 404."""
    parts = path.strip("/").split("/")
    head, rest = (parts[:2], parts[2:]) if parts[0] == "api" else (parts[:3], parts[3:])
    namespace = ""
    if len(rest) > 2 and rest[0] == "namespaces" and rest[2] not in ("status", "finalize"):
        namespace, rest = rest[1], rest[2:]
    resource = api.resources.get("/" + "/".join([*head, *rest[:1]]))
    if resource is None or len(rest) > 3:
        raise refusing.not_found(path)
    name, below = (*rest[1:], "", "")[:2]
    return Target(resource, namespace, name, below)


def allowed(request: Request, target: Target) -> None:
    """There are two kinds of users: administrators, and who may nothing. Raises `Refused` 403."""
    user = request.headers.get("impersonate-user")
    groups = [value for name, value in request.repeated if name == "impersonate-group"]
    if user and _MASTERS not in groups:
        what = target.resource.kind.plural
        raise Refused(403, "Forbidden", f'{what} is forbidden: User "{user}" cannot do this')


def bare(request: Request) -> bool:
    """Whether metadata alone is asked for."""
    return "PartialObjectMetadata" in request.headers.get("accept", "")


def _selector(target: Target, query: Mapping[str, str]) -> Selector:
    return selector(
        target.resource.kind.path(),
        target.namespace,
        query.get("labelSelector", ""),
        query.get("fieldSelector", ""),
    )


def _on(api: SimApi, request: Request, target: Target) -> Response:
    if not target.name:
        return _on_collection(api, request, target)
    if target.subresource == "eviction":
        return _evict(api, request, target)
    if request.method not in _METHODS:
        raise _not_allowed(request)
    found = api.objects.get(target.place)
    asked = Asked.of(request)
    if found is None and not asked.applies:
        raise refusing.not_found(target.resource.kind.resource, target.name)
    _subresource_exists(target)
    if found is not None and request.method == "GET":
        return answer(_scale(found) if target.subresource == "scale" else found)
    if found is not None and request.method == "DELETE":
        options = msgspec.json.decode(request.body) if request.body else {}
        return answer(delete(api, target.place, options))
    writing = Writing(api, target.resource, target.place, asked)
    if target.subresource == "scale" and found is not None:
        replicas = msgspec.json.decode(request.body)["spec"]["replicas"]
        return answer(_scale(writing.rescale(found, replicas)))
    return writing.write(found, target.subresource)


def _on_collection(api: SimApi, request: Request, target: Target) -> Response:
    query = dict(request.query)
    if request.method == "GET":
        limit = int(query.get("limit") or 0)
        wanted = _selector(target, query)
        return api.list(wanted, limit, query.get("continue", ""), bare=bare(request))
    if request.method == "POST":
        return _create(api, request, target)
    raise _not_allowed(request)


def _not_allowed(request: Request) -> Refused:
    told = f"the server does not allow {request.method} of {request.path}"
    return Refused(405, "MethodNotAllowed", told)


_METHODS: Final = ("GET", "PUT", "PATCH", "DELETE")


def _subresource_exists(target: Target) -> None:
    there = {"": True, "status": target.resource.status, "scale": target.resource.scale}
    if not there.get(target.subresource):
        raise refusing.not_found(f"{target.resource.kind.resource}/{target.subresource}")


# ---- create --------------------------------------------------------------------------------------


def _create(api: SimApi, request: Request, target: Target) -> Response:
    asked = Asked.of(request)
    body = msgspec.json.decode(request.body)
    meta = objects.metadata(body)
    name = meta.get("name") or f"{meta.get('generateName') or ''}{api.suffix()}"
    kind = target.resource.kind
    namespace = target.namespace if kind.namespaced else ""
    place = (kind.path(), namespace, name)
    if place in api.objects:
        raise Refused(409, "AlreadyExists", f'{kind.resource} "{name}" already exists')
    given = {**meta, "name": name, **({"namespace": namespace} if namespace else {})}
    body = {**body, "metadata": given}
    return Writing(api, target.resource, place, asked).create(body)


# ---- deletion ------------------------------------------------------------------------------------


def delete(api: SimApi, place: Place, options: Mapping[str, Any]) -> Json:
    """Begin a deletion: what finalizers or a kubelet hold stays. Raises `Refused`."""
    found = api.objects[place]
    given = options.get("preconditions") or {}
    uid, version = given.get("uid"), given.get("resourceVersion")
    if uid not in (None, objects.uid(found)) or version not in (None, objects.version(found)):
        raise refusing.conflict(place[0], place[2], "the object has been modified")
    if options.get("dryRun"):
        return found
    meta = dict(objects.metadata(found))
    finalizers = list(meta.get("finalizers") or ())
    extra = _PROPAGATION.get(str(options.get("propagationPolicy")))
    if extra and extra not in finalizers:
        finalizers.append(extra)
    if place[0] == NAMESPACE.path():
        finalizers = [*finalizers, "kubernetes"] if "kubernetes" not in finalizers else finalizers
    if place[0] == POD.path() and (found.get("spec") or {}).get("nodeName"):
        meta.setdefault("deletionGracePeriodSeconds", options.get("gracePeriodSeconds") or 30)
    if finalizers:
        meta["finalizers"] = finalizers
    meta.setdefault("deletionTimestamp", ended())
    return api.put(place, {**found, "metadata": meta})


_PROPAGATION: Final = {"Foreground": "foregroundDeletion", "Orphan": "orphan"}


def _evict(api: SimApi, request: Request, target: Target) -> Response:
    if target.place not in api.objects:
        raise refusing.not_found(target.resource.kind.resource, target.name)
    options = msgspec.json.decode(request.body).get("deleteOptions") or {}
    delete(api, target.place, options)
    return answer({"kind": "Status", "apiVersion": "v1", "status": "Success"}, 201)


# ---- scale ---------------------------------------------------------------------------------------


def _scale(obj: Json) -> Json:
    meta = objects.metadata(obj)
    names = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {name: meta[name] for name in names if name in meta},
        "spec": {"replicas": (obj.get("spec") or {}).get("replicas", 0)},
        "status": {"replicas": (obj.get("status") or {}).get("replicas", 0)},
    }

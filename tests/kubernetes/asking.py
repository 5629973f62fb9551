"""Questions that tests ask again and again, without a process for each of them.

A command line for every look would take a core of the machine that the cluster starts on.
"""

from __future__ import annotations

import http.client
import json
import ssl
from typing import Any
from urllib.parse import urlsplit

from fairway.cluster.layout import Layout
from fairway.cluster.plan import ClusterPlan

_TIMEOUT_S = 30
_CORE, _APPS, _STORAGE = "/api/v1", "/apis/apps/v1", "/apis/storage.k8s.io/v1"
_GATEWAYS = "/apis/gateway.networking.k8s.io/v1"
# The kinds that are asked for most: where they lie, and whether in namespaces.
_KINDS = {
    "pods": (_CORE, True),
    "services": (_CORE, True),
    "serviceaccounts": (_CORE, True),
    "persistentvolumeclaims": (_CORE, True),
    "persistentvolumes": (_CORE, False),
    "nodes": (_CORE, False),
    "namespaces": (_CORE, False),
    "deployments": (_APPS, True),
    "storageclasses": (_STORAGE, False),
    "gatewayclasses": (_GATEWAYS, False),
}
_SHORT = {"pvc": "persistentvolumeclaims", "pv": "persistentvolumes"}


def path_of(words: tuple[str, ...]) -> str:
    """Where the API has what `kubectl get WORDS` asks for; "" for what is not known here."""
    names, namespace = [*words], "default"
    if "-n" in names:
        at = names.index("-n")
        namespace = names[at + 1]
        del names[at : at + 2]
    if not 1 <= len(names) <= 2 or any(word.startswith("-") for word in names):
        return ""
    short = names[0]
    kind = next((one for one in (short, f"{short}s", f"{short}es") if one in _KINDS), "")
    kind = kind or _SHORT.get(short, "")
    if not kind:
        return ""
    base, inside = _KINDS[kind]
    where = f"{base}/namespaces/{namespace}" if inside else base
    return "/".join([where, kind, *names[1:]])


def cluster(paths: Layout, plan: ClusterPlan, path: str) -> Any:
    """What a cluster's API has there, to its administrator.

    Raises OSError when it does not answer, AssertionError when it answers anything but well.
    """
    context = ssl.create_default_context(cafile=str(paths.pki / "ca.crt"))
    context.load_cert_chain(str(paths.pki / "admin.crt"), str(paths.pki / "admin.key"))
    place = urlsplit(plan.api)
    return _asked(
        http.client.HTTPSConnection(place.netloc, timeout=_TIMEOUT_S, context=context), path, {}
    )


def fairway(port: int, token: str, path: str) -> Any:
    """What our own API has there. Raises as `cluster` does."""
    link = http.client.HTTPConnection("127.0.0.1", port, timeout=_TIMEOUT_S)
    return _asked(link, path, {"Authorization": f"Bearer {token}"})


def _asked(link: http.client.HTTPConnection, path: str, headers: dict[str, str]) -> Any:
    try:
        link.request("GET", path, headers={"Accept": "application/json", **headers})
        answer = link.getresponse()
        text = answer.read()
        assert answer.status == 200, f"{path}: {answer.status} {text.decode(errors='replace')}"
        return json.loads(text)
    except http.client.HTTPException as error:
        raise AssertionError(f"{path}: {error!r}") from error
    finally:
        link.close()


def fulfils(found: Any, condition: str) -> bool:
    """Whether an object's condition holds, said of the object as it is now."""
    status = found.get("status") or {}
    generation = found["metadata"].get("generation", 0)
    if status.get("observedGeneration", generation) < generation:
        return False
    conditions = {one["type"]: one["status"] for one in status.get("conditions") or []}
    return bool(conditions.get(condition) == "True")

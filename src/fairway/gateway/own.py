"""What an installation makes in its cluster: classes, a Gateway for everybody. Pure.

They are made where they are missing, and changed only while they are ours (an annotation says so)
and the settings say otherwise. Whoever wants another Gateway or certificate of that name keeps it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from fairway.gateway.snapshot import CLASS, CONTROLLER, INGRESS_CONTROLLER

NAMESPACE: Final = "fairway-system"
NAME: Final = "fairway"
SECRET: Final = "fairway-localhost"  # noqa: S105 the name of a Secret, not its content
MARK: Final = "fairway.dev/made-by"


def marked() -> dict[str, Any]:
    """What of an object's metadata says that it is ours."""
    return {"annotations": {MARK: "fairway"}}


def gateway_class() -> dict[str, Any]:
    """The GatewayClass whose Gateways are ours."""
    return {
        "metadata": {"name": CLASS, **marked()},
        "spec": {
            "controllerName": CONTROLLER,
            "description": "Gateways that Fairway serves by Envoy",
        },
    }


def ingress_class() -> dict[str, Any]:
    """The IngressClass whose Ingresses are ours; the cluster's default."""
    notes = {MARK: "fairway", "ingressclass.kubernetes.io/is-default-class": "true"}
    return {
        "metadata": {"name": CLASS, "annotations": notes},
        "spec": {"controller": INGRESS_CONTROLLER},
    }


def namespace() -> dict[str, Any]:
    """Where our own objects are."""
    return {"metadata": {"name": NAMESPACE}}


def gateway(http_port: int, https_port: int) -> dict[str, Any]:
    """The Gateway that every namespace may attach routes to, for all hosts."""
    everybody = {"namespaces": {"from": "All"}}
    tls = {"mode": "Terminate", "certificateRefs": [{"name": SECRET}]}
    http = {"name": "http", "port": http_port, "protocol": "HTTP", "allowedRoutes": everybody}
    https = {
        "name": "https",
        "port": https_port,
        "protocol": "HTTPS",
        "tls": tls,
        "allowedRoutes": everybody,
    }
    return {
        "metadata": {"name": NAME, "namespace": NAMESPACE, **marked()},
        "spec": {"gatewayClassName": CLASS, "listeners": [http, https]},
    }


def ours(found: Mapping[str, Any]) -> bool:
    """Whether an object in the cluster was made by an installation and is still its own."""
    return MARK in (found["metadata"].get("annotations") or {})


def to_write(wanted: Mapping[str, Any], found: Mapping[str, Any] | None) -> bool:
    """Whether to write an object: it is missing, or ours with other settings."""
    if found is None:
        return True
    return ours(found) and not _within(wanted.get("spec", {}), found.get("spec", {}))


def to_replace(wanted: Mapping[str, Any], found: Mapping[str, Any] | None) -> bool:
    """Whether a class is ours and of another controller's name (of an older version of ours, say):
    that cannot be changed, so it is removed first. What refers to it does so by its own name.
    """
    if found is None or not ours(found):
        return False
    names = ("controllerName", "controller")
    return any(wanted["spec"].get(name) != found["spec"].get(name) for name in names)


def _within(wanted: Any, found: Any) -> bool:
    """Whether everything that we say is so; the API server adds defaults."""
    if isinstance(wanted, dict) and isinstance(found, dict):
        return all(_within(value, found.get(key)) for key, value in wanted.items())
    if isinstance(wanted, list) and isinstance(found, list):
        same = len(wanted) == len(found)
        return same and all(_within(*pair) for pair in zip(wanted, found, strict=True))
    return bool(wanted == found)

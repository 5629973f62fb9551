"""`plugins/ecr`: a password for Amazon's registry, by a signed call to its API.

The signature is AWS Signature Version 4, in the few lines that one POST needs.
"""

from __future__ import annotations

import base64
import datetime
import hashlib
import hmac
import json
from typing import Any, Final

from msgspec import Struct

from fairway.kit import clock
from fairway.kit.secret import Secret
from fairway.model.errors import InvalidInput
from fairway.pipeline.plugins.http import Sender
from fairway.pipeline.plugins.settings import Settings

_SERVICE: Final = "ecr"
_TARGET: Final = "AmazonEC2ContainerRegistry_V20150921"
_TYPE: Final = "application/x-amz-json-1.1"


class Login(Struct, frozen=True):
    """Where to push, and as whom."""

    registry: str
    auth: Secret  # Docker auth JSON


class Keys(Struct, frozen=True, kw_only=True):
    """An AWS identity."""

    access: str
    secret: Secret
    region: str


def keys(settings: Settings) -> Keys | None:
    """The identity that a step's settings name; None without one."""
    access = settings.text("access_key", "ECR_ACCESS_KEY", "AWS_ACCESS_KEY_ID")
    secret = settings.text("secret_key", "ECR_SECRET_KEY", "AWS_SECRET_ACCESS_KEY")
    region = settings.text("region", "ECR_REGION", "AWS_REGION", default="us-east-1")
    if not (access and secret):
        return None
    return Keys(access=access, secret=Secret(secret), region=region)


async def login(sender: Sender, identity: Keys) -> Login:
    """Ask for the registry's address and a password. Raises `InvalidInput` when it is refused."""
    answer = await _call(sender, identity, "GetAuthorizationToken", {})
    try:
        data = answer["authorizationData"][0]
        user, _, password = base64.b64decode(data["authorizationToken"]).decode().partition(":")
        registry = str(data["proxyEndpoint"]).removeprefix("https://")
    except (KeyError, IndexError, ValueError, TypeError) as error:
        raise InvalidInput("ECR's answer holds no credentials", code="ecr-refused") from error
    return Login(registry, Secret(json.dumps({"username": user, "password": password})))


async def ensure_repository(sender: Sender, identity: Keys, name: str) -> None:
    """Create the repository; one that exists is fine."""
    try:
        await _call(sender, identity, "CreateRepository", {"repositoryName": name})
    except InvalidInput as error:
        if "RepositoryAlreadyExistsException" not in error.message:
            raise


async def _call(
    sender: Sender, identity: Keys, action: str, payload: dict[str, str]
) -> dict[str, Any]:
    host = f"api.ecr.{identity.region}.amazonaws.com"
    body = json.dumps(payload).encode()
    headers = {
        "content-type": _TYPE,
        "host": host,
        "x-amz-date": f"{_utc():%Y%m%dT%H%M%SZ}",
        "x-amz-target": f"{_TARGET}.{action}",
    }
    headers["authorization"] = signature(identity, headers, body)
    answer = await sender.send("POST", f"https://{host}/", headers=headers, body=body)
    if answer.status != 200:
        raise InvalidInput(
            f"ECR refuses {action} ({answer.status}): {answer.body.strip()[:500]}",
            code="ecr-refused",
            remedy="See the step's access_key, secret_key and region.",
        )
    found: dict[str, Any] = json.loads(answer.body)
    return found


def _utc() -> datetime.datetime:
    return datetime.datetime.fromtimestamp(clock.seconds(), datetime.UTC)


def signature(
    identity: Keys, headers: dict[str, str], body: bytes, *, service: str = _SERVICE
) -> str:
    """The Authorization header of a POST to `/` with these (lower-case) headers and body."""
    names = ";".join(sorted(headers))
    lines = "".join(f"{name}:{headers[name].strip()}\n" for name in sorted(headers))
    canonical = f"POST\n/\n\n{lines}\n{names}\n{hashlib.sha256(body).hexdigest()}"
    at = headers["x-amz-date"]
    scope = f"{at[:8]}/{identity.region}/{service}/aws4_request"
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    text = f"AWS4-HMAC-SHA256\n{at}\n{scope}\n{digest}"
    key = f"AWS4{identity.secret.reveal()}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    signed = hmac.digest(key, text.encode(), "sha256").hex()
    return (
        f"AWS4-HMAC-SHA256 Credential={identity.access}/{scope}, "
        f"SignedHeaders={names}, Signature={signed}"
    )

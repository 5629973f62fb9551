"""The registry's ASGI application: paths to endpoints, errors to answers."""

from __future__ import annotations

import contextlib
import logging
import re
from collections.abc import Awaitable, Callable
from typing import Any, Final

from fairway.image.registry import blobs, lists, manifests
from fairway.image.registry.deps import Call, Deps, check_name
from fairway.image.registry.errors import RegistryError, translated
from fairway.image.registry.http import GoneAwayError, Receive, Request, Scope, Send
from fairway.image.registry.uploads import Uploads
from fairway.model.errors import FairwayError

__all__ = ["Deps", "registry_app"]

Endpoint = Callable[..., Awaitable[None]]

_log = logging.getLogger(__name__)
_VERSION: Final = {"docker-distribution-api-version": "registry/2.0"}


class _Registry:
    """One registry."""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps
        self._login = deps.login()
        uploads = Uploads(deps)
        self._routes: tuple[tuple[re.Pattern[str], dict[str, Endpoint]], ...] = (
            (
                re.compile(r"/v2/(.+)/blobs/uploads/?"),
                {"POST": uploads.start},
            ),
            (
                re.compile(r"/v2/(.+)/blobs/uploads/([^/]+)"),
                {
                    "GET": uploads.status,
                    "PATCH": uploads.patch,
                    "PUT": uploads.finish,
                    "DELETE": uploads.cancel,
                },
            ),
            (
                re.compile(r"/v2/(.+)/blobs/([^/]+)"),
                {"GET": blobs.get, "HEAD": blobs.get, "DELETE": blobs.delete},
            ),
            (
                re.compile(r"/v2/(.+)/manifests/([^/]+)"),
                {
                    "GET": manifests.get,
                    "HEAD": manifests.get,
                    "PUT": manifests.put,
                    "DELETE": manifests.delete,
                },
            ),
            (re.compile(r"/v2/(.+)/tags/list"), {"GET": lists.tags}),
            (re.compile(r"/v2/(.+)/referrers/([^/]+)"), {"GET": lists.referrers}),
            (re.compile(r"/v2/_catalog()"), {"GET": lists.catalog}),
            (re.compile(r"/v2/?()"), {"GET": _version, "HEAD": _version}),
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI entry."""
        if scope["type"] != "http":
            return
        request = Request(scope, receive, send)
        try:
            await self._answer(request)
        except GoneAwayError:
            _log.debug("a registry client went away")
        except RegistryError as error:
            await _refuse(request, error)
        except FairwayError as error:
            await _refuse(request, translated(error))
        except Exception:  # noqa: BLE001 the edge: the client gets an answer, the log the trace
            _log.exception("registry: %s %s failed", request.method, request.path)
            await _refuse(request, RegistryError("UNKNOWN", "a defect of ours; see the log"))

    async def _answer(self, request: Request) -> None:
        if request.path == "/v2/token" and request.method in {"GET", "POST"}:
            await self._login.token(request)
            return
        endpoint, words = self._route(request)
        name = words.pop(0)
        if name:
            check_name(name)
        asker = await self._login.asker(request)
        call = Call(self._deps, self._login, request, asker, name)
        if not name:
            self._login.check_known(request, asker)
        await endpoint(call, *words)

    def _route(self, request: Request) -> tuple[Endpoint, list[str]]:
        allowed: set[str] = set()
        for pattern, methods in self._routes:
            match = pattern.fullmatch(request.path)
            if match is None:
                continue
            if request.method in methods:
                return methods[request.method], list(match.groups())
            allowed |= set(methods)
            break
        if allowed:
            raise RegistryError(
                "UNSUPPORTED",
                f"{request.method} is not for this path",
                headers={"allow": ", ".join(sorted(allowed))},
            )
        raise RegistryError("UNSUPPORTED", "the registry has no such path", status=404)


async def _version(call: Call) -> None:
    headers = {"content-type": "application/json", **_VERSION}
    await call.request.answer(200, headers, b"{}")


async def _refuse(request: Request, error: RegistryError) -> None:
    if request.answered:
        return
    with contextlib.suppress(GoneAwayError):
        await request.drain()
    headers = {"content-type": "application/json", **_VERSION, **error.headers}
    await request.answer(error.status, headers, error.body())


def registry_app(deps: Deps) -> Callable[[Any, Any, Any], Awaitable[None]]:
    """The registry as a raw ASGI application for `/v2/...`. It needs no lifespan."""
    return _Registry(deps)

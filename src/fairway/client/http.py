"""The HTTP client of our API: typed answers, errors of our tree, retries where they are safe.

httpx is imported when a client is made, not before: `fairway --help` must not pay for it.
"""

from __future__ import annotations

import random
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, TypeVar

import msgspec

from fairway.client import sse
from fairway.client.problems import error_of
from fairway.client.wire.common import Page
from fairway.model.errors import BadFile, FairwayError, InvalidInput, Unauthenticated, Unavailable

if TYPE_CHECKING:
    import ssl

    import httpx

T = TypeVar("T")
Params = Mapping[str, str | int | bool | None]

_TRIES: Final = 4
_FIRST_WAIT_S: Final = 0.25
_LONGEST_WAIT_S: Final = 4.0
_SAFE: Final = frozenset({"GET", "HEAD", "PUT", "DELETE"})
_AGAIN: Final = frozenset({429, 502, 503, 504})
_SILENCE_S: Final = 45.0  # the server's heartbeat comes every 15 s


def _wait(seconds: float) -> None:
    threading.Event().wait(seconds)


class Api:
    """The API of one server, as one identity. Not for use by several threads at once."""

    def __init__(
        self,
        url: str,
        token: str,
        *,
        timeout_s: float = 30.0,
        ca: str = "",
        transport: httpx.BaseTransport | None = None,
        wait: Callable[[float], None] = _wait,
    ) -> None:
        import httpx  # noqa: PLC0415 100 ms that --help must not pay

        from fairway.kit import trust  # noqa: PLC0415 as above

        self.url = url.rstrip("/")
        self._wait = wait
        self._httpx = httpx
        headers = {"Accept": "application/json", "User-Agent": "fairway"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        self._client = httpx.Client(
            base_url=f"{self.url}/api/v1",
            headers=headers,
            timeout=timeout_s,
            transport=transport,
            verify=trusting(ca) if ca else trust.for_address(self.url),
            trust_env=not _is_local(self.url),
        )

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def get(self, path: str, kind: type[T], params: Params | None = None) -> T:
        """GET a typed answer. Raises the error that the server tells, `Unavailable` without one."""
        return self._typed(self.send("GET", path, params=params).content, kind)

    def text(self, path: str, params: Params | None = None) -> str:
        """GET a plain text."""
        headers = {"Accept": "text/plain"}
        return str(self.send("GET", path, params=params, headers=headers).text)

    def put(self, path: str, body: Any, kind: type[T]) -> T:
        """PUT; may be tried again."""
        return self._typed(self.send("PUT", path, body=body).content, kind)

    def patch(self, path: str, body: Any, kind: type[T]) -> T:
        """PATCH; never tried again."""
        return self._typed(self.send("PATCH", path, body=body).content, kind)

    def post(
        self, path: str, body: Any, kind: type[T], *, key: str = "", timeout_s: float = 0
    ) -> T:
        """POST. With an idempotency key ("new" makes one) it is tried again when it may be.

        `timeout_s`: for what takes longer than this client waits else.
        """
        headers = {}
        if key:
            headers["Idempotency-Key"] = uuid.uuid4().hex if key == "new" else key
        answer = self.send("POST", path, body=body, headers=headers, timeout_s=timeout_s)
        return self._typed(answer.content, kind)

    def delete(self, path: str) -> None:
        """DELETE; may be tried again."""
        self.send("DELETE", path)

    def pages(
        self, path: str, kind: type[T], params: Params | None = None, *, limit: int = 0
    ) -> Iterator[T]:
        """Every item of a list, page by page, at most `limit` (0: all)."""
        query = {**(params or {})}
        if limit:
            query["limit"] = min(limit, 100)
        given = 0
        while True:
            page = self.get(path, Page[kind], query)  # type: ignore[valid-type]
            for item in page.items:
                yield item
                given += 1
                if limit and given >= limit:
                    return
            if page.next is None:
                return
            query["cursor"] = page.next

    def stream(
        self, path: str, params: Params | None = None, *, last_id: str = "", forever: bool = True
    ) -> Iterator[sse.Message]:
        """The messages of an event stream; goes on where it was after a cut.

        Ends with the message `end`. Raises `Unavailable` when the server stays away, and what it
        refuses at once.
        """
        reader = sse.Reader(last_id)
        misses = 0
        while True:
            try:
                for message in self._connection(path, params, reader):
                    misses = 0
                    yield message
                    if message.event == "end":
                        return
            except Unavailable:
                if misses >= _TRIES or not forever:
                    raise
            misses += 1
            if misses > _TRIES:
                raise Unavailable(f"{self.url} ends the stream again and again", code="stream-cut")
            self._wait(_backoff(misses - 1))

    def _connection(
        self, path: str, params: Params | None, reader: sse.Reader
    ) -> Iterator[sse.Message]:
        headers = {"Accept": "text/event-stream"}
        if reader.last_id:
            headers["Last-Event-ID"] = reader.last_id
        timeout = self._httpx.Timeout(30.0, read=_SILENCE_S)
        try:
            with self._client.stream(
                "GET", path, params=_query(params), headers=headers, timeout=timeout
            ) as answer:
                if answer.status_code >= 400:
                    raise error_of(answer.status_code, answer.read(), answer.reason_phrase)
                yield from sse.read(_lines(answer.iter_text()), reader)
        except self._httpx.TransportError as error:
            raise self._away(error) from error

    def send(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        params: Params | None = None,
        headers: Mapping[str, str] | None = None,
        timeout_s: float = 0,
    ) -> httpx.Response:
        """One request, tried again where that cannot do it twice. Raises the server's error."""
        given = dict(headers or {})
        content: bytes | None = None
        if body is not None:
            content = body if isinstance(body, bytes) else msgspec.json.encode(body)
            given.setdefault("Content-Type", "application/json")
        again = method in _SAFE or "Idempotency-Key" in given
        for tried in range(_TRIES):
            last = tried == _TRIES - 1 or not again
            try:
                answer = self._client.request(
                    method,
                    path,
                    content=content,
                    params=_query(params),
                    headers=given,
                    timeout=timeout_s or self._httpx.USE_CLIENT_DEFAULT,
                )
            except self._httpx.TransportError as error:
                if last:
                    raise self._away(error) from error
                self._wait(_backoff(tried))
                continue
            if answer.status_code < 400:
                return answer
            if last or answer.status_code not in _AGAIN:
                raise self._refused(answer)
            self._wait(max(_backoff(tried), _asked_wait(answer.headers.get("Retry-After", ""))))
        raise AssertionError("unreachable")

    def _refused(self, answer: httpx.Response) -> FairwayError:
        error = error_of(answer.status_code, answer.content, answer.reason_phrase)
        if isinstance(error, Unauthenticated) and not error.remedy:
            error.remedy = "`fairway login` with a token that holds"
        return error

    def _away(self, error: Exception) -> Unavailable:
        slow = isinstance(error, self._httpx.TimeoutException)
        what = "answers too slowly" if slow else "does not answer"
        return Unavailable(
            f"Fairway at {self.url} {what}" + (f": {error}" if str(error) else ""),
            code="server-unavailable",
            remedy="is it up? `fairway up` starts it here; `fairway context` shows where we look",
        )

    def _typed(self, content: bytes, kind: type[T]) -> T:
        try:
            return msgspec.json.decode(content or b"null", type=kind)
        except msgspec.MsgspecError as error:
            raise InvalidInput(
                f"{self.url} does not answer as Fairway does: {error}",
                code="not-fairway",
                remedy="look at the address in `fairway context`",
            ) from error


def trusting(ca: str) -> ssl.SSLContext:
    """TLS that trusts an authority's certificate, or a server's own, in a file of PEM.

    Raises `BadFile` for a file that holds none.
    """
    import ssl  # noqa: PLC0415 only where an own authority is given

    try:
        context = ssl.create_default_context(cafile=ca)
    except OSError as error:  # SSLError is one
        raise BadFile(
            f"no certificate can be read from it: {error}",
            code="bad-authority",
            where=ca,
            remedy="give the PEM file of the authority that signed the server's certificate",
        ) from error
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return context


def _is_local(url: str) -> bool:
    """Our own machine is never asked through a proxy."""
    host = url.partition("://")[2].partition("/")[0].rpartition(":")[0].strip("[]")
    return host in {"localhost", "::1"} or host.startswith("127.")


def _query(params: Params | None) -> dict[str, str]:
    """Without what is absent; booleans as JSON has them."""
    found: dict[str, str] = {}
    for name, value in (params or {}).items():
        if value is None or value == "":
            continue
        found[name] = str(value).lower() if isinstance(value, bool) else str(value)
    return found


def _lines(chunks: Iterator[str]) -> Iterator[str]:
    """Lines of a stream, ended by a line feed alone: log texts may hold other separators."""
    rest = ""
    for chunk in chunks:
        *whole, rest = (rest + chunk).split("\n")
        yield from whole


def _backoff(tried: int) -> float:
    longest: float = min(_LONGEST_WAIT_S, _FIRST_WAIT_S * 2.0**tried)
    return longest * random.uniform(0.5, 1.0)  # noqa: S311 jitter, not a secret


def _asked_wait(text: str) -> float:
    return min(float(text), 60.0) if text.isdigit() else 0.0

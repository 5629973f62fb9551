"""A workspace that speaks the part of Slack's Web API that Fairway uses, in memory or over HTTP.

`python -m fairway.testing.slack [PORT]` serves one and prints each change of its messages.
"""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from fairway.kit import clock
from fairway.model.errors import Unavailable
from fairway.notify.channel import Answer

Said = dict[str, Any]
TOKEN = "xoxb-local"  # noqa: S105 of this server alone


class Workspace:
    """Channels and what was said there. Thread-safe."""

    def __init__(self, *, page: int = 100, on_change: Callable[[str, Said], None] | None = None):
        self.messages: list[Said] = []  # in the order of their posting, threads among them
        self.refuse: list[Answer] = []  # answered instead, one after another
        self._page = page
        self._on_change = on_change or (lambda _what, _message: None)
        self._lock = threading.Lock()
        self._clock = 0  # of the last message, in microseconds: each has a time of its own

    def roots(self, channel: str) -> list[Said]:
        """What stands in the channel, without threads."""
        return [m for m in self.messages if m["channel"] == channel and "thread_ts" not in m]

    def thread(self, ts: str) -> list[Said]:
        """The replies to a message."""
        return [m for m in self.messages if m.get("thread_ts") == ts]

    def call(self, method: str, asked: Mapping[str, Any], token: str) -> Answer:
        """One call of the API."""
        with self._lock:
            if self.refuse:
                return self.refuse.pop(0)
            if token != TOKEN:
                return _json({"ok": False, "error": "invalid_auth"})
            act = getattr(self, "_" + method.replace(".", "_"), None)
            if act is None:
                return _json({"ok": False, "error": "unknown_method"})
            return _json(act(asked))

    def _chat_postMessage(self, asked: Mapping[str, Any]) -> Said:  # noqa: N802 Slack's name
        if not asked.get("text"):
            return {"ok": False, "error": "no_text"}
        self._clock = max(self._clock + 1, clock.now() * 1000)
        message = {**asked, "ts": f"{self._clock // 1_000_000}.{self._clock % 1_000_000:06}"}
        self.messages.append(message)
        self._on_change("posted", message)
        return {"ok": True, "ts": message["ts"], "channel": asked["channel"]}

    def _chat_update(self, asked: Mapping[str, Any]) -> Said:
        for message in self.messages:
            if message["ts"] == asked["ts"] and message["channel"] == asked["channel"]:
                message.update(asked)
                self._on_change("edited", message)
                return {"ok": True, "ts": message["ts"]}
        return {"ok": False, "error": "message_not_found"}

    def _conversations_history(self, asked: Mapping[str, Any]) -> Said:
        oldest = float(asked.get("oldest", 0))
        found = [m for m in self.roots(asked["channel"]) if float(m["ts"]) >= oldest]
        return self._paged(found[::-1], asked)

    def _conversations_replies(self, asked: Mapping[str, Any]) -> Said:
        root = [m for m in self.messages if m["ts"] == asked["ts"]]
        return self._paged([*root, *self.thread(asked["ts"])], asked)

    def _paged(self, found: list[Said], asked: Mapping[str, Any]) -> Said:
        begin = int(asked.get("cursor") or 0)
        end = begin + min(int(asked.get("limit", self._page)), self._page)
        shown = found[begin:end]
        if asked.get("include_all_metadata") != "true":
            shown = [{k: v for k, v in m.items() if k != "metadata"} for m in shown]
        cursor = str(end) if end < len(found) else ""
        return {"ok": True, "messages": shown, "response_metadata": {"next_cursor": cursor}}


def _json(said: Said) -> Answer:
    return Answer(200, {"content-type": "application/json"}, json.dumps(said).encode())


class Line:
    """A `Sender` that leads straight to a workspace, and may break: before the request arrives
    (`cut`), or after it had its effect (`deaf`)."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.requests: list[str] = []
        self.trouble: Callable[[str], str] = lambda _method: ""

    async def send(
        self, method: str, url: str, *, headers: Mapping[str, str], body: bytes
    ) -> Answer:
        """See `notify.channel.Sender`."""
        del method
        name = urlsplit(url).path.rpartition("/")[2]
        self.requests.append(name)
        trouble = self.trouble(name)
        if trouble == "cut":
            raise Unavailable("the line is cut", code="no-answer")
        answer = self.workspace.call(name, read(url, body), bearer(headers))
        if trouble == "deaf":
            raise Unavailable("the answer is lost", code="no-answer")
        return answer


def read(url: str, body: bytes) -> dict[str, Any]:
    """A call's arguments, from its query or its JSON body."""
    asked: dict[str, Any] = dict(parse_qsl(urlsplit(url).query))
    return {**asked, **json.loads(body)} if body else asked


def bearer(headers: Mapping[str, str]) -> str:
    """The token of an Authorization header."""
    return {k.lower(): v for k, v in headers.items()}.get("authorization", "").removeprefix(
        "Bearer "
    )


def serve(workspace: Workspace, port: int = 0) -> ThreadingHTTPServer:
    """Serve it on 127.0.0.1 in a thread; `shutdown()` and `server_close()` end it."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            name = urlsplit(self.path).path.rpartition("/")[2]
            answer = workspace.call(name, read(self.path, body), bearer(dict(self.headers)))
            self.send_response(answer.status)
            for header, value in answer.headers.items():
                self.send_header(header, value)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

        do_GET = do_POST  # noqa: N815 its name

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 its name
            """Say nothing of requests."""

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    threading.Thread(target=server.serve_forever, name="slack", daemon=True).start()
    return server


def main() -> None:
    """Serve until stdin ends."""

    def show(what: str, message: Said) -> None:
        print(json.dumps({"what": what, **message}), flush=True)  # noqa: T201 its purpose

    server = serve(Workspace(on_change=show), int(sys.argv[1]) if len(sys.argv) > 1 else 0)
    print(json.dumps({"port": server.server_port}), flush=True)  # noqa: T201 its purpose
    sys.stdin.read()
    server.shutdown()
    server.server_close()


if __name__ == "__main__":
    main()

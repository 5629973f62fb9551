"""Requests to addresses that people wrote down."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from fairway.kit import outbound
from fairway.model.errors import InvalidInput, Unavailable


class _Server(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        data = b"a long answer"
        self.send_response(302)
        self.send_header("Location", "/elsewhere")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_args: object) -> None:
        """Nobody reads it."""


@pytest.fixture
def address() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Server)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


async def test_an_answer_is_cut_where_it_is_too_long_and_no_redirect_followed(address: str) -> None:
    got = await outbound.send("POST", address, headers={}, body=b"", most=6)
    assert (got.status, got.reason, got.body) == (302, "Found", b"a long")
    assert got.headers["location"] == "/elsewhere"


async def test_nothing_is_sent_where_clouds_keep_keys() -> None:
    with pytest.raises(InvalidInput) as caught:
        await outbound.send("GET", "http://169.254.169.254/x", headers={}, body=b"", most=1)
    assert caught.value.code == "remote-link-local"


@pytest.mark.parametrize("url", ["http://me:secret@127.0.0.1:1/token", "nothing", "http://[::1/x"])
async def test_no_answer_is_said_without_what_may_be_secret(url: str) -> None:
    with pytest.raises(Unavailable) as caught:
        await outbound.send("GET", url, headers={}, body=b"", most=1)
    assert caught.value.code == "no-answer"
    assert "secret" not in str(caught.value)
    assert "token" not in str(caught.value)

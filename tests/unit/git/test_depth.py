"""How much the kernel holds for git."""

from __future__ import annotations

import os
import socket

from fairway.git import backend


def depth(sock: socket.socket) -> int:
    return sock.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)


def test_the_kernel_holds_more_than_it_would_and_for_root_all_that_is_asked() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        usual = depth(ours)
        backend._deepen(ours)
        assert depth(ours) >= usual
        if os.geteuid() == 0:
            assert depth(ours) >= backend._DEEP


def test_who_may_not_ask_for_more_than_all_may_have_goes_on() -> None:
    class Refusing(socket.socket):
        def setsockopt(self, *words: object) -> None:  # type: ignore[override]
            if words[1] == backend._SO_SNDBUFFORCE:
                raise PermissionError

    with Refusing(socket.AF_UNIX) as ours:
        backend._deepen(ours)

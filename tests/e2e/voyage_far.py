"""A Kubernetes elsewhere, started on its own: API server, controllers, a kubelet without
containers (its pods come and go as real ones do, but run nothing). Behind a line that may be cut.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

from fairway.kube import Actor, connect
from fairway.native import programs
from fairway.testing.apiserver import ApiServer
from fairway.testing.controllers import ControllerManager
from fairway.testing.fake_kubelet import FakeKubelet


class Line:
    """A TCP port in front of another one. Cut, it takes what is sent and answers nothing."""

    def __init__(self, port: int) -> None:
        self._to = port
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._whole = threading.Event()
        self._whole.set()
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._server.getsockname()[1])
        self._threads: list[threading.Thread] = []
        self._accepting = threading.Thread(target=self._accept, name="line's listener")
        self._accepting.start()

    def cut(self) -> None:
        """From now on nothing comes through, in either direction."""
        self._whole.clear()

    def mend(self) -> None:
        """New connections come through; those of before the cut are gone."""
        self._drop()
        self._whole.set()

    def close(self) -> None:
        """End it."""
        self._server.shutdown(socket.SHUT_RDWR)
        self._accepting.join(60)
        self._server.close()
        self._whole.set()
        self._drop()
        for thread in self._threads:
            thread.join(60)

    def _drop(self) -> None:
        with self._lock:
            for one in self._open:
                with contextlib.suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while True:
            try:
                ours, _ = self._server.accept()
            except OSError:
                return  # it was shut down
            try:
                theirs = socket.create_connection(("127.0.0.1", self._to))
            except OSError:
                ours.close()
                continue
            thread = threading.Thread(target=self._carry, args=(ours, theirs), name="line")
            self._threads.append(thread)
            with self._lock:
                self._open |= {ours, theirs}
            thread.start()

    def _carry(self, ours: socket.socket, theirs: socket.socket) -> None:
        """Both ways, until either end is done; nothing is closed under the other's hands."""
        back = threading.Thread(target=self._pump, args=(theirs, ours), name="line, back")
        back.start()
        self._pump(ours, theirs)
        back.join()
        with self._lock:
            self._open -= {ours, theirs}
            ours.close()
            theirs.close()

    def _pump(self, one: socket.socket, other: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := one.recv(65536):
                self._whole.wait()
                other.sendall(data)
        for end in (one, other):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


class _Kubelet:
    """The fake kubelet, in a thread with a loop of its own."""

    def __init__(self, server: ApiServer) -> None:
        self._server = server
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._up = threading.Event()
        self._thread = threading.Thread(target=self._run, name="fake kubelet")
        self._thread.start()
        assert self._up.wait(60), "the fake kubelet did not start"

    def stop(self) -> None:
        if self._loop is not None and self._task is not None:
            self._loop.call_soon_threadsafe(self._task.cancel)
        self._thread.join(60)

    def _run(self) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            asyncio.run(self._main())

    async def _main(self) -> None:
        self._loop, self._task = asyncio.get_running_loop(), asyncio.current_task()
        kube = await connect(self._server.admin, Actor(manager="fake-kubelet"))
        try:
            self._up.set()
            await FakeKubelet(kube).run()
        finally:
            await kube.close()
            await _farewell(self._loop)


async def _farewell(loop: asyncio.AbstractEventLoop) -> None:
    """TLS connections end by an exchange of their own: wait until no socket is left of them."""
    left = getattr(loop, "_selector").get_map  # noqa: B009 no public way to ask
    for _ in range(400):
        if len(left()) <= 1:  # the loop's own
            return
        await asyncio.sleep(0.1)


@contextlib.contextmanager
def elsewhere(folder: Path, native_dir: str) -> Iterator[tuple[Line, Path]]:
    """A running cluster: the line to it, and a kubeconfig that leads along that line."""
    native = programs.find(native_dir).native
    server = ApiServer(native, folder)
    manager = ControllerManager(native, server)
    with contextlib.ExitStack() as stack:
        stack.callback(server.stop)
        server.start()
        stack.callback(manager.stop)
        manager.start()
        kubelet = _Kubelet(server)
        stack.callback(kubelet.stop)
        line = Line(server.port)
        stack.callback(line.close)
        config = server.kubeconfig()
        config["clusters"][0]["cluster"]["server"] = f"https://127.0.0.1:{line.port}"
        path = folder / "kubeconfig"
        path.write_text(json.dumps(config))
        yield line, path

"""A purge takes our names out of an Engine that is not ours, whatever port each start was given."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from fairway.boot import machines
from fairway.docker import daemon
from fairway.settings import load


def test_image_names_of_every_port_that_a_start_was_given_are_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ports = (18480, 18481)
    another = f"{load(tmp_path).registry_name}/films/app:1"  # somebody's who has the usual port
    names = [f"127.0.0.1:{port}/films/app:1" for port in ports] + ["busybox:latest", another]
    removed: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        path = request.url.path
        if request.method == "DELETE":
            removed.append(path.removeprefix("/images/"))
        images = [{"RepoTags": [name], "RepoDigests": None} for name in names]
        found: object = {"/images/json": images, "/volumes": {}}.get(path, [])
        return httpx.Response(200, json=found)

    client = httpx.Client(transport=httpx.MockTransport(answer), base_url="http://engine")
    engine = daemon.Engine(host="unix:///engine", ours=False, version="", gateway="")
    monkeypatch.setattr(daemon, "ask", lambda _host: engine)
    monkeypatch.setattr(daemon, "client", lambda _host, _seconds: client)
    for port in ports:
        docker = {"host": "unix:///engine"}
        machines.engine(load(tmp_path, {"http": {"port": port}, "docker": docker}), print)
    machines.clear_engines(load(tmp_path), ["someone"], print)
    assert removed == names[:2]

"""Charts from a registry of ours over HTTP, from Helm repositories, and from the shelf."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from setting import our_deps

from fairway.gitops.credentials import Credentials
from fairway.gitops.objects import Destination
from fairway.gitops.rendering import Rendering, RenderRequest
from fairway.gitops.source import Source
from fairway.gitops.sources.charts import ChartSources
from fairway.image.registry import registry_app
from fairway.model.errors import FairwayError, NotFound
from fairway.native.helm import HelmPackage
from fairway.native.toolbox import Toolbox
from fairway.oci import charts
from fairway.oci.charts import Charts, Place
from fairway.testing.http import serving

TEMPLATE = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ .Release.Name }}}\n"
PATH = "dev/charts/web"


def packed(toolbox: Toolbox, folder: Path, version: str) -> bytes:
    """An archive of the chart `web`, as `helm package` makes it."""
    (folder / "web" / "templates").mkdir(parents=True, exist_ok=True)
    (folder / "web" / "Chart.yaml").write_text(f"apiVersion: v2\nname: web\nversion: {version}\n")
    (folder / "web" / "templates" / "map.yaml").write_text(
        f"{TEMPLATE}data: {{version: '{version}'}}\n"
    )
    return toolbox.ask_now(HelmPackage(chart="web"), folder=folder).data


async def nothing(_url: str) -> Credentials:
    return Credentials()


@pytest.fixture
async def registry(tmp_path: Path) -> AsyncIterator[Place]:
    folder = tmp_path / "registry"
    folder.mkdir()
    deps = our_deps(folder)
    async with serving(registry_app(deps)) as url:
        yield Place(host=url.removeprefix("http://"), path=PATH)
    deps.db.close()


async def pushed(place: Place, toolbox: Toolbox, folder: Path, *versions: str) -> None:
    for version in versions:
        archive = packed(toolbox, folder, version)
        await charts.push(place, archive, {"name": "web", "version": version})


def source(place: Place, revision: str) -> Source:
    base = f"{place.host}/dev/charts"
    return Source(repo_url=base, chart="web", target_revision=revision)


async def test_a_chart_that_was_pushed_is_rendered_by_version_and_by_range(
    registry: Place, toolbox: Toolbox, tmp_path: Path
) -> None:
    await pushed(registry, toolbox, tmp_path, "1.0.0", "1.10.0-rc.1+build.7", "1.9.0")
    rendering = Rendering(toolbox, ChartSources(nothing))

    async def version(revision: str, **more: Any) -> tuple[str, str]:
        wanted = source(registry, revision)
        for name, value in more.items():
            wanted = Source(repo_url=value, target_revision=revision) if name == "url" else wanted
        asked = RenderRequest(app="shop", source=wanted, destination=Destination(namespace="web"))
        made = await rendering.render(asked)
        assert made.source_type == "Helm"
        return made.revision, made.objects[0]["data"]["version"]

    assert await version("1.0.0") == ("1.0.0", "1.0.0")
    assert await version("1.x") == ("1.9.0", "1.9.0")
    assert (await version(">=1.0.0-0"))[0] == "1.10.0-rc.1+build.7"
    assert (await version("1.9.0", url=f"oci://{registry}"))[1] == "1.9.0"


async def test_a_new_version_is_seen_when_fresh_ones_are_asked_for(
    registry: Place, toolbox: Toolbox, tmp_path: Path
) -> None:
    await pushed(registry, toolbox, tmp_path, "1.0.0")
    found = ChartSources(nothing)
    assert await found.resolve(source(registry, "1.x")) == "1.0.0"
    await pushed(registry, toolbox, tmp_path, "1.1.0")
    assert await found.resolve(source(registry, "1.x")) == "1.0.0"
    again = ChartSources(nothing)
    assert await again.resolve(source(registry, "1.x"), fresh=True) == "1.1.0"


async def test_the_same_push_twice_gives_the_same_digest(
    registry: Place, toolbox: Toolbox, tmp_path: Path
) -> None:
    archive = packed(toolbox, tmp_path, "1.0.0")
    chart = {"name": "web", "version": "1.0.0"}
    first = await charts.push(registry, archive, chart)
    assert await charts.push(registry, archive, chart) == first
    async with Charts(registry) as there:
        pulled = await there.pull("1.0.0")
        assert (pulled.manifest, pulled.archive) == (first, archive)
        assert (await there.pull(first)).archive == archive


async def test_a_version_that_is_not_there_is_named(
    registry: Place, toolbox: Toolbox, tmp_path: Path
) -> None:
    await pushed(registry, toolbox, tmp_path, "1.0.0")
    found = ChartSources(nothing)
    with pytest.raises(FairwayError) as caught:
        await found.tree(source(registry, "9.9.9"), "9.9.9")
    assert caught.value.code == "no-chart-version"
    with pytest.raises(FairwayError) as caught:
        await found.resolve(source(registry, ">9"))
    assert caught.value.code == "no-version"


async def test_an_image_is_no_chart(registry: Place) -> None:
    config = {"mediaType": "application/vnd.oci.image.config.v1+json"}
    body = json.dumps({"config": config, "layers": []}).encode()
    with pytest.raises(FairwayError, match="is not a Helm chart"):
        charts._layer(body, str(registry))


class Repository:
    """A Helm repository over HTTP with one chart."""

    def __init__(self, archive: bytes, wanted: str) -> None:
        self.files = {"/charts/web.tgz": archive, "/broken/web.tgz": archive + b"x"}
        entry = {"version": "1.2.3", "digest": wanted, "urls": ["web.tgz"]}
        old = {"version": "1.0.0", "digest": wanted, "urls": ["web.tgz"]}
        index = json.dumps({"apiVersion": "v1", "entries": {"web": [entry, old]}}).encode()
        self.files |= {"/charts/index.yaml": index, "/broken/index.yaml": index}

    async def __call__(self, scope: Any, _receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        body = self.files.get(scope["path"])
        status = 404 if body is None else 200
        headers = []
        if scope["path"].startswith("/sent/"):
            status, headers = 302, [(b"location", b"http://169.254.169.254/latest/index.yaml")]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body or b""})


async def test_a_helm_repository_is_read_over_http(toolbox: Toolbox, tmp_path: Path) -> None:
    archive = packed(toolbox, tmp_path, "1.2.3")
    found = ChartSources(nothing)
    async with serving(Repository(archive, hashlib.sha256(archive).hexdigest())) as url:
        wanted = Source(repo_url=f"{url}/charts", chart="web", target_revision="^1.1")
        assert await found.resolve(wanted) == "1.2.3"
        tree = await found.tree(wanted, "1.2.3")
        assert "templates/map.yaml" in [one.path for one in await tree.below("")]
        broken = Source(repo_url=f"{url}/broken/", chart="web", target_revision="1.2.3")
        with pytest.raises(FairwayError, match="other bytes"):
            await found.tree(broken, "1.2.3")
        sent = Source(repo_url=f"{url}/sent", chart="web", target_revision="1.2.3")
        with pytest.raises(FairwayError) as caught:
            await found.tree(sent, "1.2.3")
        assert caught.value.code == "remote-link-local"
        missing = Source(repo_url=f"{url}/charts", chart="other", target_revision="1.2.3")
        with pytest.raises(FairwayError) as caught:
            await found.tree(missing, "1.2.3")
        assert caught.value.code == "no-chart-version"


class OnShelf:
    """Our own registry, from inside."""

    def __init__(self, archives: dict[str, bytes]) -> None:
        self.archives = archives

    def name(self, address: str) -> str | None:
        host, _, path = address.partition("/")
        return path if host == "fairway.example.org" else None

    async def versions(self, name: str) -> list[str]:
        return [*self.archives] if name == PATH else []

    async def chart(self, name: str, version: str) -> bytes:
        if name != PATH or version not in self.archives:
            raise NotFound(f"no {name}:{version}", code="no-chart-version")
        return self.archives[version]


async def test_our_own_registry_is_read_in_place_and_always_fresh(
    toolbox: Toolbox, tmp_path: Path
) -> None:
    shelf = OnShelf({"1.0.0": packed(toolbox, tmp_path, "1.0.0")})
    found = ChartSources(nothing, shelf)
    wanted = Source(
        repo_url="fairway.example.org/dev/charts", chart="web", target_revision=">=0.0.0-0"
    )
    assert await found.resolve(wanted) == "1.0.0"
    shelf.archives["1.1.0-rc.1"] = packed(toolbox, tmp_path, "1.1.0-rc.1")
    assert await found.resolve(wanted) == "1.1.0-rc.1"
    tree = await found.tree(wanted, "1.1.0-rc.1")
    assert "Chart.yaml" in [one.path for one in await tree.below("")]


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("169.254.169.254/charts", "remote-link-local"),
        ("http://169.254.169.254/charts", "remote-link-local"),
        ("ftp://example.org/charts", "bad-chart-address"),
        ("charts", "bad-chart-address"),
    ],
)
async def test_an_address_that_is_not_to_be_read_is_refused(url: str, code: str) -> None:
    found = ChartSources(nothing)
    with pytest.raises(FairwayError) as caught:
        await found.tree(Source(repo_url=url, chart="web", target_revision="1.0.0"), "1.0.0")
    assert caught.value.code == code

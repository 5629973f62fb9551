"""No method reads a file outside of its folder, by whatever name, link or `..`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from toolboxcharts import chart, kustomization, write

from fairway.model.errors import FairwayError
from fairway.native import toolbox as module
from fairway.native.helm import HelmLint, HelmPackage, HelmShow, HelmTemplate, Kustomize
from fairway.native.languages import Compose, GoTemplate, Jsonnet, Lua
from fairway.native.toolbox import Toolbox
from fairway.native.wire import Limits, Request

SECRET = "never-to-be-read"


@pytest.fixture
def inside(tmp_path: Path) -> Path:
    """A folder with a chart, a kustomization and Compose files, beside a secret outside of it."""
    write(tmp_path / "outside/secret.yaml", f"text: {SECRET}\n")
    write(tmp_path / "outside/secret.env", f"SECRET={SECRET}\n")
    write(
        tmp_path / "outside/compose.yaml",
        f"services: {{s: {{image: {SECRET}, environment: {{A: {SECRET}}}}}}}\n",
    )
    write(
        tmp_path / "outside/chart/Chart.yaml", f"apiVersion: v2\nname: {SECRET}\nversion: 1.0.0\n"
    )
    write(
        tmp_path / "outside/map.yaml",
        f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {SECRET}}}\n",
    )
    folder = tmp_path / "inside"
    chart(folder)
    kustomization(folder)
    return folder


def ways_out(folder: Path, name: str) -> list[str]:
    """Names that lead to a file outside: by itself, upwards, and by links of both kinds."""
    outside = folder.parent / "outside" / name
    write(folder / "links/keep", "")
    for link, target in (("absolute", outside), ("relative", Path("../../outside", name)),
                         ("through", Path("/proc/self/root") / str(outside)[1:]),
                         ("up", Path("../.."))):  # fmt: skip
        place = folder / "links" / f"{link}{Path(name).suffix}"
        if not place.is_symlink():
            place.symlink_to(target)
    ending = Path(name).suffix
    up = f"links/up/outside/{name}" if not ending else f"links/up{ending}/outside/{name}"
    return [str(outside), f"../outside/{name}", f"web/../../outside/{name}", up] + [
        f"links/{link}{ending}" for link in ("absolute", "relative", "through")
    ]


async def refuses(toolbox: Toolbox, asked: Request[Any], folder: Path) -> None:
    """The call may answer what it likes, but not with the secret."""
    limits = Limits(deadline_s=10.0)
    code = ""
    try:
        answer = repr(await toolbox.ask(asked, folder=folder, limits=limits))
    except FairwayError as error:
        code, answer = error.code, f"{error} {error.where}"
    assert SECRET not in answer
    assert not code.startswith("toolbox-"), answer


@pytest.fixture(params=["client", "wire"])
def unchecked(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once as the client sends it, once without its own check: the toolbox itself must hold."""
    if request.param == "wire":
        monkeypatch.setattr(module, "_leads_out", lambda _path: False)


@pytest.mark.usefixtures("unchecked")
async def test_helm_reads_no_file_outside(toolbox: Toolbox, inside: Path):
    for name in ways_out(inside, "secret.yaml"):
        await refuses(toolbox, HelmTemplate(chart="web", value_files=(name,)), inside)
        await refuses(toolbox, HelmTemplate(chart="web", file_values=(f"text={name}",)), inside)
        await refuses(toolbox, HelmLint(chart="web", value_files=(name,)), inside)
    for name in ways_out(inside, "chart"):
        for asked in (HelmTemplate(chart=name), HelmPackage(chart=name), HelmShow(chart=name),
                      HelmLint(chart=name)):  # fmt: skip
            await refuses(toolbox, asked, inside)


@pytest.mark.parametrize("target", ["absolute", "relative", "through"])
async def test_links_in_a_chart_lead_nowhere(toolbox: Toolbox, inside: Path, target: str):
    ways_out(inside, "secret.yaml")
    (inside / f"links/{target}.yaml").replace(inside / "web/templates/evil.yaml")
    for asked in (HelmTemplate(chart="web"), HelmPackage(chart="web"), HelmShow(chart="web"),
                  HelmLint(chart="web")):  # fmt: skip
        await refuses(toolbox, asked, inside)


async def test_a_charts_dependencies_are_inside(toolbox: Toolbox, inside: Path):
    for place in (
        "../../outside/chart",
        str(inside.parent / "outside/chart"),
        "../links/up/outside/chart",
    ):
        write(
            inside / "web/Chart.yaml",
            "apiVersion: v2\nname: web\nversion: 0.1.0\ndependencies:\n"
            f"- {{name: {SECRET}, version: 1.0.0, repository: 'file://{place}'}}\n",
        )
        with pytest.raises(FairwayError):
            await toolbox.ask(HelmTemplate(chart="web"), folder=inside)


async def test_a_link_inside_is_followed(toolbox: Toolbox, inside: Path):
    write(inside / "shared/extra.yaml", "kind: Shared\n")
    (inside / "web/templates/extra.yaml").symlink_to("../../shared/extra.yaml")
    made = await toolbox.ask(HelmTemplate(chart="web"), folder=inside)
    assert "kind: Shared" in made.manifest


async def test_links_in_circles_and_pipes_end(toolbox: Toolbox, inside: Path):
    (inside / "web/loop").symlink_to(".")
    await refuses(toolbox, HelmTemplate(chart="web"), inside)
    (inside / "web/loop").unlink()
    os.mkfifo(inside / "web/pipe")
    await refuses(toolbox, HelmTemplate(chart="web"), inside)


@pytest.mark.usefixtures("unchecked")
async def test_kustomize_reads_no_file_outside(toolbox: Toolbox, inside: Path):
    for name in ways_out(inside, "map.yaml"):
        fields = (f"resources: ['{name}']", f"configMapGenerator: [{{name: x, files: ['{name}']}}]",
                  f"components: ['{name}']", f"patches: [{{path: '{name}'}}]",
                  f"openapi: {{path: '{name}'}}", f"crds: ['{name}']",
                  f"transformers: ['{name}']", f"replacements: [{{path: '{name}'}}]")  # fmt: skip
        for field in fields:
            write(inside / "kustomization.yaml", field + "\n")
            await refuses(toolbox, Kustomize(restrictor="none"), inside)
        await refuses(toolbox, Kustomize(path=name), inside)


@pytest.mark.usefixtures("unchecked")
async def test_jsonnet_imports_no_file_outside(toolbox: Toolbox, inside: Path):
    for name in ways_out(inside, "secret.yaml"):
        for word in ("import", "importstr", "importbin"):
            await refuses(toolbox, Jsonnet(text=f"{word} '{name}'"), inside)
        await refuses(toolbox, Jsonnet(path=name), inside)
        library = Jsonnet(text="importstr 'secret.yaml'", library_paths=(str(Path(name).parent),))
        await refuses(toolbox, library, inside)


@pytest.mark.usefixtures("unchecked")
async def test_compose_reads_no_file_outside(toolbox: Toolbox, inside: Path):
    def compose(**given: Any) -> Compose:
        return Compose(project="p", **{"files": ("compose.yaml",), **given})

    for name in ways_out(inside, "secret.env"):
        for service in (f"env_file: ['{name}']", f"label_file: ['{name}']"):
            write(inside / "compose.yaml", f"services: {{w: {{image: x, {service}}}}}\n")
            await refuses(toolbox, compose(), inside)
        write(inside / "compose.yaml", "services: {w: {image: '${SECRET-none}'}}\n")
        await refuses(toolbox, compose(env_files=(name,)), inside)
        (inside / ".env").unlink(missing_ok=True)
        if (inside / name).is_symlink():
            (inside / ".env").symlink_to((inside / name).readlink())
            await refuses(toolbox, compose(), inside)
            (inside / ".env").unlink()
    for name in ways_out(inside, "compose.yaml"):
        for text in (f"include: ['{name}']", f"include: [{{path: '{name}'}}]\nservices: {{}}",
                     f"services: {{w: {{extends: {{file: '{name}', service: s}}}}}}"):  # fmt: skip
            write(inside / "compose.yaml", text + "\n")
            await refuses(toolbox, compose(), inside)
        await refuses(toolbox, compose(files=(name,)), inside)
        await refuses(toolbox, compose(directory=str(Path(name).parent), files=()), inside)


async def test_scripts_and_templates_see_no_machine(toolbox: Toolbox):
    for text in ("io", "os", "dofile", "loadfile", "require", "package", "debug", "coroutine"):
        assert (await toolbox.ask(Lua(script=f"return {text}"))).values in ([None], [])
    for text in ("env `HOME`", "expandenv `$HOME`", "getHostByName `localhost`"):
        with pytest.raises(FairwayError, match="not defined"):
            await toolbox.ask(GoTemplate(templates={"a": "{{ " + text + " }}"}))


async def test_without_a_folder_there_is_no_file(toolbox: Toolbox):
    for name in ("/etc/passwd", "etc/passwd", "../../../../../../etc/passwd"):
        with pytest.raises(FairwayError) as caught:
            await toolbox.ask(Jsonnet(text=f"importstr '{name}'"))
        assert caught.value.code == "jsonnet-failed"

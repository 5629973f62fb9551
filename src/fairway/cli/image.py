"""`fairway image`: base images without any registry but ours, and what builds made."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import click

from fairway.cli import get as getting
from fairway.cli import kinds, output
from fairway.cli.session import Session, connected, dry_run_option, repo_option
from fairway.client.wire.cluster import ImageLoad, LoadedImage
from fairway.client.wire.common import Page
from fairway.client.wire.system import Image, System

_PULLS_S: Final = 900.0


@click.group("image")
def image() -> None:
    """Images: what builds made, and base images from Debian's packages."""


@image.command("base")
@click.argument("names", nargs=-1)
@click.option("--cache", type=click.Path(file_okay=False, path_type=Path), default=None,
              help="Where what was made is kept.")  # fmt: skip
@click.option("--fresh", is_flag=True, help="Make it again although it is kept.")
@dry_run_option
@output.format_option
@connected
def base(
    session: Session,
    names: tuple[str, ...],
    *,
    cache: Path | None,
    fresh: bool,
    dry_run: bool,
    output: str,
) -> None:
    """Make the base images NAMES from Debian's packages and push them as library/NAME.

    Without a name: list those that there are.
    """
    from fairway.boot import offline

    known = offline.base_names()
    if not names or dry_run:
        _print_known([one for one in known if not names or one[0] in names], output)
        return
    registry = session.api.get("/system", System).registry
    place = cache or Path(click.get_app_dir("fairway")) / "cache"
    made = offline.make_bases(
        names, registry=registry, token=session.context.token, cache=place, fresh=fresh, say=_say
    )
    _print_made(made, registry, output)


def _say(text: str) -> None:
    output.say(text)


def _print_known(known: list[tuple[str, str]], form: str) -> None:
    if form == "name":
        for name, _about in known:
            output.emit(name)
    elif form in {"table", "wide"}:
        output.emit(output.table(["NAME", "WHAT"], known))
    else:
        _data("base-images", [{"name": name, "about": about} for name, about in known], form)


def _print_made(made: list[dict[str, Any]], registry: str, form: str) -> None:
    if form == "name":
        for one in made:
            output.emit(f"{one['name']}@{one['digest']}")
    elif form in {"table", "wide"}:
        rows = [
            [f"{registry}/{one['name']}", ",".join(one["tags"]), one["digest"][:19],
             "kept" if one["cached"] else "made"]
            for one in made
        ]  # fmt: skip
        output.emit(output.table(["IMAGE", "TAGS", "DIGEST", ""], rows))
    else:
        _data("base-images", made, form)


def _data(kind: str, items: list[dict[str, Any]], form: str) -> None:
    if form == "jsonl":
        for one in items:
            output.emit(output.line_text(one))
        return
    data = output.versioned(kind, {"items": items})
    output.emit(output.json_text(data) if form == "json" else output.yaml_text(data))


@image.command("load")
@click.argument("image")
@click.option("--cluster", default="in-cluster", metavar="NAME",
              help="The cluster; the home cluster unless given.")  # fmt: skip
@output.format_option
@connected
def load(session: Session, image: str, *, cluster: str, output: str) -> None:
    """Have every node of a cluster pull IMAGE now, before a pod needs it.

    IMAGE is a digest, or a name in Fairway's registry. Exit code 1 when a node lacks it then.
    """
    path, asked = f"/clusters/{cluster}/images", ImageLoad(image=image)
    done = session.api.post(path, asked, Page[LoadedImage], timeout_s=_PULLS_S).items
    _print_loaded(done, output)


def _print_loaded(done: list[LoadedImage], form: str) -> None:
    if form == "name":
        for one in done:
            output.emit(one.node)
    elif form in {"table", "wide"}:
        rows = [[one.node, one.image, "yes" if one.loaded else "no", one.detail] for one in done]
        output.emit(output.table(["NODE", "IMAGE", "LOADED", "DETAIL"], rows))
    else:
        _data("loaded-images", [output.plain(one) for one in done], form)
    if not all(one.loaded for one in done):
        raise click.exceptions.Exit(1)


@image.command("ls")
@click.option("--candidates", is_flag=True, help="Only what may be promoted.")
@click.option("--commit", default="", help="Of this commit.")
@click.option("--digest", default="", help="Of this digest: which commit, build and step made it?")
@click.option("-n", "--limit", type=click.IntRange(1, 10_000), default=30, show_default=True)
@output.format_option
@repo_option
@connected
def list_images(session: Session, *, limit: int, output: str, repo: str, **options: Any) -> None:
    """List images, newest first, and why each is a candidate or not."""
    params = {**options, "repository": session.find_repository(repo)}
    found = session.api.pages("/images", Image, params, limit=limit)
    getting.print_list(kinds.IMAGES, list(found), output)

"""`fairway rollout`: promote, abort, pause, resume, retry and undo a Rollout, as yourself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final
from urllib.parse import quote

import click

from fairway.cli.session import Session, connected
from fairway.client.wire.cluster import ClusterAccess
from fairway.model.errors import Unauthenticated

_API: Final = "/apis/argoproj.io/v1alpha1"
_HOME: Final = "in-cluster"


@click.group("rollout")
def rollout() -> None:
    """Gradual releases: what a person decides about one. `get rollouts` lists them."""


def _place(command: Callable[..., Any]) -> Callable[..., Any]:
    """Which Rollout: its name, namespace and cluster."""
    command = click.option("--cluster", default=_HOME, metavar="NAME", help="In which cluster.")(
        command
    )
    command = click.option("-n", "--namespace", default="default", help="In which namespace.")(
        command
    )
    return click.argument("name")(command)


class _Way:
    """The API of a cluster, for one Rollout."""

    def __init__(self, session: Session, name: str, options: dict[str, Any]) -> None:
        self._access = session.api.get(f"/clusters/{options['cluster']}/access", ClusterAccess)
        self._token = session.context.token or ""
        if not self._token:
            raise Unauthenticated(
                "there is no token to reach clusters with",
                code="no-token",
                remedy="`fairway login`",
            )
        self._below = f"/namespaces/{quote(options['namespace'], safe='')}"
        self._path = f"{_API}{self._below}/rollouts/{quote(name, safe='')}"
        self.name = f"rollout {options['namespace']}/{name}"

    def get(self) -> dict[str, Any]:
        """The Rollout."""
        return self._ask("GET", self._path)

    def sets(self) -> list[dict[str, Any]]:
        """The ReplicaSets of its namespace."""
        found = self._ask("GET", f"/apis/apps/v1{self._below}/replicasets")
        items: list[dict[str, Any]] = found["items"]
        return items

    def _ask(self, method: str, path: str, **more: Any) -> dict[str, Any]:
        from fairway.client.clusters import ask

        return ask(self._access, self._token, method, path, **more)

    def apply(self, patches: Any) -> None:
        """The status first, as the original does: the object's patch wakes the controller too."""
        if patches.status is not None:
            body = {"status": patches.status}
            self._ask("PATCH", f"{self._path}/status", body=body, patch="merge")
        if patches.spec is not None:
            self._ask("PATCH", self._path, body=patches.spec, patch="merge")

    def replace(self, operations: list[dict[str, Any]]) -> None:
        """A JSON patch."""
        self._ask("PATCH", self._path, body=operations, patch="json")


@rollout.command("promote")
@_place
@click.option("--full", "skip", flag_value="full", help="Skip steps, pauses and analyses.")
@click.option("--skip-current-step", "skip", flag_value="step", help="Go to the next step.")
@click.option("--skip-all-steps", "skip", flag_value="steps", help="Go past the last step.")
@connected
def promote(session: Session, name: str, *, skip: str | None, **options: Any) -> None:
    """End the pause of the Rollout NAME, or go on to its next step."""
    from fairway.client import rollouts

    way = _Way(session, name, options)
    way.apply(rollouts.promote(way.get(), skip=skip or ""))
    click.echo(f"{way.name} fully promoted" if skip == "full" else f"{way.name} promoted")


@rollout.command("abort")
@_place
@connected
def abort(session: Session, name: str, **options: Any) -> None:
    """Take the update of the Rollout NAME back: all requests to the stable version."""
    from fairway.client import rollouts

    way = _Way(session, name, options)
    way.apply(rollouts.abort(way.get()))
    click.echo(f"{way.name} aborted")


@rollout.command("retry")
@_place
@connected
def retry(session: Session, name: str, **options: Any) -> None:
    """Begin the aborted update of the Rollout NAME again."""
    from fairway.client import rollouts

    way = _Way(session, name, options)
    way.apply(rollouts.retry(way.get()))
    click.echo(f"{way.name} retried")


@rollout.command("pause")
@_place
@connected
def pause(session: Session, name: str, **options: Any) -> None:
    """Hold the Rollout NAME where it is."""
    _hold(_Way(session, name, options), on=True)


@rollout.command("resume")
@_place
@connected
def resume(session: Session, name: str, **options: Any) -> None:
    """Let the Rollout NAME go on that `pause` holds."""
    _hold(_Way(session, name, options), on=False)


def _hold(way: _Way, *, on: bool) -> None:
    from fairway.client import rollouts

    way.apply(rollouts.pause(way.get(), on=on))
    click.echo(f"{way.name} {'paused' if on else 'resumed'}")


@rollout.command("undo")
@_place
@click.option("--to-revision", "revision", type=int, default=0, help="Else the one before.")
@connected
def undo(session: Session, name: str, *, revision: int, **options: Any) -> None:
    """Bring an earlier revision of the Rollout NAME back."""
    from fairway.client import rollouts

    way = _Way(session, name, options)
    operations, wanted = rollouts.undo(way.get(), way.sets(), revision)
    way.replace(operations)
    click.echo(f"{way.name} goes back to revision {wanted}")

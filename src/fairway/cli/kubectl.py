"""`fairway kubectl`, `helm`, `kubeconfig`: Kubernetes' own tools, through Fairway, as oneself."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final, NoReturn

import click

from fairway.cli import output
from fairway.cli.session import Session, connected, connecting
from fairway.client.wire.cluster import ClusterAccess
from fairway.kit.files import replace_private
from fairway.model.errors import BadFile, Unauthenticated

HOME: Final = "in-cluster"  # the server's word for its home cluster
_PASSED: Final = {"ignore_unknown_options": True, "allow_interspersed_args": False}
_cluster = click.option(
    "--cluster", default=HOME, metavar="NAME", help="The cluster; the home cluster unless given."
)


@click.command("kubectl", context_settings=_PASSED)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@_cluster
@connecting("fairway-")
def kubectl(session: Session, arguments: tuple[str, ...], *, cluster: str) -> None:
    """Run kubectl with ARGUMENTS on a cluster, as yourself.

    Fairway's own options come before kubectl's.
    """
    run("kubectl", session, arguments, cluster)


@click.command("helm", context_settings=_PASSED)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@_cluster
@connecting("fairway-")
def helm(session: Session, arguments: tuple[str, ...], *, cluster: str) -> None:
    """Run helm with ARGUMENTS on a cluster, as yourself.

    Fairway's own options come before helm's.
    """
    run("helm", session, arguments, cluster)


@click.command("kubeconfig")
@_cluster
@click.option("--merge", is_flag=True, help="Put it into your kubeconfig, as the current context.")
@click.option("--file", "path", type=click.Path(dir_okay=False, path_type=Path), default=None,
              help="Into this file, with --merge.")  # fmt: skip
@connected
def kubeconfig(session: Session, *, cluster: str, merge: bool, path: Path | None) -> None:
    """Print a kubeconfig with which kubectl and helm reach a cluster as yourself.

    It holds your token of Fairway.
    """
    found = config_of(session, cluster)
    if not merge:
        output.emit(_yaml(found))
        return
    at = path or _usual_path()
    _merge(at, found)
    output.say(f"{at}: the current context is {found['current-context']}")


def config_of(session: Session, cluster: str) -> dict[str, Any]:
    """A kubeconfig for kubectl, of one context."""
    import base64

    access = session.api.get(f"/clusters/{cluster}/access", ClusterAccess)
    if not session.context.token:
        raise Unauthenticated(
            "there is no token to reach clusters with", code="no-token", remedy="`fairway login`"
        )
    name = f"fairway-{access.name}"
    authority = base64.b64encode(access.ca.encode()).decode("ascii")
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {
                "name": name,
                "cluster": {
                    "server": access.server,
                    "certificate-authority-data": authority,
                },
            }
        ],
        "users": [{"name": name, "user": {"token": session.context.token}}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        "current-context": name,
    }


def run(tool: str, session: Session, arguments: tuple[str, ...], cluster: str) -> NoReturn:
    """Become the tool. Its kubeconfig is in memory only: nothing is left behind."""
    from fairway.boot import kubectl as machine

    words = machine.command(tool)
    text = _yaml(config_of(session, cluster)).encode()
    session.close()
    handle = os.memfd_create("kubeconfig", 0)
    os.write(handle, text)
    environment = {**machine.environment(), "KUBECONFIG": f"/proc/self/fd/{handle}"}
    os.execve(words[0], [*words, *arguments], environment)  # noqa: S606 its words are given


def _merge(path: Path, added: dict[str, Any]) -> None:
    """Put a context into a kubeconfig, in place of one of its name; whole or not at all."""
    known = _read(path)
    for key in ("clusters", "users", "contexts"):
        kept = [one for one in known.get(key) or [] if one.get("name") != added[key][0]["name"]]
        known[key] = [*kept, *added[key]]
    known = {"apiVersion": "v1", "kind": "Config", **known}
    known["current-context"] = added["current-context"]
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_private(path, _yaml(known).encode())


def _read(path: Path) -> dict[str, Any]:
    import yaml

    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise BadFile(f"cannot be read: {error}", code="bad-kubeconfig", where=str(path)) from error
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise BadFile("it is no kubeconfig", code="bad-kubeconfig", where=str(path))
    return found


def _usual_path() -> Path:
    """Where kubectl looks first."""
    from fairway.boot import kubectl as machine

    named = machine.environment().get("KUBECONFIG", "").split(os.pathsep)[0]
    return Path(named) if named else Path.home() / ".kube" / "config"


def _yaml(data: dict[str, Any]) -> str:
    import yaml

    return str(yaml.safe_dump(data, sort_keys=False))

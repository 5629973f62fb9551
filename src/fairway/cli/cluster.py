"""`fairway cluster`: register, create and remove clusters."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from fairway.cli import get as getting
from fairway.cli import kinds, output
from fairway.cli.describe import fields
from fairway.cli.run import pairs
from fairway.cli.session import Session, confirm, connected, connecting, yes_option
from fairway.client.wire.cluster import Cluster, ClusterAdd


@click.group("cluster")
def cluster() -> None:
    """The Kubernetes clusters that Fairway knows."""


@cluster.command("ls")
@output.format_option
@connected
def list_clusters(session: Session, *, output: str) -> None:
    """List clusters, each with its health and version."""
    getting.print_list(kinds.CLUSTERS, list(session.api.pages("/clusters", Cluster)), output)


@cluster.command("get")
@click.argument("name")
@output.format_option
@connected
def show(session: Session, name: str, *, output: str) -> None:
    """Tell all about the cluster NAME."""
    _emit(session.api.get(f"/clusters/{name}", Cluster), output)


def _emit(found: Cluster, form: str) -> None:
    output.emit_one("cluster", found, form, name=found.name, human=fields(found))


@cluster.command("add")
@click.argument("name")
@click.option("--kubeconfig", required=True, metavar="FILE", help="How it is reached; - is stdin.")
@click.option("--context", "kube_context", default="", help="In that file; else its current one.")
@click.option("--namespace", "namespaces", multiple=True, help="Only these namespaces.")
@click.option("--cluster-resources", is_flag=True, help="Besides, what is of no namespace.")
@click.option("--project", default="", help="The only project that may use it.")
@click.option("--label", "labels", multiple=True, metavar="NAME=VALUE")
@click.option("--replace", is_flag=True, help="Change the registered one of that name.")
@click.option("--unreachable", is_flag=True, help="Even if it does not answer now.")
@output.format_option
@connecting("fairway-")
def add(
    session: Session,
    name: str,
    *,
    kubeconfig: str,
    kube_context: str,
    labels: tuple[str, ...],
    output: str,
    **given: object,
) -> None:
    """Register the cluster NAME by a kubeconfig's credentials.

    They are kept in the home cluster, as a Secret in Argo CD's format. The cluster must answer.
    """
    from fairway.boot import kubectl as machine

    data = sys.stdin.buffer.read() if kubeconfig == "-" else None
    text = machine.whole_kubeconfig(Path(kubeconfig), kube_context, data)
    namespaces = given.pop("namespaces")
    asked = ClusterAdd(
        name=name,
        kubeconfig=text,
        namespaces=list(namespaces),  # type: ignore[call-overload]  # click gave a tuple
        labels=pairs(labels),
        **given,  # type: ignore[arg-type]  # flags and texts by their names
    )
    _emit(session.api.post("/clusters", asked, Cluster), output)


@cluster.command("create")
@click.argument("name")
@output.format_option
@connected
def create(session: Session, name: str, *, output: str) -> None:
    """Start a further embedded Kubernetes on the server's machine, apart from all others."""
    _emit(session.api.post(f"/clusters/{name}/embedded", None, Cluster), output)


@cluster.command("delete")
@click.argument("name")
@yes_option
@connected
def delete(session: Session, name: str, *, yes: bool) -> None:
    """End the embedded cluster NAME with everything in it, for ever."""
    confirm(f"Delete the cluster {name} with everything in it?", yes=yes)
    session.api.delete(f"/clusters/{name}/embedded")
    output.say(f"{name} is deleted")


@cluster.command("remove")
@click.argument("name")
@yes_option
@connected
def remove(session: Session, name: str, *, yes: bool) -> None:
    """Forget the registered cluster NAME. What runs in it goes on."""
    confirm(f"Forget the cluster {name}?", yes=yes)
    session.api.delete(f"/clusters/{name}")
    output.say(f"{name} is forgotten")

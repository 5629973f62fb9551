"""An embedded cluster's end: `fairway down`, `--purge`, `cluster delete`. Blocks.

Everything is found from the cluster's folder, so that it works whoever started it and however
that ended.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Final

from fairway.cluster import leftovers, network
from fairway.cluster.layout import Layout, layout, names
from fairway.cluster.plan import ClusterPlan
from fairway.cluster.setting_up import read_plan
from fairway.model.errors import Unavailable
from fairway.supervise import records

_PODS_S: Final = 5.0
_DELETED: Final = "deleted"

Say = Callable[[str], None]


def end(paths: Layout, plan: ClusterPlan, say: Say, *, patience_s: float = _PODS_S) -> None:
    """End components and pods, and take away mounts, devices, rules, groups and namespaces.

    Objects, images and volumes stay. What has ended already is fine. `patience_s`: how long pods
    have to end by themselves.
    """
    others = [record.name for record in records.everything(paths.state)]
    records.stop_all(paths.state, [name for name in others if name == "kubelet"])
    count = leftovers.end_pods(paths, plan, patience_s)
    if count:
        say(f"ended the {count} processes of the pods of cluster {plan.name}")
    if records.stop_all(paths.state):
        say(f"stopped the cluster {plan.name}")
    leftovers.end_pods(paths, plan, 1.0)
    leftovers.sweep(paths, plan)
    network.remove(paths, plan)


def purge(paths: Layout, plan: ClusterPlan, say: Say) -> None:
    """`end`, and remove all its files. Raises Unavailable (`cluster-still-mounted`)."""
    end(paths, plan, say, patience_s=0.0)
    try:
        leftovers.remove_files(paths)
    except OSError as error:
        raise Unavailable(
            str(error),
            code="cluster-still-mounted",
            remedy=f"see who uses it (`fuser -vm {paths.folder}`), end that, and purge again",
        ) from error


def end_all(data: Path, say: Say, *, remove: bool) -> None:
    """End every embedded cluster of a data directory; with `remove`, their files too."""
    for name in names(data):
        paths = layout(data, name)
        plan = None
        with contextlib.suppress(Unavailable):
            plan = read_plan(paths)
        if plan is None:
            say(f"the cluster in {paths.folder} is another version's: it is left as it is")
        elif remove:
            purge(paths, plan, say)
        else:
            end(paths, plan, say)


def mark_deleted(paths: Layout) -> None:
    """From now on the cluster is gone: what a crash leaves of it is removed at the next start."""
    if paths.folder.exists():
        (paths.folder / _DELETED).touch()


def finish_deletions(data: Path, say: Say) -> None:
    """Remove the clusters that were marked. What cannot be removed yet is tried at the next."""
    for mark in (data / "cluster").glob(f"*/{_DELETED}"):
        paths = layout(data, mark.parent.name)
        try:
            plan = read_plan(paths)
            if plan is not None:
                purge(paths, plan, say)
            else:
                leftovers.remove_files(paths)
        except (Unavailable, OSError) as error:
            say(f"the cluster {mark.parent.name} is not quite removed: {error}")

"""What `fairway doctor` says of clusters: can one run here, its components, what others reach."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from msgspec import Struct

from fairway.boot import process
from fairway.boot.local import token_file
from fairway.client.http import Api
from fairway.client.wire.cluster import Cluster, ClusterReach
from fairway.client.wire.common import Page
from fairway.client.wire.system import Component
from fairway.cluster import host, kubeconfig
from fairway.model.errors import FairwayError
from fairway.native import programs
from fairway.settings import Settings

OK, WARN, MISSING = "ok", "warn", "missing"
_ASK_S: Final = 90.0  # a look at what a cluster reaches puts a pod there


class Found(Struct, frozen=True):
    """One thing found: `mend` is what to do, "" when all is well."""

    name: str
    health: str
    found: str
    mend: str = ""


def run_checks(settings: Settings) -> list[Found]:
    """Every check of clusters. Blocks, for a minute at most; never raises for what it finds."""
    found = list(_ground(settings))
    running = process.find(settings.data)
    if running is None:
        return found
    try:
        token = token_file(settings.data).read_text(encoding="utf-8").strip()
    except OSError:
        return [*found, Found("clusters", WARN, "the admin's token cannot be read: not asked")]
    api = Api(running.url, token, timeout_s=_ASK_S, ca=running.ca)
    try:
        return [*found, *_parts(api), *_clusters(api)]
    except FairwayError as error:
        return [*found, Found("clusters", WARN, f"Fairway does not tell: {error}", error.remedy)]
    finally:
        api.close()


def _ground(settings: Settings) -> Iterator[Found]:
    """What a start would find: the existing cluster's file, or the ground of an embedded one."""
    given = settings.cluster
    if given.kubeconfig:
        try:
            target = kubeconfig.load(Path(given.kubeconfig), given.context)
        except FairwayError as error:
            yield Found("cluster", MISSING, str(error), error.remedy)
        else:
            yield Found("cluster", OK, f"an existing one at {target.server}")
        return
    if given.embedded == "off":
        yield Found("cluster", OK, "none wanted: cluster.embedded is off")
        return
    worst = MISSING if given.embedded == "on" else WARN
    obstacle = host.obstacle()
    if obstacle is not None:
        yield Found("cluster", worst, obstacle.message, obstacle.remedy)
        return
    try:
        found = programs.find(settings.native.dir)
    except FairwayError as error:
        yield Found("cluster", worst, error.message, error.remedy)
        return
    yield Found("cluster", OK, f"an embedded one can run here: Kubernetes {found.version}".strip())


def _parts(api: Api) -> Iterator[Found]:
    """Supervised components that are not as they should be; one line where all are."""
    parts = [one for one in api.pages("/components", Component) if one.state]
    bad = [one for one in parts if not one.healthy]
    if parts and not bad:
        yield Found("components", OK, f"all {len(parts)} supervised ones are ready")
    for one in bad:
        said = f"{one.state}: {one.reason or one.detail}"
        again = f", restarted {one.restarts} times" if one.restarts else ""
        yield Found(one.name, WARN, said + again, "`fairway get components` follows it")


def _clusters(api: Api) -> Iterator[Found]:
    for one in api.pages("/clusters", Cluster):
        if one.kind == "embedded":
            continue  # its components have been told
        if one.state != "ready":
            what = f"{one.state}: {one.reason}"
            yield Found(f"cluster {one.name}", WARN, what, f"`fairway cluster get {one.name}`")
            continue
        if one.reason:
            yield Found(f"cluster {one.name}", WARN, one.reason, "give them that right there")
        else:
            yield Found(f"cluster {one.name}", OK, f"{one.version} at {one.server}")
        path = f"/clusters/{one.name}/reach"
        for reach in api.post(path, None, Page[ClusterReach]).items:
            yield told(one.name, reach)


def told(cluster: str, reach: ClusterReach) -> Found:
    """Whether a cluster's nodes reach an address of ours, in words."""
    name = f"cluster {cluster} -> {reach.what}"
    if reach.reached:
        return Found(name, OK, f"its nodes reach {reach.address}")
    need = f"its nodes must reach {reach.address} by HTTPS"
    if reach.reached is None:
        return Found(name, WARN, reach.detail, need)
    instead = "give Fairway an address that they reach (--external-url, --listen, TLS)"
    return Found(name, WARN, f"its nodes do not reach {reach.address}: {reach.detail}", instead)

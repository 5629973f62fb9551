"""What an AppProject allows: sources, destinations and kinds. Pure; as in Argo CD.

A kind with namespaces is allowed unless a list says otherwise; one without is denied unless it is
listed. A pattern that begins with `!` denies.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

import msgspec
from msgspec import Struct

from fairway.gitops.application import Application
from fairway.gitops.globs import glob
from fairway.gitops.kinds import PROJECT_RULES
from fairway.gitops.objects import Condition, Json, ObjectKey
from fairway.kube import objects
from fairway.kube.fleet import HOME_NAME, HOME_SERVER, Member
from fairway.kube.subset import FieldProblem, unsupported
from fairway.model.errors import InvalidInput

DEFAULT: Final = "default"
INVALID: Final = "InvalidSpecError"


class Allowed(Struct, frozen=True, kw_only=True):
    """A destination that is allowed; patterns."""

    server: str = ""
    name: str = ""
    namespace: str = ""


class GroupKind(Struct, frozen=True, kw_only=True):
    """Kinds by patterns, for kinds without namespaces also by an object's name."""

    group: str
    kind: str
    name: str = ""


class Limits(Struct, frozen=True, kw_only=True, rename="camel"):
    """The limits of `spec`."""

    source_repos: tuple[str, ...] = ()
    destinations: tuple[Allowed, ...] = ()
    cluster_resource_whitelist: tuple[GroupKind, ...] = ()
    cluster_resource_blacklist: tuple[GroupKind, ...] = ()
    namespace_resource_whitelist: tuple[GroupKind, ...] | None = None
    namespace_resource_blacklist: tuple[GroupKind, ...] = ()
    permit_only_project_scoped_clusters: bool = False


class Project(Struct, frozen=True, kw_only=True):
    """One AppProject."""

    name: str
    limits: Limits
    problems: tuple[FieldProblem, ...] = ()


def read(raw: Json) -> Project:
    """A project from its object. Raises `InvalidInput` (`bad-project`)."""
    given = {name: each for name, each in (raw.get("spec") or {}).items() if each is not None}
    try:
        limits = msgspec.convert(given, Limits)
    except msgspec.ValidationError as error:
        name = objects.key(raw)
        raise InvalidInput(
            f"the project {name} cannot be read: {error}", code="bad-project"
        ) from None
    found = tuple(unsupported(raw, PROJECT_RULES))
    return Project(name=objects.key(raw).name, limits=limits, problems=found)


def default(namespace: str) -> Json:
    """The project `default`, which allows everything: made where there is none."""
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "AppProject",
        "metadata": {"name": DEFAULT, "namespace": namespace},
        "spec": {
            "sourceRepos": ["*"],
            "destinations": [{"namespace": "*", "server": "*"}],
            "clusterResourceWhitelist": [{"group": "*", "kind": "*"}],
        },
    }


def kind_allowed(limits: Limits, key: ObjectKey, *, namespaced: bool) -> bool:
    """Whether an object of this kind (and name, for kinds without namespaces) is allowed."""
    if namespaced:
        allow = limits.namespace_resource_whitelist
        listed = allow is None or any(_fits(one, key) for one in allow)
        return listed and not any(_fits(one, key) for one in limits.namespace_resource_blacklist)
    listed = any(_fits(one, key) for one in limits.cluster_resource_whitelist)
    return listed and not any(_fits(one, key) for one in limits.cluster_resource_blacklist)


def _fits(one: GroupKind, key: ObjectKey) -> bool:
    same = glob(one.group, key.group) and glob(one.kind, key.kind)
    return same and (not one.name or glob(one.name, key.name))


def source_allowed(limits: Limits, address: str) -> bool:
    """Whether manifests may come from there."""
    wanted = plain_address(address)
    found = False
    for pattern in limits.source_repos:
        if pattern.startswith("!"):
            if glob(plain_address(pattern[1:]), wanted, apart="/"):
                return False
            found = True
        elif glob(plain_address(pattern), wanted, apart="/"):
            found = True
    return found


def destination_allowed(limits: Limits, cluster: Member, namespace: str) -> bool:
    """Whether objects may go there: a rule's server or name fits, and its namespace.

    The home cluster answers to Argo CD's names for it too.
    """
    servers, names = [cluster.server], [cluster.name]
    if cluster.home:
        servers.append(HOME_SERVER)
        names.append(HOME_NAME)
    found = False
    for one in limits.destinations:
        by_name = any(_glob_or_not(one.name, name) for name in names)
        by_server = any(_glob_or_not(one.server, server) for server in servers)
        if one.name.startswith("!"):
            by_name = all(_glob_or_not(one.name, name) for name in names)
        if one.server.startswith("!"):
            by_server = all(_glob_or_not(one.server, server) for server in servers)
        here = _glob_or_not(one.namespace, namespace)
        if (by_server or by_name) and here:
            found = True
        elif _denied(one, by_name=by_name, by_server=by_server, here=here):
            return False
    return found


def _denied(one: Allowed, *, by_name: bool, by_server: bool, here: bool) -> bool:
    if not by_name and one.name.startswith("!"):
        return True
    if not by_server and one.server.startswith("!") and here:
        return True
    return not here and one.namespace.startswith("!") and by_server


def permitted(limits: Limits, key: ObjectKey, cluster: Member) -> bool:
    """Whether a live object is within the project: others are invisible to its applications."""
    namespaced = bool(key.namespace)
    if not kind_allowed(limits, key, namespaced=namespaced):
        return False
    return not namespaced or destination_allowed(limits, cluster, key.namespace)


def refusal(project: Project, key: ObjectKey, cluster: Member, *, namespaced: bool) -> str:
    """Why an object may not be synced, in Argo CD's words; "" where it may."""
    if not kind_allowed(project.limits, key, namespaced=namespaced):
        return f"resource {key.group}:{key.kind} is not permitted in project {project.name}"
    if namespaced and not destination_allowed(project.limits, cluster, key.namespace):
        return f"namespace {key.namespace} is not permitted in project '{project.name}'"
    return ""


def conditions(app: Application, project: Project, cluster: Member) -> list[Condition]:
    """What an application asks for and its project does not allow."""
    found = [Condition(INVALID, f"project {project.name}: {one}") for one in project.problems]
    address = str(app.spec.source.get("repoURL") or "")
    if not source_allowed(project.limits, address):
        said = f"application repo {address} is not permitted in project '{project.name}'"
        found.append(Condition(INVALID, said))
    namespace = app.spec.destination.namespace
    if not destination_allowed(project.limits, cluster, namespace):
        server = cluster.name if app.spec.destination.name else cluster.server
        said = (
            f"application destination server '{server}' and namespace '{namespace}' do not match "
            f"any of the allowed destinations in project '{project.name}'"
        )
        found.append(Condition(INVALID, said))
    return found


def plain_address(address: str) -> str:
    """A repository's address, so that two ways to write it are one: case, `.git`, git@host:path."""
    text = address.strip().lower()
    if "://" not in text and re.match(r"[^/@]+@[^/:]+:", text):
        host, _, path = text.partition(":")
        text = f"ssh://{host}/{path}"
    return text.removesuffix("/").removesuffix(".git")


def _glob_or_not(pattern: str, text: str) -> bool:
    if pattern.startswith("!"):
        return not glob(pattern[1:], text)
    return bool(text or pattern in ("", "*")) and glob(pattern, text)


def named(projects: Sequence[Project], name: str) -> Project | None:
    """The project of a name; "" is `default`."""
    return next((one for one in projects if one.name == (name or DEFAULT)), None)

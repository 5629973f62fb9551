"""Which secrets a stage may have, and which of its steps. Pure.

What counts is the event that began it all: a retry or a promotion of a pull request's build is
still a pull request's.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import replace

from fairway.model.build import Build, BuildEvent
from fairway.model.secret import Sealed, SecretFacts
from fairway.pipeline.compile import glob
from fairway.pipeline.graph import EnvValue, SecretRef, StageGraph, StepGraph


class Facts(Struct, frozen=True, kw_only=True):
    """What bindings are held against."""

    event: str  # of this build
    origin: str  # of the build that an event began
    branch: str  # that the origin's change goes to
    environment: str = ""  # that a promotion or rollback goes to


def facts_of(ancestry: Sequence[Build]) -> Facts:
    """From a build (first) and its ancestors to the origin (last)."""
    build, origin = ancestry[0], ancestry[-1]
    return Facts(
        event=build.event,
        origin=origin.event,
        branch=origin.target,
        environment=build.deploy_to,
    )


def allowed(secret: SecretFacts, facts: Facts) -> bool:
    """Whether a build may have a secret at all. Its `images` are asked for each step."""
    pull = is_pull_request(facts)
    if pull and not secret.pull_request:
        return False
    events = {facts.origin} if pull else {facts.origin, facts.event}
    if secret.events and not events.intersection(secret.events):
        return False
    if secret.branches and not _any(secret.branches, facts.branch):
        return False
    return not secret.environments or (
        bool(facts.environment) and _any(secret.environments, facts.environment)
    )


def _any(patterns: Sequence[str], name: str) -> bool:
    return any(glob.match(pattern, name) for pattern in patterns)


def precedent(found: Sequence[Sealed], facts: Facts) -> dict[str, Sealed]:
    """The secret of each name: the repository's before its organisation's before the global one.

    The nearest of a name counts even when it is withheld: a wider one of the same name must not
    stand in for it.
    """
    nearest: dict[str, Sealed] = {}
    for sealed in sorted(found, key=lambda one: _distance(one.facts)):
        nearest.setdefault(sealed.facts.name, sealed)
    return {name: one for name, one in nearest.items() if allowed(one.facts, facts)}


def _distance(secret: SecretFacts) -> int:
    if secret.repository is not None:
        return 0
    return 1 if secret.organisation is not None else 2


def is_pull_request(facts: Facts) -> bool:
    """Whether a build is of a pull request, or repeats or promotes one."""
    return BuildEvent.PULL_REQUEST in (facts.origin, facts.event)


def bound(graph: StageGraph, secrets: dict[str, SecretFacts], facts: Facts) -> StageGraph:
    """The graph without references to secrets that a step may not have.

    By its image; and in a pull request, a step that pushes images needs a leave of its own.
    """
    steps = tuple(_bound(step, secrets, facts) for step in graph.steps)
    return graph if steps == graph.steps else replace(graph, steps=steps)


def _bound(step: StepGraph, secrets: dict[str, SecretFacts], facts: Facts) -> StepGraph:
    image = _plain(step.image_written or step.image)
    pushes = is_pull_request(facts) and _pushes(step)
    env: dict[str, EnvValue] = {
        name: "" if _withheld(value, image, secrets, pushes=pushes) else value
        for name, value in step.environment.items()
    }
    return step if env == step.environment else replace(step, environment=env)


def _pushes(step: StepGraph) -> bool:
    """Whether a step pushes images by its settings; what a script does nobody can say."""
    return step.builtin == "docker" and step.environment.get("PLUGIN_DRY_RUN") != "true"


def _withheld(
    value: EnvValue, image: str, secrets: dict[str, SecretFacts], *, pushes: bool
) -> bool:
    if not isinstance(value, SecretRef):
        return False
    secret = secrets.get(value.from_secret.lower())
    if secret is None:
        return False
    if pushes and not secret.pull_request_push:
        return True
    return bool(secret.images) and not _any(secret.images, image)


def _plain(image: str) -> str:
    """An image's name without tag and digest."""
    name = image.partition("@")[0]
    head, slash, last = name.rpartition("/")
    return f"{head}{slash}{last.partition(':')[0]}"


def used_by(graph: StageGraph) -> set[str]:
    """Names of the secrets that a graph still refers to, in lower case."""
    named = {
        value.from_secret.lower()
        for step in graph.steps
        for value in step.environment.values()
        if isinstance(value, SecretRef)
    }
    return named | {name.lower() for name in graph.pull_secrets}

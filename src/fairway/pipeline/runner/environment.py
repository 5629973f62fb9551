"""A step's environment at the moment it starts: secrets put in, late variables set. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from fairway.kit.secret import Secret
from fairway.pipeline.compile.context import NETRC_PASSWORD, NETRC_USERNAME
from fairway.pipeline.dispatch import Lease
from fairway.pipeline.graph import SecretRef, StepGraph

Environment = dict[str, str | Secret]


def at_start(lease: Lease, step: StepGraph, *, failed: Sequence[str]) -> Environment:
    """The complete environment of a step.

    Build, stage and step variables are set again over the step's own, as Drone does when a step
    starts. Empty values are left out; a secret that the stage was not given stays, empty.
    `failed` names the steps that have failed so far.
    """
    found: Environment = {}
    for name, value in step.environment.items():
        if isinstance(value, SecretRef):
            found[name] = _secret(lease, value.from_secret)
        elif value:
            found[name] = value
    late = {**lease.environment, **_progress(lease, step, failed)}
    found.update({name: value for name, value in late.items() if value})
    return found


def _progress(lease: Lease, step: StepGraph, failed: Sequence[str]) -> dict[str, str]:
    before = lease.environment.get("DRONE_BUILD_STATUS", "") == "failure"
    return {
        "DRONE_BUILD_STATUS": "failure" if failed or before else "success",
        "DRONE_STAGE_STATUS": "failure" if failed else "success",
        "DRONE_FAILED_STEPS": ",".join(failed),
        "DRONE_STEP_NAME": step.name,
        "DRONE_STEP_NUMBER": str(step.number),
    }


def _secret(lease: Lease, name: str) -> Secret:
    """A secret of the stage; the clone's credentials have names that no user's secret can have."""
    own = {NETRC_USERNAME: lease.clone_user, NETRC_PASSWORD: lease.clone_password}
    return Secret(own.get(name) or lease.secrets.get(name.lower(), ""))


def hidden(lease: Lease) -> list[str]:
    """Every value that no log of the stage may show."""
    values = [*lease.secrets.values(), lease.clone_password, lease.registry_token]
    return [value for value in values if value]


def revealed(environment: Mapping[str, str | Secret]) -> dict[str, str]:
    """The environment as a child process gets it."""
    return {
        name: value.reveal() if isinstance(value, Secret) else value
        for name, value in environment.items()
    }


def secrets_of(environment: Mapping[str, str | Secret]) -> Iterable[str]:
    """The secret values in an environment."""
    return [value.reveal() for value in environment.values() if isinstance(value, Secret)]

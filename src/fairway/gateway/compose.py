"""Observed objects in, Envoy's resources and everybody's statuses out."""

from __future__ import annotations

from fairway.gateway.snapshot import Composed, Snapshot, World


def compose(world: World) -> Composed:  # noqa: ARG001 - the decision itself follows next
    """What Envoy has to have and what each object's status must be. Never raises for what an
    object holds: a bad object gets a condition and takes nothing from the others."""
    return Composed(snapshot=Snapshot(), statuses={})

"""Where charts and images of an environment lie in our registry. Pure."""

from __future__ import annotations

from fairway.model.release import Service
from fairway.release.spec import Environment


def charts(environment: Environment, chart: str) -> str:
    """The repository of a chart."""
    return f"{environment.home}/charts/{chart}"


def image(environment: Environment, service: Service) -> str:
    """The repository of a service's image."""
    return f"{environment.home}/{service.image_name}"

"""Which steps are privileged by name, and which run as built-in plugins instead of containers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from fairway.pipeline.compile import images
from fairway.pipeline.compile.config import Step
from fairway.pipeline.compile.context import BUILTIN_PLUGINS, Context

OWN_PREFIX: Final = "fairway/"
STAYING: Final = ("environment",)
"""Plugins that stay while later steps run, as a service does."""
OWN_PLUGINS: Final = tuple(sorted({*BUILTIN_PLUGINS.values(), *STAYING, "apply"}))
_SUBVERTING: Final = ("PATH", "HOME")


def is_plain_container(step: Step) -> bool:
    """Whether a step says itself what runs, so that its image is not a plugin's."""
    return bool(step.commands or step.command or step.entrypoint)


def is_privileged_by_name(
    step: Step, privileged: tuple[str, ...], *, shared: Iterable[str] = ()
) -> bool:
    """The image's name, unless the step or the variables it shares could bend what the image does.

    Drone looks at the step's own variables only, and not at `LD_*`.
    """
    if is_plain_container(step) or step.volumes:
        return False
    names = [name.upper() for name in (*step.environment, *shared)]
    if any(name in _SUBVERTING or name.startswith(("DOCKER_", "LD_")) for name in names):
        return False
    return any(images.same_name(step.image, name) for name in privileged)


def own_plugin(image: str) -> str | None:
    """The name after `fairway/`; None for any other image."""
    reference = images.parse(image)
    if reference is None or not reference.familiar.startswith(OWN_PREFIX):
        return None
    return reference.familiar.removeprefix(OWN_PREFIX)


def builtin(step: Step, context: Context) -> str:
    """The built-in plugin that runs for a step; "" for a container."""
    if is_plain_container(step) or step.service or step.detach:
        return ""
    own = own_plugin(step.image)
    if own is not None:
        return own if own in OWN_PLUGINS else ""
    if not (context.use_builtins and context.operator.use_builtins):
        return ""
    for name, plugin in context.operator.builtins.items():
        if images.same_name(step.image, name):
            return plugin
    return ""

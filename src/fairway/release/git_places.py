"""What an environment's files in Git say of a service, and a change of them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from msgspec import Struct

from fairway.model.errors import Conflict
from fairway.model.release import Service
from fairway.release import writing
from fairway.release.ports import Deps, Place
from fairway.release.spec import Environment
from fairway.release.writing import Message

_TRIES: Final = 10


class Here(Struct, frozen=True, kw_only=True):
    """An environment's files at a commit, and the Application among them."""

    place: Place
    branch: str
    head: str
    folder: str
    files: dict[str, bytes]
    found: writing.Place


async def look(deps: Deps, environment: Environment, service: Service, chart: str) -> Here:
    """What Git says now. Raises `NotFound` (`no-configuration`), `BadFile`."""
    place = await deps.code.find(environment.configuration.repository)
    branch = environment.configuration.branch or place.branch
    head = await deps.code.head(place, branch)
    folder = environment.path_of(service.name)
    files = await deps.code.files(place, head, folder) if head else {}
    found = writing.find(files, service, environment.application_of(service.name), chart=chart)
    return Here(place=place, branch=branch, head=head, folder=folder, files=files, found=found)


async def change(
    deps: Deps,
    environment: Environment,
    service: Service,
    *,
    chart: str,
    revision: str,
    digest: str,
    message: Message,
    still: Callable[[], Awaitable[None]],
) -> str:
    """Have Git say that the environment runs this; the commit that says so.

    Where it says so already nothing is written. `still` raises once this is not wanted any more:
    it is asked before every try, since somebody else's commit that comes between may be the one
    that takes this very promotion back. Raises as `look` does, and `Conflict`.
    """
    for left in reversed(range(_TRIES)):
        here = await look(deps, environment, service, chart)
        await still()
        changed = writing.environment_files(
            here.files, here.found, service, revision=revision, digest=digest
        )
        if not changed:
            return here.head
        changes = {_whole(here.folder, name): data for name, data in changed.items()}
        try:
            return await deps.code.commit(
                here.place, here.branch, changes, message=message.text(), expected=here.head
            )
        except Conflict as error:
            if error.code != "ref-moved" or not left:
                raise
    raise AssertionError("unreachable")


def _whole(folder: str, name: str) -> str:
    """A path in the repository; the folder may be the file itself."""
    if folder == name or (folder.endswith(f"/{name}") and name.endswith((".yaml", ".yml"))):
        return folder
    return f"{folder}/{name}" if folder else name

"""From what a person says (`catalogue@1.2.0`, `production`) to a delivery, a service, a release."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct
from sqlalchemy import Connection

from fairway.model.built import Candidate
from fairway.model.errors import Conflict, InvalidInput, NotFound
from fairway.model.release import Release, ReleaseState, Service
from fairway.model.scope import SYSTEM
from fairway.release import history
from fairway.release.spec import Delivery, Environment
from fairway.store import images, promotions, releases


class Asked(Struct, frozen=True, kw_only=True):
    """One service in one environment."""

    delivery: Delivery
    environment: Environment
    service: Service


def place(
    known: Mapping[str, Delivery], environment: str, *, service: str = "", delivery: str = ""
) -> tuple[Delivery, Environment]:
    """The delivery that has this environment (and service). Raises `NotFound`, `InvalidInput`."""
    found = [
        one
        for one in known.values()
        if one.environment(environment) is not None
        and (not service or one.service(service) is not None)
        and delivery in ("", one.name)
    ]
    if not found:
        raise nowhere(known, environment, service=service, delivery=delivery)
    if len(found) > 1:
        names = ", ".join(sorted(one.name for one in found))
        raise InvalidInput(
            f"several deliveries have {service or environment}: {names}",
            code="several-deliveries",
            remedy="say which one with --delivery",
        )
    home = found[0].environment(environment)
    assert home is not None  # noqa: S101 it was chosen by that
    return found[0], home


def nowhere(
    known: Mapping[str, Delivery], environment: str, *, service: str = "", delivery: str = ""
) -> NotFound:
    """The error for an environment, or a service in it, that no delivery has (or not that one)."""
    where = f" of {delivery}" if delivery else ""
    there = [one for one in known.values() if delivery in ("", one.name)]
    homes = [one for one in there if one.environment(environment) is not None]
    if service and homes:
        services = {each.name for one in homes for each in one.services}
        return NotFound(
            f"there is no service {service[:100]!r} in the environment {environment}{where}",
            code="no-service",
            remedy=f"there are: {', '.join(sorted(services))}",
        )
    every = {env.name for one in there for env in one.environments}
    return NotFound(
        f"there is no environment {environment[:100]!r}{where}",
        code="no-environment",
        remedy="there are: " + (", ".join(sorted(every)) or "none; apply a Delivery"),
    )


def known_place(known: Mapping[str, Delivery], environment: str, *, service: str = "") -> None:
    """Raise `NotFound` unless some delivery has this environment (and service)."""
    for one in known.values():
        if one.environment(environment) and (not service or one.service(service)):
            return
    raise nowhere(known, environment, service=service)


def asked(
    known: Mapping[str, Delivery], environment: str, service: str, *, delivery: str = ""
) -> Asked:
    """One service in one environment. Raises `NotFound`, `InvalidInput`."""
    found, home = place(known, environment, service=service, delivery=delivery)
    one = found.service(service)
    assert one is not None  # noqa: S101 `place` chose by it
    return Asked(delivery=found, environment=home, service=one)


def release(db: Connection, what: Asked, text: str) -> Release:
    """A published release by version, digest or commit (12 digits at least).

    What is no candidate is refused with the build and step that prevent it. Raises `NotFound`
    (`no-release`), `Conflict` (`not-a-candidate`, `not-published`).
    """
    every = releases.of_service(db, what.delivery.name, what.service.name)
    wanted = text.removeprefix("v")
    for one in every:
        long = len(text) >= 12
        same = long and (one.digest.startswith(text) or one.revision.startswith(text))
        if one.version == wanted or same or (long and one.digest[7:].startswith(text)):
            if one.state is ReleaseState.PUBLISHED:
                return one
            raise Conflict(
                f"{one.service} {one.version} is {one.state}: {one.problem}".rstrip(": "),
                code="not-published",
                remedy=f"`fairway describe release {one.service}@{one.version}`",
            )
    raise _no_release(db, what, text, every)


def _no_release(
    db: Connection, what: Asked, text: str, every: Sequence[Release]
) -> NotFound | Conflict:
    for number, value in (("digest", text), ("digest", f"sha256:{text}"), ("commit", text)):
        found = images.page(
            db,
            SYSTEM,
            name=what.service.image_name,
            limit=1,
            **{number: value},  # type: ignore[arg-type]  # one of two texts
        )
        if found and found[0].made.candidate is not Candidate.YES:
            why = found[0].made.reason or f"build #{found[0].number} goes on"
            return Conflict(
                f"{text} is not a candidate: {why}",
                code="not-a-candidate",
                remedy=f"`fairway get images -R {found[0].slug} --build {found[0].number}`",
            )
    latest = ", ".join(one.version for one in every[:5])
    return NotFound(
        f"{what.service.name} has no release {text[:100]!r}",
        code="no-release",
        remedy=f"the latest are {latest}" if latest else "there is none yet",
    )


def newest(db: Connection, what: Asked) -> Release:
    """What may be promoted next: the newest good one of the environment before.

    Raises `NotFound` (code `nothing-to-promote`).
    """
    every = {one.id: one for one in releases.of_service(db, what.delivery.name, what.service.name)}
    before = what.delivery.before(what.environment.name)
    if before is not None:
        lane = promotions.lane(db, what.delivery.name, before.name, what.service.name)
        now = history.current(lane)
        if now is not None and now.release in every:
            return every[now.release]
    else:
        for one in every.values():
            if one.state is ReleaseState.PUBLISHED:
                return one
    where = f"good in {before.name}" if before else "published"
    raise NotFound(
        f"no release of {what.service.name} is {where} yet",
        code="nothing-to-promote",
        remedy=f"`fairway get releases --service {what.service.name}`",
    )

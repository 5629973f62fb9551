"""`fairway promote`, `rollback`, `qa` and `dora`: a person's part in deliveries."""

from __future__ import annotations

from typing import Any

import click

from fairway.cli import output
from fairway.cli.moments import moments
from fairway.cli.run import pairs
from fairway.cli.session import (
    Session,
    build_path,
    confirm,
    connected,
    deadline,
    dry_run_option,
    timeout_option,
    yes_option,
)
from fairway.cli.text import clean
from fairway.client.wire.build import Build
from fairway.client.wire.common import Page
from fairway.client.wire.release import (
    Deployed,
    DeployRequest,
    Dora,
    Environment,
    PromoteRequest,
    Promotion,
    RollbackRequest,
    Started,
    TestRequest,
    Word,
)
from fairway.model.errors import NotFound

_NEGATIVE = frozenset({"failed", "rejected", "cancelled", "superseded"})

env_option = click.option("-e", "--env", required=True, metavar="ENV", help="The environment.")
delivery_option = click.option(
    "--delivery", default="", help="The Delivery, where several have the service."
)
why_option = click.option("--why", default="", metavar="TEXT", help="The reason, for the record.")
wait_option = click.option("-w", "--wait", is_flag=True, help="Until it has come to its end.")


def parted(text: str) -> tuple[str, str]:
    """`SERVICE` or `SERVICE@VERSION`."""
    service, _, version = text.partition("@")
    return service, version


@click.command("promote")
@click.argument("release", metavar="SERVICE[@VERSION]")
@env_option
@why_option
@wait_option
@delivery_option
@dry_run_option
@output.format_option
@timeout_option
@connected
def promote(session: Session, release: str, **options: Any) -> None:
    """Bring a release into an environment, through its gates.

    Without a version it is the newest that is good in the environment before. A digest or a commit
    will do as well. What is no candidate is refused, with the build and step that prevent it.
    """
    service, version = parted(release)
    env = options["env"]
    if options["dry_run"]:
        output.emit(f"would promote {release} to {env}")
        return
    body = PromoteRequest(
        service=service, version=version, why=options["why"], delivery=options["delivery"]
    )
    made = session.api.post(f"/environments/{env}/promote", body, Promotion)
    _finish(session, made, options)


@click.command("rollback")
@click.argument("service", default="")
@env_option
@click.option("--to", "version", default="", metavar="VERSION", help="A version that was good.")
@why_option
@wait_option
@delivery_option
@yes_option
@dry_run_option
@output.format_option
@timeout_option
@connected
def rollback(session: Session, service: str, **options: Any) -> None:
    """Return to the last known good: one SERVICE, or the whole environment.

    It is a commit in Git, and does not go by a canary's steps. Automation does not promote there
    again what was left behind.
    """
    env = options["env"]
    if options["dry_run"]:
        output.emit(_would(session, service, options))
        return
    if not service:
        confirm(f"Roll back every service in {env}?", yes=options["yes"])
    body = RollbackRequest(
        service=service,
        version=options["version"],
        why=options["why"],
        delivery=options["delivery"],
    )
    made = session.api.post(f"/environments/{env}/rollback", body, Page[Promotion])
    for one in made.items:
        _finish(session, one, options)


def _would(session: Session, service: str, options: dict[str, Any]) -> str:
    params = {"environment": options["env"], "service": service, "delivery": options["delivery"]}
    lines = []
    for one in session.api.pages("/environments", Environment, params):
        others = [version for version in one.good if version != one.version]
        target = options["version"] or (others[0] if others else "")
        said = f"to {target}" if target else "nowhere: no other version was good"
        lines.append(f"would roll back {one.service} in {one.environment} {said}")
    return "\n".join(lines)


@click.command("qa")
@click.argument("release", metavar="SERVICE[@VERSION]")
@click.argument("verdict", type=click.Choice(["good", "bad"]))
@env_option
@click.option("--comment", default="", help="What you found.")
@delivery_option
@output.format_option
@connected
def qa(session: Session, release: str, *, verdict: str, **options: Any) -> None:
    """Give your verdict on the release that waits for an environment."""
    say(session, release, "yes" if verdict == "good" else "no", kind="qa", options=options)


def say(
    session: Session, release: str, verdict: str, *, kind: str, options: dict[str, Any]
) -> None:
    """Send a person's word on a release."""
    service, version = parted(release)
    body = Word(
        service=service,
        kind=kind,
        verdict=verdict,
        version=version,
        comment=options["comment"],
        delivery=options["delivery"],
    )
    made = session.api.post(f"/environments/{options['env']}/words", body, Promotion)
    _emit(made, options["output"])


def _emit(made: Promotion, form: str) -> None:
    output.emit_one("promotion", made, form, name=str(made.id), human=line(made))


def line(made: Promotion) -> str:
    """A promotion on one line."""
    text = f"{made.environment}: {made.service} {made.version} {made.state}"
    if made.step:
        text += f" ({made.step})"
    about = ", ".join(made.waits) or made.message
    return f"{text}: {clean(about)}" if about else text


def _finish(session: Session, made: Promotion, options: dict[str, Any]) -> None:
    """Print it, at once or once it has ended; exit code 1 when it did not come to be."""
    if options["wait"]:
        with deadline(options["timeout"], f"{made.service} in {made.environment}"):
            made = _ended(session, made)
    _emit(made, options["output"])
    if made.state in _NEGATIVE:
        raise click.exceptions.Exit(1)


def _ended(session: Session, made: Promotion) -> Promotion:
    """What became of it: one line on stderr for each change."""
    said = ""
    if made.state in _NEGATIVE or made.state == "passed":
        return made
    now = made
    for _ in moments(session, ["promotion-changed"]):
        now = _read(session, made)
        if now.state not in {"waiting", "running"}:
            break
        if line(now) != said:
            said = line(now)
            output.say(said)
    return now


def _read(session: Session, made: Promotion) -> Promotion:
    params = {
        "environment": made.environment,
        "service": made.service,
        "delivery": made.delivery,
    }
    for one in session.api.pages("/promotions", Promotion, params, limit=100):
        if one.id == made.id:
            return one
    raise NotFound(f"the promotion {made.id} is gone", code="no-promotion")


@click.command("deploy")
@click.argument("env")
@click.option("--cluster", required=True, metavar="NAME", help="Where to; it must be registered.")
@delivery_option
@output.format_option
@connected
def deploy(session: Session, env: str, *, cluster: str, delivery: str, **options: Any) -> None:
    """Make the environment ENV anew in another cluster, from what Git and the registry hold.

    Secrets are in neither: what needs one that is not there is held back, and the exit code is 1.
    Make it, and say the same again; what is there already does not change.
    """
    body = DeployRequest(cluster=cluster, delivery=delivery)
    made = session.api.post(f"/environments/{env}/deploy", body, Page[Deployed])
    for one in made.items:
        human = clean(_deployed(one, cluster))
        output.emit_one("deployed", one, options["output"], name=one.application, human=human)
        for left in one.left:
            output.say(f"{one.application}: not carried: {clean(left)}")
    if any(one.missing for one in made.items):
        output.say(f"make what is missing in {cluster}, and say the same again")
        raise click.exceptions.Exit(1)
    output.say("`fairway get apps` says how far they are")


def _deployed(one: Deployed, cluster: str) -> str:
    what = f"{one.service} {one.revision}" if one.service else f"configuration at {one.revision}"
    said = f"{one.application}: {what} into {cluster}/{one.namespace}"
    if one.missing:
        return f"{said}: held back, missing: {', '.join(one.missing)}"
    return said if one.changed else f"{said} (as before)"


@click.command("test")
@click.argument("env", default="production")
@click.option(
    "--with", "instead", multiple=True, metavar="SERVICE=DIGEST", help="In place of what runs."
)
@wait_option
@delivery_option
@output.format_option
@timeout_option
@connected
def test(session: Session, env: str, *, instead: tuple[str, ...], **options: Any) -> None:
    """Run the integration suite against what ENV runs, or with other digests of some services."""
    body = TestRequest(instead=pairs(instead), delivery=options["delivery"])
    made = session.api.post(f"/environments/{env}/test", body, Started)
    output.emit_one("started", made, options["output"], name=made.build, human=made.build)
    if options["wait"]:
        with deadline(options["timeout"], made.build):
            _passed(session, made.build)


def _passed(session: Session, name: str) -> None:
    """Wait until a build has ended; exit code 1 unless it passed."""
    slug, _, number = name.rpartition("#")
    path = build_path(slug, int(number))
    for _ in moments(session, ["build-finished"], slug):
        build = session.api.get(path, Build)
        if build.finished:
            break
    output.say(f"{name} {build.status}")
    if build.status != "passed":
        raise click.exceptions.Exit(1)


@click.command("dora")
@env_option
@click.option("--service", default="", help="Of this service alone.")
@click.option("--days", type=click.IntRange(1, 3650), default=30, show_default=True)
@output.format_option
@connected
def dora(session: Session, *, env: str, service: str, days: int, **options: Any) -> None:
    """Say how deliveries to an environment went: speed and stability, with their counts.

    Lead time is from each commit to all traffic; recovery from a failing version's first answers to
    a healthy one with all traffic.
    """
    params: dict[str, str | int] = {"environment": env, "service": service, "days": days}
    found = session.api.get("/dora", Dora, params)
    output.emit_one("dora", found, options["output"], name=env, human=dora_text(found))


def dora_text(found: Dora) -> str:
    """The figures with the counts that they come of."""
    rows = [
        ("Deployments", f"{found.deployments} in {found.days:g} days ({found.per_day:.2f} a day)"),
        ("Lead time", f"{_time(found.lead_time_p50)} median, {_time(found.lead_time_p90)} p90"
                      f" ({found.changes} commits)"),
        ("Failure rate", f"{_share(found.failure_rate)} ({found.failed} of {found.settled},"
                         f" {found.caught} caught in rollout)"),
        ("Recovery time", f"{_time(found.recovery_p50)} median"),
        ("Rework rate", f"{_share(found.rework_rate)} ({found.reworked} of {found.settled})"),
    ]  # fmt: skip
    return "\n".join(f"{title + ':':<15}{text}" for title, text in rows)


def _time(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    for unit, length in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds / length:.1f} {unit}"
    return f"{seconds:.1f} s"


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.0%}"

"""Builds every object of one process from settings and ports, and runs it in one TaskGroup.

The same code runs on one machine, on many, and in the simulated world: only the ports differ.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final

from fairway import __version__, story
from fairway.access.authorise import Access
from fairway.access.tokens import Tokens
from fairway.image.candidates import Candidates
from fairway.image.collect import Policy
from fairway.image.housekeeping import Housekeeping
from fairway.image.names import Names
from fairway.image.scan.scanning import Scanning
from fairway.kit.aio import Wake
from fairway.model.errors import FairwayError
from fairway.model.notice import ChannelKind
from fairway.notify.channel import Speaker
from fairway.notify.channels.slack import Slack
from fairway.notify.channels.webhook import Webhook
from fairway.notify.sending import Sending
from fairway.notify.telling import Telling
from fairway.pipeline.builds import Builds
from fairway.pipeline.change_tests import ChangeTests
from fairway.pipeline.compile.context import BUILTIN_PLUGINS, Operator
from fairway.pipeline.dispatch import LEASE_SECONDS, Dispatch
from fairway.pipeline.dispatch import Runner as RunnerIdentity
from fairway.pipeline.dispatch_local import LocalDispatch
from fairway.pipeline.facts import Installation
from fairway.pipeline.janitor import Janitor
from fairway.pipeline.leases import Leases
from fairway.pipeline.logs import Logs
from fairway.pipeline.reactions import Reactions
from fairway.pipeline.retention import Limits
from fairway.pipeline.runner import Runner, RunnerSettings, Tools
from fairway.pipeline.secrets import Secrets
from fairway.ports import Ports, RunnerPorts
from fairway.queue.deliver import Deliverer
from fairway.release.production import Production
from fairway.settings import Settings, machine_arch
from fairway.source.change_course import ChangeCourse
from fairway.source.change_requests import ChangeRequests
from fairway.source.crons import CronController
from fairway.store import lease, outbox

_DELIVERY_LEASE: Final = "story"
_RENEW_S: Final = 3.0
_DAY_MS: Final = 24 * 3600 * 1000
_log = logging.getLogger(__name__)


class App:
    """Everything of one process. Its parts are public: API and world reach them by name."""

    def __init__(self, settings: Settings, ports: Ports) -> None:
        outbox.subscribe(story.subscriptions())
        self.settings = settings
        self.ports = ports
        self.holder = ports.holder
        self.wake = Wake()
        self.database = ports.database
        self.tokens = Tokens(ports.database)
        self.access = Access(ports.database)
        self.installation = installation(settings, ports)
        self.secrets = Secrets(ports.database, ports.keyring)
        self.logs = Logs(ports.database, ports.blobs, limit=settings.pipeline.log_limit_bytes)
        self.candidates = Candidates(ports.database)
        self._build_pipeline(settings, ports)
        course = ChangeCourse(ports.database, ports.writer, ChangeTests(self.builds))
        self.changes = ChangeRequests(
            ports.database, ports.writer, course, url=settings.external_url
        )
        self.cron_wake = Wake()
        self.crons = CronController(
            ports.database, wake=self.cron_wake, announced=ports.database.events
        )
        self.housekeeping = Housekeeping(
            ports.database, ports.blobs, registry_policy(settings), holder=self.holder
        )
        self.scanning = Scanning(ports.database, ports.blobs, old_days=settings.scan.old_days)
        self.notice_wake = Wake()
        self.telling = Telling(ports.database, url=settings.external_url, wake=self.notice_wake)
        self.runner = self._runner(ports.runner) if ports.runner else None

    def _build_pipeline(self, settings: Settings, ports: Ports) -> None:
        registry = settings.registry_name
        names = Names(ports.database, registry=registry)
        self.builds = Builds(
            ports.database,
            ports.sources,
            signatures=ports.signatures,
            templates=ports.templates,
            renderer=ports.renderer,
            installation=self.installation,
            wake=self.wake,
            images=names,
            production=Production(ports.database),
        )
        leases = Leases(self.secrets, self.installation, registry=registry, images=names)
        self.dispatch = LocalDispatch(ports.database, self.logs, leases, wake=self.wake)
        self.reactions = Reactions(ports.database, ports.sources, self.builds)
        self.janitor = Janitor(
            ports.database,
            self.logs,
            ports.disk,
            holder=self.holder,
            limits=limits(settings),
            wake=self.wake,
        )

    def handlers(self) -> dict[str, Callable[..., Awaitable[None]]]:
        """What the story's names mean here."""
        return story.handlers(
            {
                "pipeline.build-ref": self.reactions.build_ref,
                "pipeline.build-cron": self.reactions.build_cron,
                "source.follow-branch": self.changes.course.follow,
                "source.test-change": self.changes.course.test,
                "source.judge-change": self.changes.course.judge,
                "image.judge": self.candidates.judge,
                "image.scan": self.scanning.scan_candidate,
                "notify.tell": self.telling.tell,
            }
        )

    def controllers(self) -> list[Coroutine[Any, Any, None]]:
        """What the role `controllers` runs."""
        deliverer = Deliverer(self.database, self.handlers(), wake=self.database.events)
        return [
            self._alone(_DELIVERY_LEASE, deliverer.run),
            *self._speaking(),
            self.janitor.run(),
            self.crons.run(),
            self.housekeeping.run(),
        ]

    def _speaking(self) -> list[Coroutine[Any, Any, None]]:
        """What says notices: one process does."""
        sender = self.ports.notices
        if sender is None:
            return []
        speakers: dict[ChannelKind, Speaker] = {
            ChannelKind.SLACK: Slack(sender, installation=self.ports.installation),
            ChannelKind.WEBHOOK: Webhook(sender),
        }
        sending = Sending(self.database, self.ports.keyring, speakers, wake=self.notice_wake)
        return [self._alone("notify", sending.run)]

    def works(self) -> list[Coroutine[Any, Any, None]]:
        """Everything that this process's roles run, besides HTTP."""
        found: list[Coroutine[Any, Any, None]] = []
        if "controllers" in self.settings.roles:
            found += self.controllers()
        if self.runner is not None:
            found.append(self.runner.run())
        return found

    async def run(self, *others: Coroutine[Any, Any, None]) -> None:
        """Run until cancelled, or until one part fails for good."""
        async with asyncio.TaskGroup() as group:
            for work in (*self.works(), *others):
                group.create_task(work, name=getattr(work, "__qualname__", "work"))

    def _runner(self, ports: RunnerPorts) -> Runner:
        return make_runner(self.settings, ports, self.dispatch, owner=self.ports.installation)

    async def _alone(self, name: str, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Do `work` while the lease `name` is ours: of many processes, one does it."""
        while True:
            if await self._hold(name):
                await self._while_held(name, work)
            await asyncio.sleep(_RENEW_S)

    async def _while_held(self, name: str, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """The work is cancelled before the lease can have run out."""
        async with asyncio.TaskGroup() as group:
            task = group.create_task(work(), name=name)
            while not task.done():
                await asyncio.wait([task], timeout=_RENEW_S)
                if not await self._hold(name):
                    task.cancel()
                    return

    async def _hold(self, name: str) -> bool:
        try:
            return await self.database.write(lease.acquire, name, self.holder, LEASE_SECONDS)
        except FairwayError as error:
            _log.warning("the lease %s cannot be renewed: %s", name, error)
            return False


def make_runner(
    settings: Settings, ports: RunnerPorts, dispatch: Dispatch, *, owner: str
) -> Runner:
    """The runner of this process, over whatever way into the system it has."""
    own = settings.runner
    identity = RunnerIdentity(
        name=settings.runner_name,
        instance=secrets.token_hex(8),
        type="exec" if own.engine == "local" else "docker",
        arch=machine_arch(),
        labels=own.labels,
        capacity=own.capacity,
        version=__version__,
        reach=own.server,
    )
    tools = Tools(
        engines=ports.engines,
        plugins=ports.plugins,
        workspaces=ports.workspaces,
        reports=ports.reports,
        remains=ports.remains,
        spread=ports.spread,
        settings=RunnerSettings(
            identity=identity,
            owner=f"{owner}/{settings.runner_name}",
            hosts=ports.hosts,
            keep_workspaces_s=settings.retention.workspaces_hours * 3600,
            keep_workspaces_bytes=settings.retention.workspaces_bytes,
        ),
    )
    return Runner(dispatch, tools)


def installation(settings: Settings, ports: Ports) -> Installation:
    """What pipelines learn of this installation."""
    builtins = {**BUILTIN_PLUGINS, **settings.pipeline.plugins}
    inside = f"http://{ports.gateway}:{settings.http.port}" if ports.gateway else ""
    return Installation(
        name=ports.installation,
        url=settings.external_url,
        clone_url=settings.http.external_url or inside or settings.local_url,
        version=__version__,
        operator=Operator(
            environment={**settings.pipeline.environment, **settings.runner.environment},
            images=settings.pipeline.images,
            builtins={image: name for image, name in builtins.items() if name},
            use_builtins=settings.pipeline.builtin_plugins,
            registry=settings.registry_name,
        ),
        log_limit_bytes=settings.pipeline.log_limit_bytes,
        max_timeout_s=settings.pipeline.max_timeout_s,
    )


def registry_policy(settings: Settings) -> Policy | None:
    """How long and how much the registry keeps that nothing names; None is all, for ever."""
    kept = settings.retention
    if kept.untagged_days <= 0 and kept.untagged_bytes <= 0:
        return None
    return Policy(
        untagged_ms=int(max(kept.untagged_days, 0) * _DAY_MS),
        untagged_bytes=max(kept.untagged_bytes, 0),
    )


def limits(settings: Settings) -> Limits:
    """How long and how much is kept."""
    kept = settings.retention
    return Limits(
        logs_days=kept.logs_days,
        logs_bytes=kept.logs_bytes,
        events_days=kept.events_days,
        builds_days=kept.builds_days,
        builds_count=kept.builds_count,
        free_space_bytes=kept.free_space_bytes,
    )

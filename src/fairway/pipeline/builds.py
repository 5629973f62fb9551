"""Builds: made of what happened, repeated, cancelled, approved.

Git is read before the transaction; the transaction then writes build, stages, steps and events at
once. Every way to a build goes through `make`, so that every one meets the same checks: its key,
the file, the signature, the superseded builds before it.
"""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from fairway.kit.aio import Wake, blocking
from fairway.model.build import Build, BuildEvent, Retry
from fairway.model.change_request import ChangeRequest
from fairway.model.errors import BadFile, Conflict, Internal
from fairway.model.repository import Repository
from fairway.pipeline import companions, making, pinning, planning, triggers
from fairway.pipeline.companions import Production
from fairway.pipeline.compile import Renderer
from fairway.pipeline.draft import Draft, Signatures, Sources, Templates
from fairway.pipeline.facts import Installation, context_of
from fairway.pipeline.imports import JSONNET, gather
from fairway.pipeline.pinning import Images
from fairway.pipeline.planning import Prepared
from fairway.pipeline.triggers import PullRequest
from fairway.store import builds as rows
from fairway.store.database import Database

NO_FILE: Final = "no-pipeline-file"
_WITHOUT_CHANGES: Final = frozenset({BuildEvent.TAG, BuildEvent.CUSTOM, BuildEvent.CRON})


class Builds:
    """Makes builds and changes their course."""

    def __init__(  # noqa: PLR0913 all that making a build asks of others
        self,
        database: Database,
        sources: Sources,
        *,
        signatures: Signatures,
        templates: Templates,
        installation: Installation,
        wake: Wake,
        images: Images | None = None,
        production: Production | None = None,
        renderer: Renderer | None = None,
    ) -> None:
        """`wake` is set when stages may have become ready; `images` None: no registry of ours;
        `production` None: no environment is like it;
        `renderer` None: no templates but Starlark's.
        """
        self._renderer = renderer
        self._images = images
        self._production = production
        self._database = database
        self._sources = sources
        self._signatures = signatures
        self._templates = templates
        self._installation = installation
        self._wake = wake

    async def make(self, repository_id: int, draft: Draft) -> Build | None:
        """Make the build of a draft, or find the one that its key made already.

        None when there is nothing to build: no pipeline file, no pipeline that the event
        triggers, an inactive repository. For a `required` draft that is an error instead.
        Raises `NotFound`, `InvalidInput`, `Conflict`, `Unavailable`; safe to call again.
        """
        repository, known = await self._database.read(making.begin, repository_id, draft.key)
        if known is not None:
            return known
        if not repository.active:
            _none(draft, "repository-inactive", f"{repository.slug} is not active")
            return None
        try:
            draft = await self._with_file(repository, draft)
        except BadFile as error:  # too large, a link, no text: the push is answered with a build
            return await self._insert(repository, draft, Prepared(text="", error=str(error)))
        if draft.config is None:
            said = f"{repository.slug} has no {repository.config_path} at {draft.after[:12]}"
            _none(draft, NO_FILE, said)
            return None
        return await self._made(repository, draft, draft.config)

    async def _made(self, repository: Repository, draft: Draft, text: str) -> Build | None:
        prepared = await self._prepared(repository, draft, text)
        if draft.retry is not None:
            prepared = await self._database.read(
                making.carried, repository, draft.retry, prepared, number=draft.parent
            )
        if not prepared.stages and not prepared.error:
            _none(draft, "nothing-triggered", f"no pipeline is for a {draft.event} here")
            return None
        reason = await self._why_blocked(repository, text)
        if reason:
            prepared = planning.blocked(prepared)
        return await self._insert(repository, draft, prepared, reason=reason)

    async def _insert(
        self, repository: Repository, draft: Draft, prepared: Prepared, *, reason: str = ""
    ) -> Build | None:
        made = await self._database.write(
            making.insert, repository.id, draft, prepared, reason=reason
        )
        self._wake.set()
        return made

    async def _with_file(self, repository: Repository, draft: Draft) -> Draft:
        if draft.config is not None:
            return draft
        path = repository.config_path
        text = await self._sources.config(repository.id, draft.after, path)
        changed = draft.changed
        if text is not None and changed is None and draft.event not in _WITHOUT_CHANGES:
            changed = await self._sources.changed(repository.id, draft.before, draft.after)
        return replace(draft, config=text, changed=changed)

    async def _prepared(self, repository: Repository, draft: Draft, text: str) -> Prepared:
        try:
            templates = await self._templates.templates(repository, text)
            imports = await self._imports(repository, draft, text)
        except BadFile as error:
            return Prepared(text=text, error=str(error))
        context = context_of(
            self._installation,
            repository,
            making.preview(repository, draft),
            templates=templates,
            imports=imports,
            renderer=self._renderer,
        )
        prepared = await blocking(planning.prepare, text, context)
        return await self._with_images(repository, prepared)

    async def _imports(self, repository: Repository, draft: Draft, text: str) -> dict[str, str]:
        """What a Jsonnet file imports, at the commit that is built."""

        async def read(path: str) -> str | None:
            return await self._sources.config(repository.id, draft.after, path)

        if not repository.config_path.endswith(JSONNET):
            return {}
        return await gather(repository.config_path, text, read)

    async def _with_images(self, repository: Repository, prepared: Prepared) -> Prepared:
        """An image of ours that nobody has ends the build before anything of it starts."""
        if self._images is None or not prepared.graphs:
            return prepared
        depends_on = {stage.name: stage.depends_on for stage in prepared.stages}
        found = await pinning.missing(
            prepared.graphs, depends_on, self._images, repository=repository
        )
        if found:
            said = "\n".join(str(one.error()) for one in found)
            return Prepared(text=prepared.text, error=said)
        return await self._with_companions(repository, prepared, self._images)

    async def _with_companions(
        self, repository: Repository, prepared: Prepared, images: Images
    ) -> Prepared:
        """What its test environments run besides; where one is missing, nothing starts."""
        if self._production is None:
            return prepared
        try:
            beside = await companions.found(
                prepared.graphs, self._production, images, repository=repository
            )
        except BadFile as error:
            return Prepared(text=prepared.text, error=str(error))
        return replace(prepared, companions=beside)

    async def _why_blocked(self, repository: Repository, text: str) -> str:
        """A protected repository's file must be signed, whatever began the build."""
        if not repository.protected or await self._signatures.signed(repository.id, text):
            return ""
        return "the repository is protected and its pipeline file has no right signature"

    async def custom(
        self,
        repository_id: int,
        *,
        ref: str = "",
        commit: str = "",
        params: dict[str, str] | None = None,
        actor: str,
        key: str | None = None,
        debug: bool = False,
    ) -> Build:
        """Build a ref (the default branch unless said) because a person asks.

        Raises `NotFound` for the ref or commit, `Conflict` when nothing would be built.
        """
        repository, known = await self._begin(repository_id, key)
        if known is not None:
            return known
        draft = await triggers.of_custom(
            self._sources,
            repository,
            ref=ref,
            commit=commit,
            params=params or {},
            actor=actor,
            key=_api_key(repository_id, key),
        )
        return _certain(await self.make(repository_id, replace(draft, debug=debug)))

    async def pull_request(
        self, repository_id: int, pull: PullRequest, *, actor: str, key: str | None = None
    ) -> Build | None:
        """Build a pull request that was opened or moved; None when its commit asks for none."""
        repository, known = await self._begin(repository_id, key)
        if known is not None:
            return known
        draft = await triggers.of_pull_request(
            self._sources, repository, pull, actor=actor, key=_api_key(repository_id, key)
        )
        if triggers.skips(draft.event, f"{draft.title}\n{draft.message}"):
            return None
        return await self.make(repository_id, draft)

    async def change_request(self, change: ChangeRequest) -> Build | None:
        """Build what a change request's target would become, once for each such commit.

        No word in its message leaves it out: the result decides over the merge. None where the
        file there has no pipeline for pull requests. Raises `NotFound`, `Unavailable`.
        """
        pull = PullRequest(
            number=change.number,
            sha=change.merge,
            source=change.source,
            target=change.target,
            title=change.title,
            action="synchronized" if change.build else "opened",
            before=change.base,
            author_login=change.author,
            ref=change.ref,
            required=False,
        )
        draft = await triggers.of_pull_request(
            self._sources,
            await self._database.read(rows.repository_of, change.repository),
            pull,
            actor=change.author,
            key=f"change-request/{change.id}/{change.merge}",
        )
        return await self.make(change.repository, draft)

    async def _begin(self, repository_id: int, key: str | None) -> tuple[Repository, Build | None]:
        return await self._database.read(making.begin, repository_id, _api_key(repository_id, key))

    async def retry(
        self,
        repository_id: int,
        number: int,
        *,
        retry: Retry,
        actor: str,
        key: str | None = None,
    ) -> Build:
        """Run a finished build again: all, what failed, or one step.

        Raises `NotFound`, `Conflict` (codes `build-not-finished`, `retry-running`) and
        `InvalidInput` (the step is not there).
        """
        parent = await self._database.read(making.retriable, repository_id, number, retry)
        draft = Draft(
            event=BuildEvent(parent.event),
            trigger=actor,
            action=parent.action,
            sender=actor,
            key=_api_key(repository_id, key),
            cron=parent.cron,
            deploy_to=parent.deploy_to,
            params=parent.params,
            debug=parent.debug,
            parent=parent.number,
            retry=retry,
            config=parent.config,
            changed=parent.changed,
            required=True,
            **parent.facts,
        )
        return _certain(await self.make(repository_id, draft))

    async def promote(
        self,
        repository_id: int,
        number: int,
        *,
        target: str,
        actor: str,
        event: BuildEvent = BuildEvent.PROMOTE,
        params: dict[str, str] | None = None,
        key: str | None = None,
    ) -> Build:
        """Run the pipelines for a promotion (or rollback) of a finished build to `target`."""
        parent = await self._database.read(making.finished, repository_id, number)
        draft = Draft(
            event=event,
            trigger=actor,
            sender=actor,
            key=_api_key(repository_id, key),
            deploy_to=target,
            params={**parent.params, **(params or {})},
            parent=parent.number,
            changed=parent.changed,
            required=True,
            **parent.facts,
        )
        return _certain(await self.make(repository_id, draft))

    async def cancel(self, repository_id: int, number: int, *, actor: str, why: str = "") -> Build:
        """End a build. What runs is told to stop; a build that has ended stays as it is.

        Raises `NotFound`, and `Conflict` (code `build-finished`).
        """
        reason = why or f"cancelled by {actor}"
        done = await self._database.write(
            making.cancel, repository_id, number, actor=actor, reason=reason
        )
        self._wake.set()
        return done

    async def decide(self, repository_id: int, number: int, *, actor: str, approved: bool) -> Build:
        """Approve or decline a blocked build.

        Raises `NotFound`, and `Conflict` (code `build-not-blocked`).
        """
        work = making.approve if approved else making.decline
        done = await self._database.write(work, repository_id, number, actor)
        self._wake.set()
        return done


def _none(draft: Draft, code: str, said: str) -> None:
    """No build comes of it: silently for an event, as an error for a person."""
    if draft.required:
        raise Conflict(said, code=code, remedy="look at the file with `fairway compile`")


def _certain(made: Build | None) -> Build:
    if made is None:
        raise Internal("a build that was asked for was neither made nor refused")
    return made


def _api_key(repository_id: int, key: str | None) -> str | None:
    return f"api/{repository_id}/{key}" if key else None

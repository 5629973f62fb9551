"""Who we talk to: the connection that commands share, and the repository they mean."""

from __future__ import annotations

import functools
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn

import click

from fairway.cli import output
from fairway.cli.text import seconds
from fairway.model.errors import InvalidInput, NotFound

if TYPE_CHECKING:
    from fairway.client.context import Context
    from fairway.client.http import Api

TIMED_OUT: Final = 124


class Seconds(click.ParamType[float]):
    """A duration on the command line."""

    name = "DURATION"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """90, 90s, 5m or 1h30m as seconds."""
        if isinstance(value, float | int):
            return float(value)
        try:
            return seconds(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


SECONDS: Final = Seconds()


class Session:
    """Opens the connection when it is first needed."""

    def __init__(self, *, context: str, url: str, token: str, config: str) -> None:
        self._name, self._url, self._token, self._config = context, url, token, config
        self._api: Api | None = None
        self._context: Context | None = None

    @property
    def path(self) -> Path:
        """The file of contexts."""
        return Path(self._config) if self._config else Path(click.get_app_dir("fairway")) / "config"

    @property
    def context(self) -> Context:
        """The server and the identity that count. Raises `NotFound` when none is chosen."""
        if self._context is None:
            from fairway.client import context

            if self._url:
                self._context = self._at(self._url)
            else:
                self._context = context.load(self.path).named(self._name)
                if self._token:
                    self._context.token = self._token
        return self._context

    def _at(self, url: str) -> Context:
        """A server by its address: with a known context's token and authority, or without."""
        from fairway.client import context

        known = context.load(self.path).contexts.values()
        same = [one for one in known if one.url == url.rstrip("/")]
        made = same[0] if same else context.Context(url=url)
        if self._token:
            made.token = self._token
        return made

    @property
    def api(self) -> Api:
        """The connection."""
        if self._api is None:
            self._api = self._open()
        return self._api

    def _open(self) -> Api:
        from fairway.client.http import Api

        return Api(self.context.url, self.context.token, ca=self.context.ca)

    def close(self) -> None:
        """End the connection."""
        if self._api is not None:
            self._api.close()
            self._api = None

    def repository(self, given: str = "") -> str:
        """The repository that is meant: given, of the folder's remote, or the context's."""
        from fairway.client.remote import unknown_repository

        found = self.find_repository(given)
        if not found:
            raise unknown_repository()
        return found

    def find_repository(self, given: str = "") -> str:
        """As `repository`, but "" when there is none."""
        if given:
            return checked_slug(given)
        from fairway.client import remote

        found = remote.remotes(Path.cwd())
        servers = [self.context.url]
        slug = remote.infer(found, servers)
        if not slug and found:
            slug = remote.infer(found, [self._external_url()])
        return slug or self.context.repository

    def _external_url(self) -> str:
        from fairway.client.wire.system import System

        return self.api.get("/system", System).external_url


def checked_slug(text: str) -> str:
    """A repository's name. Raises `InvalidInput` for what can be none."""
    parts = text.strip("/").split("/")
    if len(parts) != 2 or not all(parts):
        raise InvalidInput(
            f"{text!r} is no repository's name",
            code="bad-name",
            remedy="write ORGANISATION/NAME",
        )
    return "/".join(parts)


def connecting(prefix: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """As `connected`, with `prefix` before the options' names, where others have the plain ones."""

    def connected(command: Callable[..., Any]) -> Callable[..., Any]:
        @click.option(f"--{prefix}context", "context_name", envvar="FAIRWAY_CONTEXT",
                      default="", help="The server, by its name in `fairway context`.")  # fmt: skip
        @click.option(f"--{prefix}server", "server", envvar="FAIRWAY_URL", default="",
                      metavar="URL", help="The server's URL, instead of a context.")  # fmt: skip
        @click.option(f"--{prefix}token", "token_value", envvar="FAIRWAY_TOKEN", default="",
                      hidden=True)  # fmt: skip
        @click.pass_context
        @functools.wraps(command)
        def wrapped(ctx: click.Context, /, *args: Any, **options: Any) -> Any:
            session = make_session(
                context=options.pop("context_name"),
                url=options.pop("server"),
                token=options.pop("token_value"),
                config=getattr(ctx.obj, "config", ""),
            )
            try:
                return command(session, *args, **options)
            finally:
                session.close()

        return wrapped

    return connected


connected = connecting("")
"""Options that choose the server; the command gets a `Session` first."""


make_session: Callable[..., Session] = Session


def repo_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """`-R`; the command gets `repo`, "" when it was not given."""
    return click.option(
        "-R", "--repo", default="", metavar="ORG/NAME", envvar="FAIRWAY_REPO",
        help="The repository; else the one of this folder's Git remote.",
    )(command)  # fmt: skip


def gone(session: Session, path: str, words: str) -> None:
    """End what lies at `path`, and say so of `words`, which name its kind and itself."""
    session.api.delete(path)
    output.say(f"there is no {words} any more")


def build_of(session: Session, text: str, repo: str) -> tuple[str, int]:
    """(repository, number) of a build: 12, #12, org/name#12, org/name/12, or `last`."""
    from fairway.client.wire.build import Build

    word = text.strip()
    slug, hash_sign, number = word.rpartition("#")
    if not hash_sign and word.count("/") == 2:
        slug, _, number = word.rpartition("/")
    slug = session.repository(slug or repo)
    if number.isascii() and number.isdigit():
        return slug, int(number)
    if number not in {"last", "latest", ""}:
        raise InvalidInput(
            f"{text!r} is no build", code="bad-build", remedy="write 12, org/name#12 or `last`"
        )
    for build in session.api.pages("/builds", Build, {"repository": slug}, limit=1):
        return slug, build.number
    raise NotFound(f"{slug} has no build yet", remedy="`git push`, or `fairway run`")


def build_path(slug: str, number: int) -> str:
    """Where the API has a build."""
    return f"/repos/{slug}/builds/{number}"


@contextmanager
def deadline(limit: float | None, what: str) -> Iterator[None]:
    """End the body with exit code 124 after `limit` seconds. For the main thread."""
    if not limit:
        yield
        return

    def late(_signal: int, _frame: object) -> NoReturn:
        click.echo(f"timed out after {limit:g} s: {what}", err=True)
        raise click.exceptions.Exit(TIMED_OUT)

    former = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, limit)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, former)


timeout_option = click.option(
    "--timeout", type=SECONDS, default=None, help="Give up after this long, with exit code 124."
)
yes_option = click.option("-y", "--yes", is_flag=True, help="Do not ask.")
dry_run_option = click.option("--dry-run", is_flag=True, help="Only say what would be done.")


def confirm(question: str, *, yes: bool) -> None:
    """Ask, on a terminal only. Raises a usage error where nobody can answer."""
    if yes:
        return
    import sys

    if not sys.stdin.isatty():
        raise click.UsageError(f"{question} Nobody is here to ask: add --yes.")
    click.confirm(question, abort=True, err=True)

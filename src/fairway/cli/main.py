"""`fairway`: the table of commands. Each is imported when it runs, so that --help costs nothing."""

from __future__ import annotations

import errno
import os
import sys
from importlib import import_module
from typing import Any, Final, NamedTuple

import click

from fairway import __version__
from fairway.kit.garbage import look_seldom
from fairway.model.errors import FairwayError, Unavailable

INTERRUPTED: Final = 130
_COMPLETE: Final = "_FAIRWAY_COMPLETE"
BAD: Final = 2


class Entry(NamedTuple):
    """One command: where it stands in the help, where its code is, and what it does."""

    section: str
    module: str
    attribute: str
    help: str


PLATFORM, PIPELINE, READ, SUPPLY, DELIVER, OTHER = (
    "Platform",
    "Pipelines",
    "Look",
    "Images",
    "Decide",
    "Manage",
)

COMMANDS: Final[dict[str, Entry]] = {
    "up": Entry(PLATFORM, "platform", "up", "Start everything on this machine."),
    "down": Entry(PLATFORM, "platform", "down", "Stop what `up` started."),
    "serve": Entry(PLATFORM, "platform", "serve", "Run one or more roles in the foreground."),
    "doctor": Entry(PLATFORM, "platform", "doctor", "Say what is missing and how to mend it."),
    "backup": Entry(PLATFORM, "platform", "backup", "Write everything to one file, while it runs."),
    "restore": Entry(PLATFORM, "platform", "restore", "Bring a backup back."),
    "login": Entry(PLATFORM, "login", "login", "Sign in; set up Docker's and Git's credentials."),
    "context": Entry(PLATFORM, "context", "context", "List and choose servers."),
    "completion": Entry(PLATFORM, "completion", "completion", "Print a shell's completion script."),
    "init": Entry(PIPELINE, "local", "init", "Write a first .drone.yml for this folder."),
    "lint": Entry(PIPELINE, "local", "lint", "Say everything that is wrong with a pipeline file."),
    "compile": Entry(PIPELINE, "local", "compile_file", "Print what a pipeline file would run."),
    "exec": Entry(PIPELINE, "local", "exec_file", "Run a pipeline file here, without a server."),
    "environment": Entry(
        PIPELINE, "environment", "environment", "Start a test environment here, as a build does."
    ),
    "run": Entry(PIPELINE, "run", "run", "Start a build."),
    "retry": Entry(PIPELINE, "run", "retry", "Run a build again: all, what failed, or one step."),
    "get": Entry(READ, "get", "get", "List things of a kind, or show one."),
    "describe": Entry(READ, "describe", "describe", "Tell all about one thing."),
    "logs": Entry(READ, "logs", "logs", "Print, follow or search the logs of a build."),
    "watch": Entry(READ, "watch", "watch", "Follow a build live."),
    "wait": Entry(READ, "watch", "wait", "Wait for a build's end, or for an application."),
    "diff": Entry(READ, "diff", "diff", "Compare two builds, or an application and its cluster."),
    "scan": Entry(SUPPLY, "scan", "scan", "What is in an image, and what is known against it."),
    "image": Entry(SUPPLY, "image", "image", "Base images, and what builds made."),
    "apply": Entry(DELIVER, "app", "apply", "Bring objects about in a cluster, from files."),
    "sync": Entry(DELIVER, "app", "sync", "Bring an application's cluster to its source."),
    "promote": Entry(DELIVER, "release", "promote", "Bring a release into an environment."),
    "approve": Entry(DELIVER, "decide", "approve", "Let a blocked build run; approve a release."),
    "reject": Entry(DELIVER, "decide", "reject", "Refuse a blocked build, or a release."),
    "qa": Entry(DELIVER, "release", "qa", "Give your verdict on a release."),
    "rollback": Entry(DELIVER, "release", "rollback", "Return to what was good."),
    "rollout": Entry(DELIVER, "rollout", "rollout", "Promote, abort, pause or undo a Rollout."),
    "deploy": Entry(DELIVER, "release", "deploy", "Make an environment anew in another cluster."),
    "test": Entry(DELIVER, "release", "test", "Run the integration suite against an environment."),
    "dora": Entry(DELIVER, "release", "dora", "Say how deliveries went, in figures."),
    "cancel": Entry(DELIVER, "decide", "cancel", "Stop a build."),
    "change-request": Entry(
        PIPELINE, "change_request", "change_request", "Ask for a branch to be merged; merge it."
    ),
    "cr": Entry(PIPELINE, "change_request", "change_request", "The same as change-request."),
    "repo": Entry(OTHER, "repo", "repo", "Create, change and delete repositories."),
    "secret": Entry(OTHER, "secret", "secret", "Set, list and remove secrets."),
    "cron": Entry(OTHER, "cron", "cron", "Set, list and remove cron jobs."),
    "token": Entry(OTHER, "token", "token", "Make, list and revoke tokens."),
    "user": Entry(OTHER, "user", "user", "Add users; give and take roles."),
    "org": Entry(OTHER, "user", "org", "Add and list organisations."),
    "notify": Entry(OTHER, "notify", "notify", "Channels, rules, and what people were told."),
    "team": Entry(OTHER, "team", "team", "Make teams, and say who is in them."),
    "right": Entry(OTHER, "team", "right", "Say who may do what in which environment."),
    "cluster": Entry(OTHER, "cluster", "cluster", "Register, create and remove clusters."),
    "kubectl": Entry(OTHER, "kubectl", "kubectl", "Run kubectl on a cluster, as yourself."),
    "helm": Entry(OTHER, "kubectl", "helm", "Run helm on a cluster, as yourself."),
    "kubeconfig": Entry(OTHER, "kubectl", "kubeconfig", "Print a kubeconfig for a cluster."),
    "runner": Entry(OTHER, "runner", "runner", "Start, pause and resume runners."),
    "system": Entry(OTHER, "system", "system", "Pause, resume; parked events; the sealing key."),
    "credential": Entry(OTHER, "login", "credential", "Answer Git and Docker (a helper)."),
    "api": Entry(OTHER, "api", "api", "Send one raw request to the API."),
}
ALIASES: Final = {"abort": "cancel", "decline": "reject", "show": "describe", "ls": "get"}


class Commands(click.Group):
    """A group that knows its commands' names and helps, and imports one when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 click's signature
        """Every name, in the order of the help."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import and give one command."""
        entry = COMMANDS.get(ALIASES.get(cmd_name, cmd_name))
        if entry is None:
            return None
        module: Any = import_module(f"fairway.cli.{entry.module}")
        command: click.Command = getattr(module, entry.attribute)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does, with a hint at what was meant."""
        name = args[0] if args else ""
        if name and not name.startswith("-") and name not in COMMANDS and name not in ALIASES:
            from difflib import get_close_matches

            near = get_close_matches(name, [*COMMANDS, *ALIASES], n=1)
            hint = f" Did you mean {near[0]!r}?" if near else " `fairway --help` lists them."
            raise click.UsageError(f"There is no command {name!r}.{hint}", ctx)
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """As click does; errors are told here, where the wish for colours is known."""
        try:
            return super().invoke(ctx)
        except FairwayError as error:
            show(error)
            return error.exit_code

    def _main_shell_completion(
        self, ctx_args: Any, prog_name: str, complete_var: str | None = None
    ) -> None:
        """As click does, with the shell that it lacks."""
        if _COMPLETE in os.environ:  # noqa: TID251 the shell's own protocol
            from fairway.cli.completion import register

            register()
        super()._main_shell_completion(ctx_args, prog_name, complete_var)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """The help's sections, without importing any command."""
        for section in (PLATFORM, PIPELINE, READ, SUPPLY, DELIVER, OTHER):
            rows = [(name, one.help) for name, one in COMMANDS.items() if one.section == section]
            with formatter.section(section):
                formatter.write_dl(rows, col_max=14)


class Globals:
    """What counts for every command."""

    def __init__(self, *, config: str, color: str) -> None:
        self.config = config
        self.color = color


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="`fairway COMMAND --help` tells more. Exit codes: 0 good, 1 a negative result, 2 an"
    " error, 4 not allowed, 5 not found, 124 timed out, 130 interrupted.",
)
@click.version_option(__version__, "-V", "--version", message="fairway %(version)s")
@click.option("--config", envvar="FAIRWAY_CONTEXTS", default="", metavar="FILE",
              help="The file of contexts.")  # fmt: skip
@click.option("--color", type=click.Choice(["auto", "always", "never"]), default="auto",
              help="Colours on the terminal.", show_default=True)  # fmt: skip
@click.option("--no-color-wish", envvar="NO_COLOR", default="", hidden=True)
@click.option("--force-color-wish", envvar="CLICOLOR_FORCE", default="", hidden=True)
@click.pass_context
def cli(
    ctx: click.Context, *, config: str, color: str, no_color_wish: str, force_color_wish: str
) -> None:
    """Fairway: one channel from `git push` to production, marked, and with a way back."""
    if color == "auto" and force_color_wish not in {"", "0"}:
        color = "always"
    elif color == "auto" and no_color_wish:
        color = "never"
    if color != "auto":
        ctx.color = color == "always"
    ctx.obj = Globals(config=config, color=color)


def run(args: list[str] | None = None) -> int:
    """Carry out a command line. Returns the exit code; never raises but `SystemExit`."""
    try:
        result = cli.main(args=args, prog_name="fairway", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return BAD
    except (KeyboardInterrupt, click.Abort):
        click.echo("interrupted", err=True)
        return INTERRUPTED
    except FairwayError as error:
        show(error)
        return error.exit_code
    except BrokenPipeError:
        sys.stderr.close()  # the reader has gone: nothing more to say
        return 0
    except OSError as error:
        if (refused := refusal(error)) is None:
            raise
        show(refused)
        return refused.exit_code
    return result if isinstance(result, int) else 0


def refusal(error: OSError) -> FairwayError | None:
    """What this machine refuses to anybody: room, a write, access. None: a defect of ours."""
    remedies = {
        errno.ENOSPC: "make room there, or give another place",
        errno.EDQUOT: "make room there, or give another place",
        errno.EROFS: "give a place that can be written",
        errno.EACCES: "run it as a user who may, or give another place (`--data` is the data's)",
        errno.EPERM: "run it as a user who may, or give another place (`--data` is the data's)",
    }
    if error.errno not in remedies:
        return None
    what = f"{error.filename}: {error.strerror}" if error.filename else str(error.strerror)
    return Unavailable(what, code="machine-refused", remedy=remedies[error.errno])


def show(error: FairwayError) -> None:
    """Say what went wrong, where, and what to do next."""
    click.secho("error: ", fg="red", bold=True, nl=False, err=True)
    click.echo(_clean(error.message), err=True)
    if error.where:
        click.echo(f"  where: {_clean(error.where)}", err=True)
    if error.remedy:
        click.echo(f"  next:  {_clean(error.remedy)}", err=True)
    click.echo(f"  code:  {error.code} (docs/reference/errors.md#{error.code})", err=True)


def _clean(text: str) -> str:
    """Without what could steer a terminal."""
    return "".join(sign if sign.isprintable() or sign == "\n" else "?" for sign in text)


def main() -> None:
    """The entry of the program."""
    look_seldom()
    sys.exit(run())


if __name__ == "__main__":
    main()

"""`drone/git`: the clone, with the git program as a child of the runner.

The whole history unless `depth` is set, no tags unless asked for, no submodules. A pull request
gets its target branch with the change merged in. Credentials reach git in its environment only,
never in arguments, files or the repository's configuration. A `.git` that is there already may have
been written by a step, and git obeys what it says: it is removed, never used.
"""

from __future__ import annotations

import asyncio
import base64
import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit, urlunsplit

from fairway.kit.aio import blocking
from fairway.model.errors import InvalidInput
from fairway.pipeline.plugin import Job, PluginEnd
from fairway.pipeline.plugins import child
from fairway.pipeline.plugins.settings import Settings

_DEADLINE_S: Final = 3600.0
_PASSED_ON: Final = (
    "PATH",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "SSL_CERT_FILE",
    "GIT_SSL_CAINFO",
)
_RETRY_S: Final = 1.0
_MERGED: Final = "refs/changes/"  # our own change requests: their commit is the merge itself
_COMMIT: Final = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")


class ClonePlugin:
    """Fetches the build's commit. `base` is the runner's own environment: path, proxies, CAs."""

    def __init__(self, base: Mapping[str, str], *, retry_s: float = _RETRY_S) -> None:
        self._base = {name: base[name] for name in _PASSED_ON if name in base}
        self._retry_s = retry_s

    async def run(self, job: Job) -> PluginEnd:
        """Clone into the job's tree."""
        settings = Settings(job.environment)
        url = settings.text("remote") or job.clone_url or settings.text("DRONE_REMOTE_URL")
        if not url:
            raise InvalidInput("there is no URL to clone from", code="clone-no-url")
        git = _Git(job, self._environment(job, settings, url))
        tries = 1 + int(settings.text("retries", default="0"))
        for left in reversed(range(tries)):
            code = await self._clone(git, settings, url)
            if code == 0 or not left:
                return PluginEnd(code)
            await job.log(b"[fairway] the clone failed; it is tried again\n")
            await asyncio.sleep(self._retry_s)
        return PluginEnd(1)

    async def _clone(self, git: _Git, settings: Settings, url: str) -> int:
        await blocking(prepare, git.job.workspace, git.job.tree)
        depth = settings.text("depth")
        flags = [f"--depth={int(depth)}"] if depth and int(depth) > 0 else []
        flags.append("--tags" if settings.flag("tags") else "--no-tags")
        await blocking(_init, git.job.tree, url)
        return await self._fetch(git, settings, flags)

    async def _fetch(self, git: _Git, settings: Settings, flags: list[str]) -> int:
        event = settings.text("DRONE_BUILD_EVENT", default="push")
        ref, sha = settings.text("DRONE_COMMIT_REF"), settings.text("DRONE_COMMIT_SHA")
        branch = settings.text("DRONE_COMMIT_BRANCH")
        if event == "pull_request" and not ref.startswith(_MERGED):
            return await _pull_request(git, flags, branch=branch, ref=ref, sha=sha)
        if ref.startswith("refs/tags/"):
            return await _tag(git, flags, ref=ref)
        return await _branch(git, flags, branch=branch, sha=sha)

    def _environment(self, job: Job, settings: Settings, url: str) -> dict[str, str]:
        author = settings.text("DRONE_COMMIT_AUTHOR_NAME", default="drone")
        email = settings.text("DRONE_COMMIT_AUTHOR_EMAIL", default="drone@localhost")
        config = {
            "core.hooksPath": "/dev/null",
            "advice.detachedHead": "false",
            "maintenance.auto": "false",
        }
        if settings.flag("skip_verify"):
            config["http.sslVerify"] = "false"
        password = job.clone_password.reveal()
        if password and url.startswith(("http://", "https://")):
            pair = f"{job.clone_user or 'fairway'}:{password}".encode()
            header = f"Authorization: Basic {base64.b64encode(pair).decode('ascii')}"
            config[f"http.{_origin(url)}.extraHeader"] = header
        return {
            **self._base,
            "HOME": "/nonexistent",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": "/dev/null",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_ALLOW_PROTOCOL": "http:https:file",
            "GIT_AUTHOR_NAME": author,
            "GIT_AUTHOR_EMAIL": email,
            "GIT_COMMITTER_NAME": author,
            "GIT_COMMITTER_EMAIL": email,
            **_as_variables(config),
        }


class _Git:
    """Runs git in the tree, showing each command as a shell's `-x` would."""

    def __init__(self, job: Job, environment: Mapping[str, str]) -> None:
        self.job = job
        self._environment = environment

    async def __call__(self, *arguments: str) -> int:
        shown = " ".join(("+ git", *arguments))
        await self.job.log(f"{shown}\n".encode())
        try:
            return await child.run(
                ("git", *arguments),
                folder=self.job.tree,
                environment=self._environment,
                log=self.job.log,
                deadline_s=_DEADLINE_S,
            )
        except TimeoutError:
            await self.job.log(f"[fairway] {shown} took over {_DEADLINE_S:.0f} s\n".encode())
            return 124


async def _branch(git: _Git, flags: list[str], *, branch: str, sha: str) -> int:
    place = f"refs/remotes/origin/{branch}"
    if branch and _COMMIT.fullmatch(sha):
        # By its name the commit costs no list of refs, which is a round trip and two processes.
        if await git("fetch", *flags, "origin", f"+{sha}:{place}") == 0:
            return await _check_out(git, flags, sha, branch=branch)
        await git.job.log(
            b"[fairway] the commit is not to be had by its name: its branch follows\n"
        )
    refspec = [f"+refs/heads/{branch}:{place}"] if branch else []
    code = await git("fetch", *flags, "origin", *refspec)
    if code and not sha:
        return code
    return await _check_out(git, flags, sha or place, branch=branch)


async def _check_out(git: _Git, flags: list[str], target: str, *, branch: str) -> int:
    place = ("-B", branch) if branch else ("--detach",)
    if await git("checkout", "-q", "-f", *place, target) == 0:
        return 0
    # The branch has moved away from this commit, or the history is too shallow: ask for it itself.
    code = await git("fetch", *flags, "origin", target)
    return code or await git("checkout", "-q", "-f", *place, target)


async def _tag(git: _Git, flags: list[str], *, ref: str) -> int:
    code = await git("fetch", *flags, "origin", f"+{ref}:{ref}")
    return code or await git("checkout", "-q", "-f", "--detach", ref)


async def _pull_request(git: _Git, flags: list[str], *, branch: str, ref: str, sha: str) -> int:
    target = f"refs/remotes/origin/{branch}"
    code = await git("fetch", *flags, "origin", f"+refs/heads/{branch}:{target}")
    code = code or await git("checkout", "-q", "-f", "-B", branch, target)
    code = code or await _head(git, flags, ref=ref, sha=sha)
    return code or await git("merge", "-q", "--no-edit", sha or "FETCH_HEAD")


async def _head(git: _Git, flags: list[str], *, ref: str, sha: str) -> int:
    """Fetch a pull request's head; by its commit where its ref is not there."""
    code = await git("fetch", *flags, "origin", ref or sha)
    if code and ref and sha:  # asked for through the API: no forge keeps a ref for it
        code = await git("fetch", *flags, "origin", sha)
    return code


def _as_variables(config: Mapping[str, str]) -> dict[str, str]:
    """Configuration by environment: no file holds it, no process list shows it."""
    found = {"GIT_CONFIG_COUNT": str(len(config))}
    for number, (key, value) in enumerate(config.items()):
        found[f"GIT_CONFIG_KEY_{number}"] = key
        found[f"GIT_CONFIG_VALUE_{number}"] = value
    return found


def _origin(url: str) -> str:
    """A URL without credentials and path: what the credentials are for."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, "/", "", ""))


def _init(tree: Path, url: str) -> None:
    """What `git init` and `git remote add` write, without their two processes."""
    parts = urlsplit(url)
    clean = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
    quoted = clean.replace("\\", "\\\\").replace('"', '\\"')
    lines = (
        "[core]",
        "\trepositoryformatversion = 0",
        "\tfilemode = true",
        "\tbare = false",
        "\tlogallrefupdates = true",
        '[remote "origin"]',
        f'\turl = "{quoted}"',
        "\tfetch = +refs/heads/*:refs/remotes/origin/*",
    )
    git = tree / ".git"
    for name in ("objects/info", "objects/pack", "refs/heads", "refs/tags", "info"):
        (git / name).mkdir(parents=True)
    (git / "config").write_text("\n".join(lines) + "\n")
    (git / "HEAD").write_text("ref: refs/heads/main\n")


def prepare(workspace: Path, tree: Path) -> None:
    """Make the tree's folder and take an old `.git` away, whatever it is, following no link.

    Raises `InvalidInput` when a part of the way is a link: it could lead out of the workspace.
    """
    workspace.mkdir(parents=True, exist_ok=True)
    here = workspace
    for part in ("", *_parts(workspace, tree)):
        here /= part
        if here != workspace and here.is_symlink():
            raise InvalidInput(
                f"the workspace's folder {here.relative_to(workspace)} is a link",
                code="workspace-link",
                remedy="Let no step replace the workspace by a link.",
            )
        here.mkdir(exist_ok=True)
    old = tree / ".git"
    if old.is_dir() and not old.is_symlink():
        shutil.rmtree(old)
    else:
        old.unlink(missing_ok=True)


def _parts(workspace: Path, tree: Path) -> Sequence[str]:
    return tree.relative_to(workspace).parts

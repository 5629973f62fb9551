"""Working copies: what the people of the story have on their desks, and push."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from fairwaydemo.ground import ORGANISATION, ROOT, Ground
from fairwaydemo.trouble import Trouble

EXAMPLES = ROOT / "examples" / ORGANISATION
USUAL_REGISTRY = "127.0.0.1:8480"  # as the files of the example name it


class Copy:
    """One repository on somebody's desk."""

    def __init__(self, ground: Ground, name: str) -> None:
        self.name = name
        self.slug = f"{ORGANISATION}/{name}"
        self.folder = ground.work / name
        self._ground = ground

    def begin(self, author: str, token: str) -> None:
        """A copy of the example with its first commit. Raises Trouble."""
        shutil.copytree(EXAMPLES / self.name, self.folder, ignore=_built)
        at_home(self.folder, self._ground.registry)
        self.git("init", "--quiet", "--initial-branch=main")
        self.git("config", "user.name", author.capitalize())
        self.git("config", "user.email", f"{author}@webflix.example")
        self.git("config", "commit.gpgsign", "false")
        self.git("config", "credential.helper", "")  # not those of the person's own Git
        kept = self._ground.folder / f"git-{author}"
        kept.touch(mode=0o600)
        kept.write_text(self._ground.url.replace("://", f"://{author}:{token}@") + "\n")
        self.git("config", "--add", "credential.helper", f"store --file={kept}")
        self.git("config", "branch.main.remote", "origin")
        self.git("config", "branch.main.merge", "refs/heads/main")
        self.git("remote", "add", "origin", f"{self._ground.url}/{self.slug}.git")
        self.commit(f"feat: begin the {self.name}")

    def git(self, *words: str) -> str:
        """Run git in it; returns what it said on both ways out. Raises Trouble."""
        done = subprocess.run(
            ["git", *words],
            cwd=self.folder,
            env=self._ground.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if done.returncode:
            raise Trouble(f"`git {' '.join(words)}` in {self.name} failed:\n{done.stdout.strip()}")
        return done.stdout.strip()

    def change(self, path: str, before: str, after: str) -> None:
        """Replace a text that is there once. Raises Trouble where it is not."""
        file = self.folder / path
        text = file.read_text()
        if text.count(before) != 1:
            raise Trouble(f"{file} has not once: {before}")
        file.write_text(text.replace(before, after))

    def add(self, path: str, text: str) -> None:
        """Write more to the end of a file."""
        with (self.folder / path).open("a") as file:
            file.write(text)

    def commit(self, title: str) -> str:
        """Commit everything; returns the commit."""
        self.git("add", ".")
        self.git("commit", "--quiet", "--message", title)
        return self.head()

    def head(self) -> str:
        """The commit that is checked out."""
        return self.git("rev-parse", "HEAD")

    def follow(self) -> None:
        """Come to what `main` is on the server: Fairway commits versions too."""
        self.git("fetch", "--quiet", "origin")
        self.git("checkout", "--quiet", "-B", "main", "origin/main")


def at_home(folder: Path, registry: str) -> None:
    """The example's files name the usual address of the registry: make them name this one's."""
    if registry == USUAL_REGISTRY:
        return
    for path in folder.rglob("*.y*ml"):
        text = path.read_text()
        if USUAL_REGISTRY in text:
            path.write_text(text.replace(USUAL_REGISTRY, registry))


def _built(_folder: str, names: list[str]) -> set[str]:
    """What a run in the checkout may have left, and Git ignores."""
    return {name for name in names if name in ("__pycache__", "static", "reports", ".coverage")}

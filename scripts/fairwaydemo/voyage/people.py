"""The people of the story: Ada writes code, Grace answers for production."""

from __future__ import annotations

import secrets
import subprocess
from typing import NamedTuple

from fairway.client import context
from fairway.client.wire.who import Grant, Right, RightSet, RoleSet, User, UserCreate
from fairwaydemo.ground import ORGANISATION, Ground
from fairwaydemo.trouble import Trouble


class Said(NamedTuple):
    """How a person's command ended."""

    status: int
    text: str


class Person:
    """Somebody with a password, and with a command line that is signed in."""

    def __init__(self, ground: Ground, login: str) -> None:
        self.login = login
        self._ground = ground
        self._contexts = ground.folder / f"contexts-{login}.json"
        self.token = ""

    def join(self) -> None:
        """Be added by the admin, and sign in with a password. Raises Trouble."""
        password = self._ground.folder / f"password-{self.login}"
        password.touch(mode=0o600)
        password.write_text(secrets.token_urlsafe(24))
        who = UserCreate(
            login=self.login,
            name=self.login.capitalize(),
            email=f"{self.login}@webflix.example",
            password=password.read_text(),
        )
        self._ground.api.post("/users", who, User)
        self.must(
            "login", self._ground.url, "--user", self.login, "--password-file", str(password),
            "--name", "local", "--no-git", "--no-docker",
        )  # fmt: skip
        self.token = context.load(self._contexts).named().token

    def says(self, *words: str) -> Said:
        """A command of Fairway's as this person, however it ends."""
        done = subprocess.run(
            [self._ground.program, *words],
            env={**self._ground.environment(), "FAIRWAY_CONTEXTS": str(self._contexts)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return Said(done.returncode, done.stdout.strip())

    def must(self, *words: str) -> str:
        """A command that has to work. Raises Trouble."""
        done = self.says(*words)
        if done.status:
            raise Trouble(f"{self.login}: `fairway {' '.join(words)}` failed:\n{done.text}")
        return done.text


class People:
    """Both of them."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self.ada = Person(ground, "ada")
        self.grace = Person(ground, "grace")

    def come(self) -> None:
        """They join; Ada may write code, Grace may decide about production. Raises Trouble."""
        for person, role in ((self.ada, "writer"), (self.grace, "reader")):
            person.join()
            place = f"/orgs/{ORGANISATION}/roles/{person.login}"
            self._ground.api.put(place, RoleSet(role=role), Grant)

    def entrust(self) -> None:
        """What Grace may do in production. Raises Trouble."""
        for action in ("approve", "rollback"):
            right = RightSet(holder="grace", action=action, place=f"{ORGANISATION}/production")
            self._ground.api.put("/rights", right, Right)

"""Everything that the story has: a Fairway, people with their working copies, visitors, a chat,
a receiver of notifications; and what came of it so far.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeVar

from fairwaydemo.copies import Copy
from fairwaydemo.ground import SERVICES, Ground
from fairwaydemo.screen import Screen
from fairwaydemo.trouble import Trouble
from fairwaydemo.voyage import chat
from fairwaydemo.voyage.outcome import Outcome
from fairwaydemo.voyage.people import People
from fairwaydemo.voyage.receiver import Receiver
from fairwaydemo.voyage.visitors import Visitors

PATIENCE_S = 900.0
PAUSE_S = 0.15
T = TypeVar("T")


class World:
    """See above. `facts` is what the summary holds: everything that was measured."""

    def __init__(self, screen: Screen) -> None:
        self.screen = screen
        self.ground = Ground(screen)
        self.people = People(self.ground)
        self.chat = chat.Chat(self.ground.folder)
        self.copies = {name: Copy(self.ground, name) for name in (*SERVICES, "environments")}
        self.receiver = Receiver(self.ground.folder)
        self.facts: dict[str, Any] = {}
        self.first: dict[str, int] = {}  # service -> the build of its first release
        self.outcomes: list[Outcome] = []  # of every build that was followed
        self._visitors: Visitors | None = None
        self._listens: set[str] = set()
        self._last = ""

    @property
    def visitors(self) -> Visitors:
        """Those who look at films; they do not come by themselves."""
        if self._visitors is None:
            self._visitors = Visitors(self.ground.gateway)
        return self._visitors

    def close(self) -> None:
        """Send the visitors home."""
        if self._visitors is not None:
            self._visitors.go()

    def wait(self, what: str, look: Callable[[], T | None]) -> T:
        """Until `look` finds something, showing on the way what the chat says. Raises Trouble."""
        until = time.monotonic() + PATIENCE_S
        with self.screen.waiting(what):
            while (found := look()) is None:
                if time.monotonic() > until:
                    raise Trouble(f"{what}: nothing came of it within {PATIENCE_S:.0f} s")
                self.hear()
                time.sleep(PAUSE_S)
        self.hear()
        return found

    def listen(self, *keys: str) -> None:
        """From now on the chat's messages about these are shown as they change."""
        self._listens = set(keys)
        self.hear(quietly=True)

    def hear(self, *, quietly: bool = False) -> None:
        """Show what the chat said since."""
        for one in self.chat.news():
            about = chat.key(one)
            if quietly or about not in self._listens or "thread_ts" in one:
                continue
            text = ", ".join([chat.title(one), *chat.lines(one)[-1:]])
            if text == self._last:
                continue
            self._last = text
            word = "edited" if one["what"] == "edited" else "posted"
            self.screen.say(f"  [magenta]chat[/] [bright_black]{word}[/] {self.screen.plain(text)}")

"""A chat, a rule that leads there, and what says it."""

from __future__ import annotations

import pytest

from fairway.access.keyring import Keyring
from fairway.kit.aio import Wake
from fairway.kit.secret import Secret
from fairway.model.events import PromotionChanged, RolloutChanged
from fairway.model.notice import Channel, ChannelKind, Rule
from fairway.notify import keeping
from fairway.notify.channel import Speaker
from fairway.notify.channels.slack import Slack
from fairway.notify.channels.webhook import Webhook
from fairway.notify.sending import Sending
from fairway.notify.telling import Telling
from fairway.store.database import Database
from fairway.testing.slack import TOKEN, Line, Workspace


class Chat:
    """One channel `crew` in a workspace."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.keyring = Keyring({"k": bytes(32)}, "k")
        self.workspace = Workspace()
        self.line = Line(self.workspace)
        self.telling = Telling(database, url="https://fairway.example", wake=Wake())
        self.sending = self.again()
        self.channel("crew", ChannelKind.SLACK, "C1", TOKEN)
        self.rule("all", "crew")

    def again(self) -> Sending:
        """The sender as after a restart."""
        speakers: dict[ChannelKind, Speaker] = {
            ChannelKind.SLACK: Slack(self.line, installation="here"),
            ChannelKind.WEBHOOK: Webhook(self.line),
        }
        self.sending = Sending(self.database, self.keyring, speakers, wake=Wake())
        return self.sending

    def channel(self, name: str, kind: ChannelKind, address: str, secret: str) -> None:
        made = Channel(id=0, name=name, kind=kind, address=address)
        self.database.write_now(
            keeping.put, "ada", made, secret=Secret(secret), sealer=self.keyring
        )

    def rule(self, name: str, channel: str, *, transitions: bool = False) -> None:
        made = Rule(id=0, name=name, channel=channel, transitions=transitions)
        self.database.write_now(keeping.put_rule, "ada", made)

    async def hear(self, state: str, *, step: str = "", number: int = 5, message: str = "") -> None:
        event = PromotionChanged(
            delivery="shop",
            service="catalogue",
            environment="production",
            promotion=number,
            release=9,
            version="1.2.0",
            digest="sha256:" + "ab" * 32,
            way="promotion",
            state=state,
            step=step,
            message=message,
            application="catalogue-production",
        )
        await self.telling.tell(event, "event/1")

    async def roll(
        self,
        phase: str,
        weight: int,
        application: str = "catalogue-production",
        *,
        namespace: str = "production",
    ) -> None:
        event = RolloutChanged(
            cluster="home",
            namespace=namespace,
            name="catalogue",
            uid="u1",
            revision=2,
            phase=phase,
            step=weight // 20,
            steps=5,
            weight=weight,
            application=application,
        )
        await self.telling.tell(event, "event/1")


@pytest.fixture
def chat(database: Database) -> Chat:
    return Chat(database)

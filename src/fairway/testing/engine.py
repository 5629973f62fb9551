"""The simulated engine: containers are timetables on the loop's clock, which may be virtual.

It passes the engine contract's suite. Containers live in the object, not in tasks, so they survive
a crash of the runner as real ones do. Trouble (slow and lost answers, refused starts, containers
that vanish) is drawn from a seeded source, so a run can be repeated exactly.
"""

from __future__ import annotations

import asyncio
import random
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from msgspec import Struct

from fairway.kit import clock
from fairway.kit.secret import Secret
from fairway.model.errors import InvalidInput, Unavailable
from fairway.pipeline.engine import Ended, Place, Sink
from fairway.pipeline.graph import PullPolicy, StepGraph

KILLED: Final = 137
_PIECE: Final = 32 * 1024
_GRAIN_S: Final = 1e-6  # virtual clocks round: what is due within this is due now
_VARIABLE: Final = re.compile(r"\$\{?([A-Za-z_][A-Za-z0-9_]*)\}?")


class Act(Struct, frozen=True):
    """Wait, then say something."""

    wait_s: float = 0.0
    say: bytes = b""


class Recipe(Struct, frozen=True):
    """What a container does in its life, and how it ends."""

    acts: tuple[Act, ...] = ()
    exit_code: int = 0
    oom_killed: bool = False

    @property
    def log(self) -> bytes:
        """All that it would say."""
        return b"".join(act.say for act in self.acts)


class Trouble(Struct, frozen=True, kw_only=True):
    """How likely what goes wrong is, per call; and how slow a start may be."""

    unanswered: float = 0.0  # the call had no effect
    answer_lost: float = 0.0  # the call had its effect, nobody hears so
    refused: float = 0.0  # a start is refused for good
    vanishes: float = 0.0  # a container is removed by somebody else while it runs
    start_s: tuple[float, float] = (0.0, 0.0)


@dataclass
class Container:
    """One container: a timetable since its start."""

    key: str
    step: StepGraph
    attempt: int
    recipe: Recipe
    environment: dict[str, str]
    started: float
    started_at: int
    killed: float | None = None
    removed: bool = False
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def end(self) -> float:
        """Loop time at which it ends, or ended."""
        whole = self.started + sum(act.wait_s for act in self.recipe.acts)
        return whole if self.killed is None else min(whole, self.killed)

    @property
    def was_killed(self) -> bool:
        """Whether it was ended before its time."""
        whole = self.started + sum(act.wait_s for act in self.recipe.acts)
        return self.killed is not None and self.killed < whole

    def said(self, now: float) -> bytes:
        """What it has said so far."""
        at, parts = self.started, []
        for act in self.recipe.acts:
            at += act.wait_s
            if at > now + _GRAIN_S or (self.was_killed and at > self.end):
                break
            parts.append(act.say)
        return b"".join(parts)

    def next_word(self, now: float) -> float:
        """Loop time at which something happens next."""
        at = self.started
        for act in self.recipe.acts:
            at += act.wait_s
            if at > now + _GRAIN_S:
                return min(at, self.end)
        return self.end


Cook = Callable[[Place, StepGraph, Mapping[str, str], int], Recipe]
"""Says what a container does: (place, step, environment, attempt)."""


class SimulatedEngine:
    """An engine without any process. `starts` counts real starts by (stage key, step, attempt)."""

    def __init__(
        self,
        *,
        owner: str = "simulated",
        cook: Cook | None = None,
        trouble: Trouble | None = None,
        source: random.Random | None = None,
    ) -> None:
        self.owner = owner
        self.trouble = trouble or Trouble()
        self.containers: dict[tuple[str, int, int], Container] = {}
        self.networks: set[str] = set()
        self.starts: Counter[tuple[str, int, int]] = Counter()
        self.finished: Counter[tuple[str, int, int]] = Counter()  # told to the end, not killed
        self.down = False
        self.missing: set[str] = set()  # images that no registry has
        self._cook = cook or from_script
        self._source = source or random.Random(0)  # noqa: S311 a simulation is to be repeatable

    # ---- for tests -------------------------------------------------------------------------------

    def left(self) -> list[str]:
        """Keys of the stages that something is left of."""
        return sorted({key for key, _step, _attempt in self.containers} | self.networks)

    def crash(self) -> None:
        """The engine dies and comes back: what ran was killed."""
        now = asyncio.get_running_loop().time()
        for container in self.containers.values():
            if container.end > now:
                self._end(container)

    def vanish(self, key: str, step: int, attempt: int = 1) -> None:
        """Somebody else removes a container."""
        self._remove((key, step, attempt))

    # ---- the contract ----------------------------------------------------------------------------

    async def check(self) -> str:
        """See the contract."""
        await self._answer()
        return "simulated engine"

    async def setup(self, place: Place) -> None:
        """See the contract."""
        await self._answer()
        self.networks.add(place.key)
        self._lose()

    async def start(
        self,
        place: Place,
        step: StepGraph,
        environment: Mapping[str, str | Secret],
        *,
        attempt: int = 1,
    ) -> None:
        """See the contract."""
        await self._answer()
        await asyncio.sleep(self._source.uniform(*self.trouble.start_s))
        name = (place.key, step.number, attempt)
        if name in self.containers:
            return
        if self.networks and place.key not in self.networks:
            raise InvalidInput(f"no network {place.key}", code="container-refused")
        self._refuse(step)
        values = {
            key: value.reveal() if isinstance(value, Secret) else value
            for key, value in environment.items()
        }
        self.containers[name] = Container(
            key=place.key,
            step=step,
            attempt=attempt,
            recipe=self._cook(place, step, values, attempt),
            environment=values,
            started=asyncio.get_running_loop().time(),
            started_at=clock.now(),
        )
        self.starts[name] += 1
        self._lose()

    def _refuse(self, step: StepGraph) -> None:
        if step.image in self.missing or (step.pull is PullPolicy.NEVER and not step.image):
            raise InvalidInput(f"image {step.image} is nowhere", code="image-not-found")
        if self._source.random() < self.trouble.refused:
            raise InvalidInput(f"image {step.image} refused", code="container-refused")

    async def environment(
        self, place: Place, step: StepGraph, *, attempt: int = 1
    ) -> Mapping[str, str]:
        """See the contract."""
        await self._answer()
        container = self.containers.get((place.key, step.number, attempt))
        return dict(container.environment) if container else {}

    async def follow(
        self, place: Place, step: StepGraph, sink: Sink, *, attempt: int = 1, skip: int = 0
    ) -> Ended:
        """See the contract."""
        await self._answer()
        name = (place.key, step.number, attempt)
        container = self.containers.get(name)
        if container is None:
            return Ended(255, error=f"container {name} was removed by somebody else")
        if self._source.random() < self.trouble.vanishes:
            asyncio.get_running_loop().call_later(1.0, self._remove, name)
        await self._tell(container, sink, skip)
        if container.removed:
            return Ended(255, error=f"container {name} was removed by somebody else")
        if not container.was_killed:
            self.finished[name] += 1
        return self._ended(container)

    async def _tell(self, container: Container, sink: Sink, skip: int) -> None:
        loop = asyncio.get_running_loop()
        while True:
            if self.down:
                raise Unavailable("the simulated engine is silent", code="engine-unavailable")
            said = container.said(loop.time())
            while skip < len(said):
                piece = said[skip : skip + _PIECE]
                await sink(piece)
                skip += len(piece)
            over = loop.time() + _GRAIN_S >= container.end
            if container.removed or (over and self._whole(container, skip)):
                return
            await self._answer()
            container.changed.clear()
            try:
                async with asyncio.timeout_at(container.next_word(loop.time())):
                    await container.changed.wait()
            except TimeoutError:
                pass

    def _whole(self, container: Container, told: int) -> bool:
        return told >= len(container.said(asyncio.get_running_loop().time()))

    def _ended(self, container: Container) -> Ended:
        killed = container.was_killed
        stopped = container.started_at + int((container.end - container.started) * 1000)
        return Ended(
            KILLED if killed else container.recipe.exit_code,
            oom_killed=container.recipe.oom_killed and not killed,
            started=container.started_at,
            stopped=stopped,
        )

    async def probe(self, place: Place, step: StepGraph, *, attempt: int = 1) -> bool:
        """See the contract: ready once it said `ready`, or at once without `ready`."""
        await self._answer()
        container = self.containers.get((place.key, step.number, attempt))
        now = asyncio.get_running_loop().time()
        if container is None or container.end <= now:
            return False
        return step.ready is None or b"ready" in container.said(now)

    async def stop(self, place: Place, step: StepGraph, *, attempt: int = 1) -> None:
        """See the contract."""
        await self._answer()
        container = self.containers.get((place.key, step.number, attempt))
        if container is not None:
            self._end(container)
        self._lose()

    async def destroy(self, place: Place) -> None:
        """See the contract."""
        await self._answer()
        self._clear(place.key)
        self._lose()

    async def sweep(self, keep: Sequence[str]) -> list[str]:
        """See the contract."""
        await self._answer()
        gone = [key for key in self.left() if key not in keep]
        for key in gone:
            self._clear(key)
        return gone

    # ---- inside ----------------------------------------------------------------------------------

    def _clear(self, key: str) -> None:
        for name in [name for name in self.containers if name[0] == key]:
            self._remove(name)
        self.networks.discard(key)

    def _remove(self, name: tuple[str, int, int]) -> None:
        container = self.containers.pop(name, None)
        if container is not None:
            container.removed = True
            self._end(container)

    def _end(self, container: Container) -> None:
        now = asyncio.get_running_loop().time()
        if container.killed is None:
            container.killed = now
        container.changed.set()

    async def _answer(self) -> None:
        await asyncio.sleep(0)
        if self.down or self._source.random() < self.trouble.unanswered:
            raise Unavailable("the simulated engine is silent", code="engine-unavailable")

    def _lose(self) -> None:
        if self._source.random() < self.trouble.answer_lost:
            raise Unavailable("the simulated engine's answer was lost", code="engine-unavailable")


def from_script(
    _place: Place, step: StepGraph, environment: Mapping[str, str], _attempt: int
) -> Recipe:
    """What a very small shell would make of a step's script.

    It knows `echo TEXT` (with variables), `seq 1 N`, `sleep SECONDS`, `exit CODE`, `true`, `false`;
    every other line does nothing. A container without a script runs until it is killed.
    """
    if not step.script:
        return Recipe((Act(0.0, b"ready\n"), Act(10.0**9)))
    acts: list[Act] = []
    wait = 0.0
    for line in re.split(r"[\n;]", step.script):
        words = line.split()
        if not words:
            continue
        if words[0] == "sleep":
            wait += float(words[1])
        elif words[0] in ("exit", "false"):
            code = int(words[1]) if len(words) > 1 else 1
            return Recipe((*acts, Act(wait)), code)
        else:
            said = _say(line.strip(), environment)
            if said:
                acts.append(Act(wait, said))
                wait = 0.0
    return Recipe((*acts, Act(wait)))


def _say(line: str, environment: Mapping[str, str]) -> bytes:
    command, _, rest = line.partition(" ")
    if command == "echo":
        text = rest.strip().strip("\"'").removesuffix(" >&2")
        return _VARIABLE.sub(lambda m: environment.get(m[1], ""), text).encode() + b"\n"
    if command == "seq":
        return b"".join(b"%d\n" % number for number in range(1, int(rest.split()[-1]) + 1))
    return b""

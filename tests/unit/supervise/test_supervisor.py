"""Components are started in order, adopted, restarted with their reason, and ended."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from fairway.kit import processes
from fairway.model.errors import NotFound, Unavailable
from fairway.supervise import records
from fairway.supervise.component import Backoff, Component, ComponentStatus, State
from fairway.supervise.supervisor import Supervisor

QUICK = Backoff(first_s=0.01, most_s=0.05)
DEADLINE_S = 90.0


class Bench:
    """A folder, its supervisors, and components of `sh`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def sh(self, name: str, script: str = "exec sleep 600", **more: Any) -> Component:
        log = self.folder / f"{name}.log"
        return Component(name=name, command=["sh", "-c", script], log=log, stop_s=5.0, **more)

    @asynccontextmanager
    async def supervisor(self, *components: Component) -> AsyncIterator[Supervisor]:
        """One that runs; leaving cancels it, and the processes live on."""
        made = Supervisor(self.folder / "state", QUICK)
        for component in components:
            made.add(component)
        task = asyncio.ensure_future(made.run())
        try:
            yield made
        finally:
            task.cancel()
            await asyncio.wait([task])


@pytest.fixture
def bench(tmp_path: Path) -> Any:
    yield Bench(tmp_path)
    records.stop_all(tmp_path / "state")


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not condition():
            await asyncio.sleep(0.01)


async def dies(supervisor: Supervisor, name: str) -> ComponentStatus:
    """Wait for a process other than the one of now that is ready."""
    before = supervisor.status(name)
    await until(lambda: supervisor.status(name).restarts > before.restarts)
    await supervisor.wait_ready(name, seconds=DEADLINE_S)
    return supervisor.status(name)


async def test_a_component_that_was_killed_is_started_again_and_says_why(bench: Bench) -> None:
    async with bench.supervisor(bench.sh("a", "echo going >&2; exec sleep 600")) as supervisor:
        await supervisor.wait_ready("a")
        first = supervisor.status("a").pid
        assert first is not None
        await until((bench.folder / "a.log").read_text)
        os.kill(first, signal.SIGKILL)
        status = await dies(supervisor, "a")
    assert status.pid != first
    assert status.restarts == 1
    assert status.reason == "it was ended by SIGKILL: going"


async def test_one_that_ends_at_once_waits_longer_each_time_and_shows_its_last_words(
    bench: Bench,
) -> None:
    script = "echo 'Error: no such port'; echo usage; exit 3"
    async with bench.supervisor(bench.sh("a", script, ready=no)) as supervisor:
        await until(lambda: supervisor.status("a").restarts >= 3)
        await until(lambda: supervisor.status("a").state is State.FAILED)
        assert supervisor.status("a").reason == ("it ended with exit status 3: Error: no such port")
        with pytest.raises(Unavailable, match="no such port") as raised:
            await supervisor.wait_ready("a", seconds=0.01)
    assert raised.value.code == "component-not-ready"


async def no() -> bool:
    return False


async def test_a_program_that_is_not_there_is_a_reason_not_a_crash(bench: Bench) -> None:
    missing = Component(name="a", command=["/no/such/program"], log=bench.folder / "log", ready=no)
    async with bench.supervisor(missing) as supervisor:
        await until(lambda: supervisor.status("a").state is State.FAILED)
        assert "127" in supervisor.status("a").reason
        assert "No such file" in supervisor.status("a").reason


async def test_a_component_waits_for_those_it_needs_and_says_for_which(bench: Bench) -> None:
    open_ = asyncio.Event()

    async def opened() -> bool:
        return open_.is_set()

    first = bench.sh("first", ready=opened)
    async with bench.supervisor(first, bench.sh("second", after=("first",))) as supervisor:
        await until(lambda: supervisor.status("first").state is State.STARTING)
        assert supervisor.status("second").state is State.WAITING
        await until(lambda: supervisor.status("second").reason == "waits for first")
        open_.set()
        await supervisor.wait_ready()
        assert supervisor.status("second").reason == ""


async def test_the_next_supervisor_adopts_what_runs(bench: Bench) -> None:
    async with bench.supervisor(bench.sh("a")) as supervisor:
        await supervisor.wait_ready()
        pid = supervisor.status("a").pid
    async with bench.supervisor(bench.sh("a")) as supervisor:
        await supervisor.wait_ready()
        assert supervisor.status("a").pid == pid
        assert supervisor.status("a").restarts == 0


async def test_an_adopted_one_that_ends_is_noticed(bench: Bench) -> None:
    async with bench.supervisor(bench.sh("a")) as supervisor:
        await supervisor.wait_ready()
    async with bench.supervisor(bench.sh("a")) as supervisor:
        await supervisor.wait_ready()
        os.kill(supervisor.status("a").pid or 0, signal.SIGKILL)
        assert (await dies(supervisor, "a")).restarts == 1


async def test_one_whose_definition_changed_meanwhile_is_restarted(bench: Bench) -> None:
    async with bench.supervisor(bench.sh("a")) as supervisor:
        await supervisor.wait_ready()
        pid = supervisor.status("a").pid
    async with bench.supervisor(bench.sh("a", environment={"NEW": "1"})) as supervisor:
        await supervisor.wait_ready()
        assert supervisor.status("a").pid != pid
        assert processes.identify(pid or 0) is None


async def test_one_that_was_started_and_never_written_down_is_not_started_twice(
    bench: Bench,
) -> None:
    async with bench.supervisor(bench.sh("a")) as supervisor:
        await supervisor.wait_ready()
        pid = supervisor.status("a").pid
    records.forget(bench.folder / "state", "a")
    await until(lambda: [*records.marked(bench.folder / "state")] == ["a"])
    async with bench.supervisor(bench.sh("a")) as supervisor:
        await supervisor.wait_ready()
        assert processes.identify(pid or 0) is None


async def test_one_that_cannot_be_written_down_is_kept_all_the_same(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a full disk a second process must not be started beside the first."""

    def full(_folder: Path, _record: records.Record) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(records, "write", full)
    async with bench.supervisor(bench.sh("a")) as supervisor:
        await supervisor.wait_ready()
        assert supervisor.status("a").restarts == 0
        await until(lambda: [*records.marked(bench.folder / "state")] == ["a"])
    assert records.stop_all(bench.folder / "state") == ["a"]


async def test_one_that_hangs_is_restarted(bench: Bench) -> None:
    answers = [True]

    async def probe() -> bool:
        return answers[0]

    component = bench.sh("a", ready=probe, hung_s=0.05)
    async with bench.supervisor(component) as supervisor:
        await supervisor.wait_ready()
        answers[0] = False
        await until(lambda: supervisor.status("a").restarts == 1)
        assert "did not answer" in supervisor.status("a").reason


async def test_a_probe_that_breaks_counts_as_no(bench: Bench) -> None:
    calls: list[int] = []

    async def probe() -> bool:
        calls.append(1)
        if len(calls) < 3:
            raise ZeroDivisionError
        return True

    async with bench.supervisor(bench.sh("a", ready=probe)) as supervisor:
        await supervisor.wait_ready()
    assert len(calls) >= 3


async def test_what_prepare_raises_is_the_reason_and_it_is_tried_again(bench: Bench) -> None:
    tries: list[int] = []

    async def prepare() -> None:
        tries.append(1)
        if len(tries) < 3:
            raise Unavailable("the bridge is missing")

    async with bench.supervisor(bench.sh("a", prepare=prepare)) as supervisor:
        await until(lambda: supervisor.status("a").reason == "the bridge is missing")
        await supervisor.wait_ready()


async def test_removed_components_end_and_added_ones_start(bench: Bench) -> None:
    async with bench.supervisor(bench.sh("a")) as supervisor:
        await supervisor.wait_ready()
        pid = supervisor.status("a").pid or 0
        supervisor.add(bench.sh("b"))
        await supervisor.wait_ready("b")
        await supervisor.remove("a")
        assert processes.identify(pid) is None
        assert [one.name for one in supervisor.statuses()] == ["b"]
        with pytest.raises(NotFound):
            supervisor.status("a")


async def test_told_to_restart_it_does_so_at_once_and_counts_no_failure(bench: Bench) -> None:
    async with bench.supervisor(bench.sh("a")) as supervisor:
        await supervisor.wait_ready()
        pid = supervisor.status("a").pid
        await supervisor.restart("a")
        await until(lambda: supervisor.status("a").pid not in (pid, None))
        assert supervisor.status("a").restarts == 0


async def test_the_last_one_started_is_the_first_one_stopped(bench: Bench) -> None:
    said = bench.folder / "said"
    script = f"trap 'echo $0 >> {said}; exit 0' TERM; touch {bench.folder}/$0; "
    script += "while :; do sleep 0.05; done"

    def one(name: str, *after: str) -> Component:
        async def ready() -> bool:
            return (bench.folder / name).exists()

        command = ["sh", "-c", script, name]
        log = bench.folder / "log"
        return Component(name=name, command=command, log=log, after=after, ready=ready)

    async with bench.supervisor(one("a"), one("b", "a"), one("c", "b")) as supervisor:
        await supervisor.wait_ready()
        assert await supervisor.stop_all() == ["c", "b", "a"]
    assert said.read_text().split() == ["c", "b", "a"]
    assert records.everything(bench.folder / "state") == []


async def test_stopping_without_a_supervisor_ends_everything(bench: Bench) -> None:
    async with bench.supervisor(bench.sh("a"), bench.sh("b")) as supervisor:
        await supervisor.wait_ready()
        pids = [one.pid or 0 for one in supervisor.statuses()]
    assert sorted(records.stop_all(bench.folder / "state")) == ["a", "b"]
    assert [processes.identify(pid) for pid in pids] == [None, None]
    assert records.stop_all(bench.folder / "state") == []


async def test_of_two_supervisors_of_one_folder_one_works_until_it_goes(bench: Bench) -> None:
    async with bench.supervisor(bench.sh("a")) as first:
        await first.wait_ready()
        async with bench.supervisor(bench.sh("a")) as second:
            with pytest.raises(Unavailable):
                await second.wait_ready(seconds=0.05)
            task: Coroutine[Any, Any, Any] = first.stop_all()
            await task
            assert second.status("a").pid is None


@pytest.mark.skipif(os.geteuid() != 0, reason="only root enters a network namespace")
async def test_it_runs_in_the_network_namespace_that_it_is_given(bench: Bench) -> None:
    holder = bench.sh("holder", "exec unshare --net sleep 600")
    async with bench.supervisor(holder) as supervisor:
        await supervisor.wait_ready()
        pid = supervisor.status("holder").pid
        mine = Path("/proc/self/ns/net").readlink()
        await until(lambda: Path(f"/proc/{pid}/ns/net").readlink() != mine)
        supervisor.add(bench.sh("inside", netns=Path(f"/proc/{pid}/ns/net")))
        await until(lambda: supervisor.status("inside").pid)
        inside = supervisor.status("inside").pid
        theirs = Path(f"/proc/{pid}/ns/net").readlink()
        await until(lambda: Path(f"/proc/{inside}/ns/net").readlink() == theirs)

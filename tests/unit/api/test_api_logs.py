"""Logs: ranges, search, and live streams that resume without a hole."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from fairway.client.http import Api
from fairway.model.status import Status
from fairway.testing.apiworld import URL, ApiWorld
from fairway.testing.asgi import AsgiTransport, LoopThread

BUILD = "/api/v1/repos/tide/app/builds"


async def test_lines_are_given_by_number(client: httpx.AsyncClient, api_world: ApiWorld) -> None:
    await api_world.log(1, 2, "".join(f"line {n}\n" for n in range(1, 5001)))
    answer = await client.get(f"{BUILD}/1/logs/1/2", params={"first": 4000, "lines": 2})
    found = answer.json()
    assert found["lines"] == ["line 4000", "line 4001"]
    assert found["first"] == 4000
    assert found["total_lines"] == 5000
    assert found["done"] is True
    raw = await client.get(
        f"{BUILD}/1/logs/1/2/raw", params={"start": found["offset"], "end": found["end"]}
    )
    assert raw.text == "line 4000\nline 4001\n"
    assert raw.headers["x-log-size"] == str(found["total_bytes"])


async def test_a_step_without_a_log_has_no_lines(client: httpx.AsyncClient) -> None:
    found = (await client.get(f"{BUILD}/2/logs/1/3")).json()
    assert (found["lines"], found["done"]) == ([], False)


async def test_a_search_names_step_and_line(client: httpx.AsyncClient, api_world: ApiWorld) -> None:
    await api_world.log(1, 1, "cloning\n")
    await api_world.log(1, 2, "one\ntwo\nsome Error here\n")
    found = (await client.get(f"{BUILD}/1/search", params={"text": "error"})).json()["items"]
    assert [(one["step"], one["line"], one["text"]) for one in found] == [(2, 3, "some Error here")]
    answer = await client.get(f"{BUILD}/1/search", params={"text": "error", "exact": True})
    assert answer.json()["items"] == []


@pytest.mark.parametrize("params", [{"first": -1}, {"lines": 0}, {"lines": "x"}, {"stage": 1.5}])
async def test_a_bad_range_is_refused_or_unknown(
    client: httpx.AsyncClient, params: dict[str, Any]
) -> None:
    path = f"{BUILD}/1/logs/1/2" if "stage" not in params else f"{BUILD}/1/logs/1.5/2"
    assert (await client.get(path, params=params)).status_code in {404, 422}


@pytest.fixture
def thread() -> Iterator[LoopThread]:
    with LoopThread() as made:
        yield made


@pytest.fixture
def api(thread: LoopThread, app: Any, api_world: ApiWorld) -> Iterator[Api]:
    transport = AsgiTransport(app, thread)
    made = Api(URL, api_world.token("ada"), transport=transport, wait=lambda _: None)
    yield made
    made.close()


def texts(api: Api, *, last_id: str = "", **params: str | bool) -> dict[str, str]:
    found: dict[str, str] = {}
    for message in api.stream("/repos/tide/app/builds/1/stream", params, last_id=last_id):
        if message.event == "log":
            data = json.loads(message.data)
            found[data["name"]] = found.get(data["name"], "") + data["text"]
    return found


def test_a_build_is_followed_to_its_end(api: Api, thread: LoopThread, api_world: ApiWorld) -> None:
    thread.call(api_world.log(2, 1, "cloned\n"))
    thread.call(api_world.log(2, 2, "first ", end=False))
    text, statuses, last = "", [], ""
    for message in api.stream("/repos/tide/app/builds/2/stream"):
        data, last = json.loads(message.data), message.event
        if last == "build":
            statuses.append(data["status"])
        if last == "log" and data["name"] == "test":
            text += data["text"]
            if text == "first ":
                thread.call(api_world.log(2, 2, "second\n"))
                api_world.finish(2, Status.PASSED)
    assert text == "first second\n"
    assert statuses == ["running", "passed"]
    assert last == "end"


def test_a_stream_resumes_at_each_byte_without_loss_or_repetition(
    api: Api, thread: LoopThread, api_world: ApiWorld
) -> None:
    data = ("grün und wärmer: " + "ä" * 300 + "\n").encode()
    row = api_world.step(1, 2)
    for at in range(0, len(data), 7):  # letters are cut in two
        part = data[at : at + 7]
        thread.call(api_world.logs.append(row, 1, offset=at, raw=at + len(part), data=part))
    thread.call(api_world.logs.end(row, 1))
    for cut in (0, 1, 17, len(data) - 1, len(data)):
        start = len(data[:cut].decode("utf-8", "ignore").encode())
        found = texts(api, last_id=f"1.2.1:{start}")
        assert found.get("test", "") == data[start:].decode()


def test_only_the_wanted_logs_are_sent(api: Api, thread: LoopThread, api_world: ApiWorld) -> None:
    thread.call(api_world.log(1, 1, "cloned\n"))
    thread.call(api_world.log(1, 2, "tested\n"))
    assert set(texts(api, step="test")) == {"test"}
    assert set(texts(api, step="1")) == {"clone"}
    assert texts(api, logs=False) == {}


async def test_a_wrong_last_event_id_is_refused(client: httpx.AsyncClient) -> None:
    answer = await client.get(f"{BUILD}/1/stream", headers={"Last-Event-ID": "nonsense"})
    assert answer.status_code == 422
    assert answer.json()["type"] == "bad-last-event-id"

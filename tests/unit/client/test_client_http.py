"""The client: what is tried again and what is not, and streams that are cut."""

from collections.abc import Callable

import httpx
import pytest

from fairway.client import sse
from fairway.client.http import Api
from fairway.client.problems import error_of, problem_of
from fairway.client.wire.common import Done
from fairway.client.wire.who import Me, User
from fairway.model.errors import (
    BadFile,
    Busy,
    Conflict,
    FairwayError,
    Forbidden,
    Internal,
    InvalidInput,
    NotFound,
    TooLarge,
    Unauthenticated,
    Unavailable,
)

Answer = Callable[[httpx.Request], httpx.Response]


class Script:
    """Answers in turn, and remembers what was asked and how long was waited."""

    def __init__(self, *answers: httpx.Response | Exception) -> None:
        self.answers = list(answers)
        self.asked: list[httpx.Request] = []
        self.waits: list[float] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def api(self) -> Api:
        transport = httpx.MockTransport(self)
        return Api("http://one", "t", transport=transport, wait=self.waits.append)


def json(status: int = 200, body: str = '{"done": true}', **headers: str) -> httpx.Response:
    return httpx.Response(status, text=body, headers=headers)


AWAY = httpx.ConnectError("refused")


@pytest.mark.parametrize("trouble", [AWAY, json(503), json(429), json(502)])
def test_what_may_be_repeated_is_tried_again(trouble: httpx.Response | Exception) -> None:
    for call in (
        lambda api: api.get("/x", Done),
        lambda api: api.put("/x", Done(), Done),
        lambda api: api.delete("/x"),
        lambda api: api.post("/x", None, Done, key="k"),
    ):
        script = Script(trouble, trouble, json())
        call(script.api())
        assert len(script.asked) == 3
        assert len(script.waits) == 2


def test_one_key_goes_with_all_tries() -> None:
    script = Script(AWAY, AWAY, json())
    script.api().post("/x", None, Done, key="new")
    keys = {request.headers["Idempotency-Key"] for request in script.asked}
    assert len(keys) == 1


@pytest.mark.parametrize("trouble", [AWAY, json(503)])
def test_what_may_happen_twice_is_not(trouble: httpx.Response | Exception) -> None:
    for call in (
        lambda api: api.post("/x", None, Done),
        lambda api: api.patch("/x", Done(), Done),
    ):
        script = Script(trouble)
        with pytest.raises(Unavailable):
            call(script.api())
        assert len(script.asked) == 1


def test_giving_up_says_where_we_looked() -> None:
    script = Script(AWAY, AWAY, AWAY, AWAY)
    with pytest.raises(Unavailable) as away:
        script.api().get("/x", Done)
    assert "http://one" in away.value.message
    assert away.value.code == "server-unavailable"


def test_a_server_s_wish_to_wait_is_met() -> None:
    script = Script(json(429, "", **{"Retry-After": "7"}), json())
    script.api().get("/x", Done)
    assert script.waits == [7.0]


def test_an_answer_of_another_server_is_told_from_ours() -> None:
    script = Script(httpx.Response(200, text="<html>"))
    with pytest.raises(InvalidInput) as wrong:
        script.api().get("/me", Me)
    assert wrong.value.code == "not-fairway"


def test_pages_are_fetched_as_they_are_needed() -> None:
    script = Script(
        json(body='{"items": [{"login": "a"}, {"login": "b"}], "next": "c1"}'),
        json(body='{"items": [{"login": "c"}], "next": null}'),
    )
    api = script.api()
    assert [one.login for one in api.pages("/users", User)] == ["a", "b", "c"]
    assert script.asked[1].url.params["cursor"] == "c1"
    script = Script(json(body='{"items": [{"login": "a"}, {"login": "b"}], "next": "c1"}'))
    assert [one.login for one in script.api().pages("/users", User, limit=2)] == ["a", "b"]


def test_a_cut_stream_goes_on_where_it_was() -> None:
    script = Script(
        httpx.Response(200, text="event: log\nid: 4\ndata: one\n\nevent: log\nid: 9\ndata: ha"),
        AWAY,
        httpx.Response(
            200, text=": beat\n\nevent: log\nid: 8\ndata: two\n\nevent: end\ndata: {}\n\n"
        ),
    )
    found = list(script.api().stream("/s"))
    assert [(one.event, one.data) for one in found] == [
        ("log", "one"),
        ("log", "two"),
        ("end", "{}"),
    ]
    assert [request.headers.get("Last-Event-ID") for request in script.asked] == [None, "4", "4"]


def test_a_stream_that_is_refused_is_not_tried_again() -> None:
    script = Script(json(404, '{"type": "build-not-found", "detail": "no"}'))
    with pytest.raises(NotFound):
        list(script.api().stream("/s"))
    assert len(script.asked) == 1


def test_a_stream_without_messages_is_given_up() -> None:
    script = Script(*[httpx.Response(200, text="") for _ in range(9)])
    with pytest.raises(Unavailable) as cut:
        list(script.api().stream("/s"))
    assert cut.value.code == "stream-cut"


def test_messages_are_read_as_they_were_written() -> None:
    wire = sse.write("log", b'{"a": 1}', at="1.2.1:5") + sse.HEARTBEAT + sse.write("end", b"{}")
    found = list(sse.read(wire.decode().split("\n"), sse.Reader()))
    assert found == [sse.Message("log", '{"a": 1}', "1.2.1:5"), sse.Message("end", "{}", "1.2.1:5")]


KINDS = [InvalidInput, Unauthenticated, Forbidden, NotFound, Conflict, TooLarge, Unavailable, Busy]


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_survives_the_wire(kind: type[FairwayError]) -> None:
    import msgspec

    problem = problem_of(kind("what", code="a-code", remedy="do it"), "/x")
    back = error_of(problem.status, msgspec.json.encode(problem))
    assert type(back) is kind
    assert (back.message, back.code, back.remedy) == ("what", "a-code", "do it")


def test_a_place_in_a_file_survives_and_a_defect_tells_nothing() -> None:
    import msgspec

    problem = problem_of(BadFile("wrong", where=".drone.yml:3:1"))
    back = error_of(422, msgspec.json.encode(problem))
    assert isinstance(back, BadFile)
    assert str(back) == ".drone.yml:3:1: wrong"
    assert "password" not in problem_of(Internal("the password is x")).detail

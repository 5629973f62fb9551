"""The cache itself: order in time, indexes, and what it keeps."""

from __future__ import annotations

import pytest

from fairway.kube import Key, objects
from fairway.kube.kind import Json
from fairway.kube.store import Store


def thing(name: str, version: str, namespace: str = "here", **data: str) -> Json:
    meta = {"name": name, "namespace": namespace, "resourceVersion": version}
    return {"apiVersion": "v1", "kind": "Thing", "metadata": meta, "data": data}


A = Key("here", "a")


@pytest.mark.parametrize(
    ("have", "come", "taken"),
    [
        ("5", "6", True),
        ("6", "5", False),
        ("5", "5", False),
        ("9", "10", True),
        ("10", "9", False),
        ("99999999999999999999", "100000000000000000000", True),
        ("100000000000000000000", "99999999999999999999", False),
        ("", "5", True),
        # No order is known for these: what comes last stands.
        ("abc", "5", True),
        ("5", "abc", True),
        ("05", "4", True),
    ],
)
def test_an_object_never_goes_back(have: str, come: str, taken: bool) -> None:
    store = Store()
    store.put(thing("a", have, x="old"))
    assert (store.put(thing("a", come, x="new")) is not None) == taken
    assert store.version(A) == (come if taken else have)
    found = store.get(A)
    assert found is not None
    assert found["data"] == {"x": "new" if taken else "old"}


def test_a_server_whose_history_was_rewritten_is_taken_as_it_is() -> None:
    store = Store()
    store.put(thing("a", "100"))
    assert store.put(thing("a", "3"), force=True) is not None
    assert store.version(A) == "3"
    assert store.put(thing("a", "3"), force=True) is None


@pytest.mark.parametrize(
    ("version", "gone"), [("", True), ("9", False), ("10", True), ("11", True), ("abc", True)]
)
def test_what_was_made_again_after_a_deletion_stays(version: str, gone: bool) -> None:
    store = Store()
    store.put(thing("a", "10"))
    change = store.remove(A, version)
    assert (change is not None) == gone
    assert (A in store) == (not gone)
    assert store.remove(Key("here", "nothing")) is None


def test_a_change_tells_before_and_after() -> None:
    store = Store()
    made = store.put(thing("a", "1", x="1"))
    assert made == (None, thing("a", "1", x="1"))
    changed = store.put(thing("a", "2", x="2"))
    assert changed == (thing("a", "1", x="1"), thing("a", "2", x="2"))
    gone = store.remove(A)
    assert gone == (thing("a", "2", x="2"), None)
    assert gone.key == changed.key == A


def test_indexes_know_what_is_there_and_nothing_else() -> None:
    store = Store({"letters": lambda obj: obj["data"].values()})
    store.put(thing("a", "1", one="x", two="y", three="x"))
    store.put(thing("b", "2", one="x"))
    assert [objects.key(e).name for e in store.by_index("letters", "x")] == ["a", "b"]
    store.put(thing("a", "3", one="z"))
    assert store.keys_by_index("letters", "x") == (Key("here", "b"),)
    assert store.index_values("letters") == ("x", "z")
    store.remove(Key("here", "b"))
    assert store.by_index("letters", "x") == []
    assert store.index_values("letters") == ("z",)
    with pytest.raises(KeyError):
        store.by_index("numbers", "1")


def test_an_index_that_fails_leaves_out_the_object_and_says_so(
    caplog: pytest.LogCaptureFixture,
) -> None:
    store = Store({"needed": lambda obj: [obj["data"]["needed"]], "all": lambda _: ["x"]})
    store.put(thing("a", "1", needed="x"))
    store.put(thing("a", "2"))
    store.put(thing("b", "3", needed="x"))
    assert store.version(A) == "2"
    assert store.keys_by_index("needed", "x") == (Key("here", "b"),)
    assert len(store.by_index("all", "x")) == 2
    assert "needed failed on here/a" in caplog.text


def test_objects_are_found_by_namespace_in_the_order_of_their_arrival() -> None:
    store = Store()
    for number, name in enumerate("bca"):
        store.put(thing(name, str(number + 1)))
        store.put(thing(name, str(number + 1), "there"))
    store.put(thing("b", "9"))
    assert [objects.key(each).name for each in store.list("here")] == ["b", "c", "a"]
    assert [objects.key(each) for each in store] == store.keys()
    assert len(store.list()) == 6
    assert store.list("nowhere") == []


def test_a_large_store_gives_the_same_as_a_small_one() -> None:
    store = Store({"first": lambda obj: [obj["data"]["x"][:1]]})
    text = "y" * 50_000
    for number in range(100):
        store.put(thing(f"n{number}", str(number + 1), x=text))
    assert len(store.list()) == 100
    assert store.get(Key("here", "n7")) == thing("n7", "8", x=text)
    changed = store.put(thing("n7", "200", x="z"))
    assert changed is not None
    assert changed.old == thing("n7", "8", x=text)
    for number in range(99):
        store.remove(Key("here", f"n{number}"))
    assert [objects.key(each).name for each in store] == ["n99"]
    assert store.keys_by_index("first", "y") == (Key("here", "n99"),)

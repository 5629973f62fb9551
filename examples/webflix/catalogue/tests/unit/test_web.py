import json
import threading
import urllib.request

from catalogue.store import MemoryStore
from catalogue.web import answer, serve


def test_comedies_only():
    status, body = answer(MemoryStore(), "GET", "/films?genre=comedy")
    assert status == 200
    assert {film["genre"] for film in body["films"]} == {"comedy"}


def test_one_film():
    status, film = answer(MemoryStore(), "GET", "/films/1")
    assert (status, film["title"]) == (200, "A Trip to the Moon")


def test_a_film_that_is_not_there():
    assert answer(MemoryStore(), "GET", "/films/99")[0] == 404
    assert answer(MemoryStore(), "GET", "/films/one")[0] == 404


def test_a_place_that_is_not_there():
    assert answer(MemoryStore(), "DELETE", "/popcorn")[0] == 404


def test_adding_a_film():
    store = MemoryStore()
    body = json.dumps({"title": "Nosferatu", "year": 1922, "genre": "horror", "minutes": 94})
    status, film = answer(store, "POST", "/films", body.encode())
    assert status == 201
    assert store.find(film["id"]).title == "Nosferatu"


def test_adding_nonsense():
    assert answer(MemoryStore(), "POST", "/films", b"{")[0] == 400
    assert answer(MemoryStore(), "POST", "/films", b"{}")[0] == 422


def test_over_http():
    server = serve(MemoryStore(), 0)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        url = f"http://127.0.0.1:{server.server_port}"
        with urllib.request.urlopen(f"{url}/healthz") as reply:
            assert json.load(reply) == {"status": "ok", "films": 10}
        film = b'{"title": "Faust", "year": 1926, "genre": "fantasy", "minutes": 107}'
        with urllib.request.urlopen(f"{url}/films", data=film) as reply:
            assert reply.status == 201
    finally:
        server.shutdown()
        thread.join()
        server.server_close()

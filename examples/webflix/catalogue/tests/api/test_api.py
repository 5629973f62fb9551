"""The API of a running catalogue and its real database, as its callers see it."""

import json
import os
import urllib.error
import urllib.request

URL = os.environ.get("CATALOGUE_URL", "http://catalogue:8000")


def ask(path, body=None):
    request = urllib.request.Request(f"{URL}{path}", data=body and json.dumps(body).encode())
    try:
        with urllib.request.urlopen(request, timeout=10) as reply:
            return reply.status, json.load(reply)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def test_the_shelf_is_there():
    status, body = ask("/films")
    assert status == 200
    assert len(body["films"]) >= 10
    assert {"id", "title", "year", "genre", "minutes"} == set(body["films"][0])


def test_search_does_not_mind_the_case():
    _, body = ask("/films?text=metropolis")
    assert [film["title"] for film in body["films"]] == ["Metropolis"]


def test_a_film_is_added_and_found_again():
    film = {"title": "Nosferatu", "year": 1922, "genre": "horror", "minutes": 94}
    status, kept = ask("/films", film)
    assert status == 201
    assert ask(f"/films/{kept['id']}") == (200, {**film, "id": kept["id"]})


def test_quotes_in_a_search_are_only_text():
    assert ask("/films?text=%27%3B%20DROP%20TABLE%20film%3B--")[1] == {"films": []}
    assert ask("/healthz")[0] == 200


def test_nonsense_is_refused_with_a_sentence():
    assert ask("/films", {"title": "Untitled"}) == (422, {"error": "a film has a genre"})
    assert ask("/films/4711")[0] == 404

import json
import threading
import urllib.request

import pytest
from storefront import pages
from storefront.clients import Down, Films, Ratings, Service
from storefront.web import Site, serve

FILM = {"id": 7, "title": "Metropolis <1927>", "year": 1927, "genre": "fantasy", "minutes": 153}


class FewFilms:
    def __init__(self, films=(FILM,)):
        self.films = {film["id"]: film for film in films}

    def search(self, text=""):
        return [film for film in self.films.values() if text.lower() in film["title"].lower()]

    def find(self, number):
        if number == 500:
            raise Down("catalogue:8000 does not answer")
        return self.films.get(number)


class FixedRatings:
    def of(self, number):
        return {"film": number, "average": 4.5, "count": 2}

    def top(self):
        return [self.of(7)]

    def rate(self, number, stars):
        if not 1 <= stars <= 5:
            return 422, {"error": f"stars are from 1 to 5, not {stars}"}
        return 201, {"film": number, "average": float(stars), "count": 3}


@pytest.fixture
def static(tmp_path):
    (tmp_path / "app-ABC.js").write_text("// built")
    (tmp_path / "style-ABC.css").write_text("/* built */")
    return tmp_path


@pytest.fixture
def site(static):
    return Site(FewFilms(), FixedRatings(), static)


def test_the_front_page_shows_films_and_what_people_think(site):
    body = site.answer("GET", "/").body.decode()
    assert "Metropolis &lt;1927&gt;" in body
    assert "★★★★☆ <small>4.5 by 2 people</small>" in body


def test_a_search_that_finds_nothing_says_so(site):
    assert "No film is called that." in site.answer("GET", "/?text=moon").body.decode()


def test_what_somebody_types_is_only_text(site):
    body = site.answer("GET", '/?text="><script>').body.decode()
    assert "<script>" not in body


def test_a_film_has_a_page(site):
    reply = site.answer("GET", "/films/7")
    assert reply.status == 200
    assert "153 minutes" in reply.body.decode()


@pytest.mark.parametrize("path", ["/films/8", "/films", "/popcorn", "/static/..", "/static/no.js"])
def test_what_is_not_there(site, path):
    assert site.answer("GET", path).status == 404


def test_rating_by_a_form_leads_back_to_the_film(site):
    reply = site.answer("POST", "/films/7/ratings", b"stars=5")
    assert (reply.status, reply.headers["Location"]) == (303, "/films/7")


def test_rating_by_script_gives_json(site):
    reply = site.answer("POST", "/films/7/ratings", b"stars=5", "application/json")
    assert json.loads(reply.body)["average"] == 5.0


def test_a_rating_without_stars_is_refused(site):
    assert site.answer("POST", "/films/7/ratings", b"").status == 422


def test_a_catalogue_that_is_down_is_said(site):
    reply = site.answer("GET", "/films/500")
    assert reply.status == 502
    assert "is down" in reply.body.decode()


def test_built_assets_may_be_kept_for_ever(site):
    reply = site.answer("GET", "/static/app-ABC.js")
    assert "immutable" in reply.headers["Cache-Control"]


def test_a_site_without_built_assets_does_not_start(tmp_path):
    with pytest.raises(SystemExit, match="not built"):
        Site(FewFilms(), FixedRatings(), tmp_path)


def test_stars():
    assert [pages.stars(number) for number in (0, 2.6, 5, 9)] == [
        "☆☆☆☆☆",
        "★★★☆☆",
        "★★★★★",
        "★★★★★",
    ]


def test_one_person():
    assert "by 1 person<" in pages.rating({"film": 1, "average": 3, "count": 1})


def test_nobody():
    assert "not rated yet" in pages.rating({"film": 1, "average": 0, "count": 0})


@pytest.fixture
def running(site):
    server = serve(site, 0)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_over_http(running):
    with urllib.request.urlopen(f"{running}/healthz") as reply:
        assert reply.read() == b"ok\n"
    with urllib.request.urlopen(f"{running}/films/7/ratings", data=b"stars=4") as reply:
        assert reply.url == f"{running}/films/7"


def test_a_service_that_is_down():
    nobody = Service("http://127.0.0.1:1")
    with pytest.raises(Down):
        Films(nobody).search()
    assert Ratings(nobody).of(1)["count"] == 0
    assert Ratings(nobody).top() == []

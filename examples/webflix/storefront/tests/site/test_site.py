"""The whole film site, as a visitor meets it: storefront, ratings, catalogue and database."""

import os
import re
import urllib.error
import urllib.parse
import urllib.request

URL = os.environ.get("STOREFRONT_URL", "http://storefront:8080")


def get(path):
    try:
        with urllib.request.urlopen(f"{URL}{path}", timeout=10) as reply:
            return reply.status, reply.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def count(page):
    found = re.search(r"by (\d+) pe", page)
    return int(found[1]) if found else 0


def test_a_visitor_finds_a_film_rates_it_and_sees_it_on_the_front_page():
    _, front = get("/?text=METROPOLIS")
    link = re.search(r'href="(/films/\d+)">Metropolis<', front)[1]
    _, before = get(link)
    form = urllib.parse.urlencode({"stars": 5}).encode()
    with urllib.request.urlopen(f"{URL}{link}/ratings", form, timeout=10) as reply:
        after = reply.read().decode()
    assert count(after) == count(before) + 1
    assert "★★★★★" in get("/?text=metropolis")[1]


def test_every_asset_that_a_page_names_is_there():
    _, front = get("/")
    names = re.findall(r'(?:src|href)="(/static/[^"]+)"', front)
    assert len(names) == 2
    assert all(get(name)[0] == 200 for name in names)


def test_a_film_that_nobody_has():
    status, page = get("/films/4711")
    assert status == 404
    assert "We do not have that film." in page

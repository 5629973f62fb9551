import pytest
from catalogue.films import SHELF, BadFilm, Film, film_from
from catalogue.store import MemoryStore

GOOD = {"title": "Nosferatu", "year": 1922, "genre": "Horror", "minutes": 94}


def test_a_film_is_read_from_json():
    assert film_from(GOOD) == Film("Nosferatu", 1922, "horror", 94)


@pytest.mark.parametrize(
    "change",
    [
        {"title": ""},
        {"title": 7},
        {"genre": "  "},
        {"year": 1887},
        {"year": "1922"},
        {"minutes": 0},
    ],
)
def test_what_is_no_film_is_refused(change):
    with pytest.raises(BadFilm):
        film_from({**GOOD, **change})


def test_a_list_is_no_film():
    with pytest.raises(BadFilm, match="object"):
        film_from([GOOD])


def test_a_new_catalogue_is_not_empty():
    assert len(MemoryStore().search()) == len(SHELF)


def test_films_are_found_by_a_part_of_their_title_in_any_case():
    assert [film.title for film in MemoryStore().search("MOON")] == ["A Trip to the Moon"]


def test_films_come_by_year():
    years = [film.year for film in MemoryStore().search()]
    assert years == sorted(years)


def test_an_added_film_has_a_number_and_is_found_by_it():
    store = MemoryStore()
    kept = store.add(film_from(GOOD))
    assert store.find(kept.id) == kept

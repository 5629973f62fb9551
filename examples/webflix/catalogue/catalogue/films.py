"""What a film is, and the shelf that a new catalogue begins with."""

from __future__ import annotations

from dataclasses import asdict, dataclass


class BadFilm(ValueError):
    """What somebody sent is no film."""


@dataclass(frozen=True)
class Film:
    """One film. `id` is 0 until the store gives it one."""

    title: str
    year: int
    genre: str
    minutes: int
    id: int = 0

    def as_json(self) -> dict[str, object]:
        """As the API shows it."""
        return asdict(self)


def film_from(data: object) -> Film:
    """A film from somebody's JSON. Raises BadFilm with a sentence for a person."""
    if not isinstance(data, dict):
        raise BadFilm("a film is a JSON object")
    title, genre = data.get("title"), data.get("genre")
    year, minutes = data.get("year"), data.get("minutes")
    if not isinstance(title, str) or not title.strip():
        raise BadFilm("a film has a title")
    if not isinstance(genre, str) or not genre.strip():
        raise BadFilm("a film has a genre")
    if not isinstance(year, int) or not 1888 <= year <= 2100:
        raise BadFilm("a film has a year, 1888 at the earliest")
    if not isinstance(minutes, int) or minutes < 1:
        raise BadFilm("a film lasts at least a minute")
    return Film(title.strip(), year, genre.strip().lower(), minutes)


SHELF = (
    Film("A Trip to the Moon", 1902, "fantasy", 13),
    Film("The Cabinet of Dr. Caligari", 1920, "horror", 71),
    Film("Safety Last!", 1923, "comedy", 73),
    Film("Sherlock Jr.", 1924, "comedy", 45),
    Film("Battleship Potemkin", 1925, "drama", 75),
    Film("The General", 1926, "comedy", 79),
    Film("Metropolis", 1927, "fantasy", 153),
    Film("Sunrise", 1927, "drama", 94),
    Film("Man with a Movie Camera", 1929, "documentary", 68),
    Film("The Adventures of Prince Achmed", 1926, "animation", 66),
)

"""The site's pages, as HTML. Whatever comes from outside is escaped here."""

from __future__ import annotations

from html import escape


def stars(average: float) -> str:
    """Five stars, filled to the nearest whole one."""
    full = min(5, max(0, round(average)))
    return "★" * full + "☆" * (5 - full)


def rating(of: dict) -> str:
    """What people think, in a word."""
    if not of["count"]:
        return '<span class="rating none">not rated yet</span>'
    people = "person" if of["count"] == 1 else "people"
    return (
        f'<span class="rating" data-film="{of["film"]}">{stars(of["average"])} '
        f"<small>{of['average']:.1f} by {of['count']} {people}</small></span>"
    )


def page(title: str, body: str, assets: dict[str, str]) -> str:
    """A whole page around `body`. `assets` are built names of app.js and style.css."""
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title>
<link rel="stylesheet" href="/static/{escape(assets["style.css"])}">
<script type="module" src="/static/{escape(assets["app.js"])}"></script>
</head>
<body>
<header><a href="/">webflix</a> <small>films that are out of copyright</small></header>
<main>
{body}
</main>
</body>
</html>
"""


def shelf(films: list[dict], ratings: dict[int, dict], text: str) -> str:
    """The front page's body."""
    items = "\n".join(
        f'<li data-title="{escape(film["title"], quote=True)}">'
        f'<a href="/films/{film["id"]}">{escape(film["title"])}</a> '
        f"<small>{film['year']}, {escape(film['genre'])}</small> "
        f"{rating(ratings.get(film['id'], {'film': film['id'], 'average': 0, 'count': 0}))}</li>"
        for film in films
    )
    nothing = "" if films else "<p>No film is called that.</p>"
    return f"""<form action="/" role="search">
<input type="search" name="text" value="{escape(text, quote=True)}" placeholder="Find a film">
</form>
<ul class="shelf">
{items}
</ul>
{nothing}"""


def film(one: dict, its: dict) -> str:
    """A film page's body."""
    buttons = "".join(
        f'<button name="stars" value="{number}">{number} ★</button>' for number in range(1, 6)
    )
    return f"""<h1>{escape(one["title"])}</h1>
<p>{one["year"]}, {escape(one["genre"])}, {one["minutes"]} minutes</p>
<p>{rating(its)}</p>
<form class="rate" method="post" action="/films/{one["id"]}/ratings">{buttons}</form>"""


def trouble(sentence: str) -> str:
    """What a person sees when something is wrong."""
    return f"<h1>Sorry</h1>\n<p>{escape(sentence)}</p>"

"""Words of Compose's and paths of ours, as places in the file."""

from __future__ import annotations

import pytest

from fairway.pipeline.environments.place import of_message, where
from fairway.pipeline.environments.resolve import split, visible
from fairway.pipeline.environments.wanted import seconds

TEXT = """services:
  web:
    image: a
    volumes:
      - /etc:/x
      - b:/y
    privileged: true
"""


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("services.web.volumes[1]", "c.yml:6:9"),
        ("services.web.privileged", "c.yml:7:5"),
        ("services.web.pid", "c.yml:3:5"),
        ("services.db.image", "c.yml:2:3"),
        ("networks.back", "c.yml"),
    ],
)
def test_a_path_is_found_as_far_as_the_file_has_it(path: str, place: str) -> None:
    assert where(TEXT, path, name="c.yml") == place


def test_composes_own_words_name_a_place() -> None:
    said = "validating /w/c.yml: services.web.privileged must be a boolean"
    assert of_message(TEXT, said, name="c.yml") == "c.yml:7:5"
    assert of_message("a: [b\n", "yaml: line 2: did not find", name="c.yml").startswith("c.yml:")
    assert of_message(TEXT, "no such thing", name="c.yml") == "c.yml"


def test_remarks_are_told_from_errors() -> None:
    said = 'time="x" level=warning msg="The \\"A\\" variable is not set."\nno such service\n'
    assert split(said) == (('The "A" variable is not set.',), "no such service")


def test_variables_that_steer_compose_are_hidden_from_it() -> None:
    given = {"COMPOSE_FILE": "x", "DOCKER_HOST": "x", "LD_PRELOAD": "x", "PLUGIN_A": "x", "A": "1"}
    assert visible(given) == {"A": "1"}


@pytest.mark.parametrize(
    ("text", "expected"), [("90s", 90), ("1h30m", 5400), ("1.5s", 1.5), ("5", 0), ("", 0)]
)
def test_durations_are_read(text: str, expected: float) -> None:
    assert seconds(text) == expected

"""Which image a service runs."""

from __future__ import annotations

import pytest

from fairway.model.errors import InvalidInput
from fairway.pipeline.environments.images import Choice, Source, choose

BUILT = {"shop/web:abc": "shop/web@sha256:1"}
MADE = Choice(Source.BUILT, "shop/web@sha256:1", "shop/web:abc")


@pytest.mark.parametrize(
    ("service", "choice"),
    [
        ({"image": "shop/web:abc"}, MADE),
        ({"image": "docker.io/shop/web:abc"}, MADE),
        ({"image": "shop/web"}, MADE),
        ({"image": "shop/web:latest", "build": {}}, MADE),
        ({"build": {"context": "."}}, MADE),  # its own name is the image's last word
        ({"image": "shop/web:candidate"}, Choice(Source.FETCH, "shop/web:candidate")),
        ({"image": "shop/web@sha256:9"}, Choice(Source.FETCH, "shop/web@sha256:9")),
        ({"image": "other/web"}, Choice(Source.FETCH, "other/web")),
        ({"image": "other/web", "build": {"context": "."}}, MADE),
    ],
)
def test_an_image_of_the_build_takes_its_place(service: dict[str, object], choice: Choice) -> None:
    assert choose({"web": service}, BUILT, {}) == {"web": choice}


def test_what_the_build_did_not_make_is_made_by_the_file() -> None:
    assert choose({"mock": {"build": {"context": "mock"}}}, BUILT, {}) == {
        "mock": Choice(Source.MAKE)
    }


def test_the_settings_have_the_last_word() -> None:
    services = {"web": {"image": "other"}, "db": {"image": "postgres:15"}}
    given = {"web": "shop/web:abc", "db": "postgres:16"}
    assert choose(services, BUILT, given) == {
        "web": MADE,
        "db": Choice(Source.FETCH, "postgres:16"),
    }


def test_one_of_several_must_be_named() -> None:
    built = {**BUILT, "shop/web:test-abc": "shop/web@sha256:2"}
    with pytest.raises(InvalidInput, match=r"services\.web: this build made shop/web:abc and"):
        choose({"web": {"image": "shop/web"}}, built, {})
    assert choose({"web": {"image": "shop/web"}}, built, {"web": "shop/web:abc"}) == {"web": MADE}


def test_the_same_image_by_two_names_is_one() -> None:
    built = {**BUILT, "shop/web:again": BUILT["shop/web:abc"]}
    assert choose({"web": {"image": "shop/web"}}, built, {})["web"].image == "shop/web@sha256:1"


def test_settings_for_a_service_that_is_not_there_are_a_mistake() -> None:
    with pytest.raises(InvalidInput, match="'wbe'"):
        choose({"web": {"image": "a"}}, BUILT, {"wbe": "shop/web:abc"})

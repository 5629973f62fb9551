"""The model that is run: what belongs to the build alone replaces what a file names once."""

from __future__ import annotations

from typing import Any

from fairway.pipeline.environments.model import STAGE_NETWORK, Shape, arranged, project_name

LABELS = {"fairway.owner": "o", "fairway.stage": "b1"}


def shaped(model: dict[str, Any], **more: Any) -> dict[str, Any]:
    return arranged(model, Shape(project="p", labels=LABELS, **more))


def one(**keys: Any) -> dict[str, Any]:
    return {"name": "theirs", "services": {"web": {"image": "shop", **keys}}}


def test_a_service_runs_the_chosen_image_and_nothing_is_built_or_fetched() -> None:
    made = shaped(one(build={"context": "."}), images={"web": "r/shop@sha256:1"})
    web = made["services"]["web"]
    assert (web["image"], web["pull_policy"]) == ("r/shop@sha256:1", "never")
    assert "build" not in web


def test_everything_carries_the_labels_whatever_the_file_says() -> None:
    model = one(labels={"fairway.owner": "another", "own": "x"})
    model |= {"volumes": {"data": None}, "networks": {"back": {"labels": {"a": "b"}}}}
    made = shaped(model)
    assert made["services"]["web"]["labels"] == {"own": "x", **LABELS}
    assert made["volumes"]["data"] == {"name": "p_data", "labels": LABELS}
    assert made["networks"]["back"] == {"name": "p_back", "labels": {"a": "b", **LABELS}}


def test_names_that_a_machine_has_once_become_the_builds_own() -> None:
    model = one(container_name="the-web") | {"volumes": {"data": {"name": "shared"}}}
    made = shaped(model, network="stage")
    web = made["services"]["web"]
    assert "container_name" not in web
    assert made["volumes"]["data"]["name"] == "p_data"
    assert web["networks"] == {
        "default": {"aliases": ["the-web"]},
        STAGE_NETWORK: {"aliases": ["web", "the-web"]},
    }
    assert made["networks"][STAGE_NETWORK] == {"name": "stage", "external": True}


def test_aliases_and_networks_of_the_file_stay() -> None:
    ends = {"back": {"aliases": ["db"]}, "front": None}
    made = shaped(one(networks=ends), network="stage")
    networks = made["services"]["web"]["networks"]
    assert networks["back"] == {"aliases": ["db"]}
    assert networks[STAGE_NETWORK] == {"aliases": ["web", "db"]}


def test_a_service_in_anothers_network_joins_none() -> None:
    web = shaped(one(network_mode="service:db"), network="stage")["services"]["web"]
    assert "networks" not in web


def test_ports_are_published_only_where_that_was_asked_for() -> None:
    ports = [{"target": 80, "published": "8080"}]
    assert "ports" not in shaped(one(ports=ports))["services"]["web"]
    assert shaped(one(ports=ports), publish=True)["services"]["web"]["ports"] == ports


def test_what_others_own_keeps_its_name_and_gets_no_labels() -> None:
    theirs = {"external": True, "name": "theirs"}
    assert shaped(one() | {"networks": {"x": theirs}})["networks"]["x"] == theirs


def test_files_are_mounted_from_their_copies_and_dollars_stay_dollars() -> None:
    model = one(volumes=[{"type": "bind", "source": "/w/a", "target": "/a"}])
    model |= {"secrets": {"key": {"name": "theirs_key", "file": "/w/key"}}}
    made = shaped(model, binds={"/w/a": "/c/$1", "/w/key": "/c/2"})
    assert made["services"]["web"]["volumes"][0]["source"] == "/c/$$1"
    assert made["secrets"]["key"] == {"file": "/c/2"}


def test_a_service_of_a_chosen_profile_needs_no_profile_any_more() -> None:
    assert "profiles" not in shaped(one(profiles=["test"]))["services"]["web"]


def test_logs_stay_with_the_engine() -> None:
    web = shaped(one(logging={"driver": "syslog"}))["services"]["web"]
    assert web["logging"]["driver"] == "json-file"


def test_any_key_becomes_a_projects_name() -> None:
    assert project_name("Fairway-1a/B2.s3") == "fairway-1a-b2-s3"
    assert project_name("...") == "environment"

"""Definitions of kinds from their compact form."""

from __future__ import annotations

import pytest

from fairway.kube import Kind
from fairway.kube.crd import Column, Crd, Scale, Typed, definition, established, schema, to_install

BOAT = Kind("example.org", "v1", "boats", "Boat")
FIELDS = {"spec!": {"name!": "string", "crew": [{"age": "int32"}], "flags": {"*": "string"}}}


def test_a_schema_is_made_from_words_dicts_and_lists() -> None:
    assert schema(FIELDS["spec!"]) == {
        "type": "object",
        "properties": {
            "name": {"type": "string"},
            "crew": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {"age": {"type": "integer", "format": "int32"}},
                },
            },
            "flags": {"type": "object", "additionalProperties": {"type": "string"}},
        },
        "required": ["name"],
    }
    assert schema(Typed("string", {"enum": ["a"]})) == {"type": "string", "enum": ["a"]}


def test_an_unknown_word_is_an_error() -> None:
    with pytest.raises(ValueError, match="'strnig' is no type"):
        schema("strnig")


def test_a_definition_has_names_subresources_and_columns() -> None:
    crd = Crd(
        kind=BOAT,
        fields=FIELDS,
        short=("bt",),
        scale=Scale(selector=".status.selector"),
        columns=(Column("Age", ".metadata.creationTimestamp", "date"),),
    )
    found = definition(crd)
    assert found["metadata"]["name"] == "boats.example.org"
    version = found["spec"]["versions"][0]
    assert version["subresources"]["status"] == {}
    assert version["subresources"]["scale"]["labelSelectorPath"] == ".status.selector"
    assert version["additionalPrinterColumns"][0]["jsonPath"] == ".metadata.creationTimestamp"
    assert found["spec"]["names"]["shortNames"] == ["bt"]


def test_only_what_is_missing_or_another_one_of_ours_is_written() -> None:
    ours = definition(Crd(kind=BOAT, fields=FIELDS))
    other = definition(Crd(kind=BOAT, fields={"spec": "any"}))
    assert to_install(ours, None)
    assert not to_install(ours, ours)
    assert to_install(ours, other)
    assert not to_install(ours, {"metadata": {"name": "boats.example.org"}})


def test_a_definition_is_served_when_it_says_so() -> None:
    assert not established({})
    condition = {"type": "Established", "status": "True"}
    assert established({"status": {"conditions": [condition]}})

"""YAML is changed in place: what was there stays as it was written."""

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from fairway.model.errors import BadFile
from fairway.release import edits

TEXT = """\
# who
name: web   # its name
image:
  repository: shop/web
  digest: ""  # written by Fairway
list: [1, 2]
flow: {a: 1}
"""


def edit(text: str, **values: str) -> str:
    (node, *_) = edits.nodes(text, "f")
    wanted = {tuple(path.split("__")): new for path, new in values.items()}
    return edits.replaced(text, node, wanted, where="f")


def test_a_scalar_is_replaced_and_comments_stay() -> None:
    made = edit(TEXT, image__digest="sha256:abc", name="shop")
    assert made == TEXT.replace('""', "sha256:abc").replace("web   #", "shop   #")


def test_a_missing_key_is_added_to_the_deepest_map_that_is_there() -> None:
    made = edit(TEXT, image__tag="v1", flow__b="x", other__deep="y")
    assert yaml.safe_load(made) == {
        "name": "web",
        "image": {"repository": "shop/web", "digest": "", "tag": "v1"},
        "list": [1, 2],
        "flow": {"a": 1, "b": "x"},
        "other": {"deep": "y"},
    }
    assert "# written by Fairway" in made


def test_an_empty_value_becomes_a_map() -> None:
    assert yaml.safe_load(edit("image:\nname: x\n", image__digest="d")) == {
        "image": {"digest": "d"},
        "name": "x",
    }


def test_only_the_named_document_changes() -> None:
    text = "a: 1\n---\na: 2\n"
    nodes = edits.nodes(text, "f")
    assert edits.replaced(text, nodes[1], {("a",): "x"}, where="f") == "a: 1\n---\na: x\n"


def test_a_list_in_the_way_is_refused() -> None:
    with pytest.raises(BadFile, match="list"):
        edit(TEXT, list="x")
    with pytest.raises(BadFile, match="list"):
        edit(TEXT, list__deep="x")


def test_no_yaml_is_refused_with_its_place() -> None:
    with pytest.raises(BadFile) as caught:
        edits.nodes("a: [", "values.yaml")
    assert caught.value.where == "values.yaml"


@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=20))
def test_a_written_value_reads_back_as_text(new: str) -> None:
    made = edit(TEXT, image__digest=new, flow__a=new, fresh=new)
    read = yaml.safe_load(made)
    assert (read["image"]["digest"], read["flow"]["a"], read["fresh"]) == (new, new, new)

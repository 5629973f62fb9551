"""What an installation makes in its cluster, and when it changes it."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography import x509

from fairway.gateway import crds, own
from fairway.kit import clock
from fairway.model.errors import Unavailable

_DAY = 24 * 3600.0


def test_what_is_missing_is_written() -> None:
    assert own.to_write(own.gateway(8080, 8443), None)


def test_defaults_that_the_server_adds_are_no_difference() -> None:
    there = own.gateway(8080, 8443)
    there["spec"]["listeners"][0]["allowedRoutes"]["kinds"] = []
    there["spec"]["addresses"] = []
    assert not own.to_write(own.gateway(8080, 8443), there)


def test_our_gateway_follows_the_settings_and_somebody_elses_does_not() -> None:
    there = own.gateway(8080, 8443)
    assert own.to_write(own.gateway(9090, 8443), there)
    del there["metadata"]["annotations"]
    assert not own.to_write(own.gateway(9090, 8443), there)


def test_the_certificate_is_for_names_under_localhost() -> None:
    chain = base64.b64decode(own.secret()["data"]["tls.crt"])
    certificate = x509.load_pem_x509_certificate(chain)
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["localhost", "*.localhost"]


def test_our_certificate_is_renewed_before_its_end_and_another_one_never() -> None:
    found = own.secret()
    assert own.to_renew(None)
    assert not own.to_renew(found)
    began = clock.seconds()
    former = clock.use(lambda: began + 370 * _DAY)
    try:
        assert own.to_renew(found)
        del found["metadata"]["annotations"]
        assert not own.to_renew(found)
    finally:
        clock.use(former)


def test_a_spoiled_certificate_of_ours_is_made_anew() -> None:
    assert own.to_renew({**own.secret(), "data": {"tls.crt": "bm9uc2Vuc2U="}})


def definition(version: str, *, ours: bool) -> dict[str, Any]:
    notes = {"gateway.networking.k8s.io/bundle-version": version}
    marked = {crds.OURS: "fairway"} if ours else {}
    return {"kind": "CustomResourceDefinition", "metadata": {"annotations": {**notes, **marked}}}


@pytest.mark.parametrize(
    ("there", "written"),
    [
        (None, True),
        (definition("v1.5.1", ours=True), True),
        (definition("v1.6.3", ours=True), False),
        (definition("v1.10.0", ours=True), False),
        (definition("v1.5.1", ours=False), False),
    ],
)
def test_definitions_are_written_where_missing_or_older_and_ours(
    there: dict[str, Any] | None, *, written: bool
) -> None:
    assert crds.to_install(definition("v1.6.3", ours=True), there) is written


def test_definitions_are_read_from_their_folder_and_marked(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(yaml.safe_dump(definition("v1.6.3", ours=False)))
    (tmp_path / "b.yaml").write_text("kind: Other\n")
    assert [crds.OURS in one["metadata"]["annotations"] for one in crds.read(tmp_path)] == [True]


def test_a_folder_without_definitions_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="no definitions") as caught:
        crds.read(tmp_path)
    assert caught.value.code == "native-missing"

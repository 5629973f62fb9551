"""The pause image, DNS messages, states, and who waits for whom."""

import io
import json
import struct
import tarfile

import pytest

from fairway.cluster import pause, probes, status
from fairway.cluster.embedded import readiness
from fairway.cluster.status import ClusterState
from fairway.kit.clock import Millis
from fairway.supervise.component import ComponentStatus, State


def test_the_pause_image_is_the_same_bytes_each_time_and_named_by_its_content() -> None:
    one = pause.image(b"program", "amd64")
    assert one == pause.image(b"program", "amd64")
    assert one.name != pause.image(b"another", "amd64").name
    assert one.name != pause.image(b"program", "arm64").name


def test_the_pause_image_is_a_whole_oci_archive() -> None:
    made = pause.image(b"program", "arm64")
    with tarfile.open(fileobj=io.BytesIO(made.archive)) as archive:
        files = {one.name: archive.extractfile(one).read() for one in archive}  # type: ignore[union-attr]
    (described,) = json.loads(files["index.json"])["manifests"]
    assert described["annotations"]["io.containerd.image.name"] == made.name

    def blob(descriptor: dict[str, str]) -> bytes:
        return files["blobs/" + descriptor["digest"].replace(":", "/")]

    manifest = json.loads(blob(described))
    config = json.loads(blob(manifest["config"]))
    assert config["architecture"] == "arm64"
    assert config["config"]["Entrypoint"] == ["/pause"]
    with tarfile.open(fileobj=io.BytesIO(blob(manifest["layers"][0]))) as layer:
        member = layer.getmember("pause")
        assert member.mode == 0o755
        assert layer.extractfile(member).read() == b"program"  # type: ignore[union-attr]


def test_a_dns_question_has_its_name_in_labels() -> None:
    message = probes.question("a.bc.local")
    assert message[12:] == b"\x01a\x02bc\x05local\0" + struct.pack(">2H", 1, 1)


@pytest.mark.parametrize(
    ("flags", "answers", "good"),
    [(0x8180, 1, True), (0x8180, 0, False), (0x8183, 1, False), (0x0100, 1, False)],
)
def test_a_dns_answer_counts_with_records_and_without_an_error(
    flags: int, answers: int, good: bool
) -> None:
    assert probes.has_answer(struct.pack(">6H", 1, flags, 1, answers, 0, 0)) is good


def test_half_a_dns_message_is_no_answer() -> None:
    assert not probes.has_answer(b"\0" * 11)


def component(name: str, state: State, reason: str = "", restarts: int = 0) -> ComponentStatus:
    return ComponentStatus(name, state, None, Millis(0), restarts, reason)


@pytest.mark.parametrize(
    ("components", "node", "was", "state", "reason"),
    [
        ([component("a", State.READY)], "", False, ClusterState.READY, ""),
        (
            [component("a", State.READY)],
            "no network",
            False,
            ClusterState.STARTING,
            "the node is not ready: no network",
        ),
        (
            [component("a", State.WAITING, "waits for b")],
            "",
            False,
            ClusterState.STARTING,
            "a is waiting: waits for b",
        ),
        ([component("a", State.FAILED)], "", False, ClusterState.DEGRADED, "a is failed"),
        ([component("a", State.STARTING)], "", True, ClusterState.DEGRADED, "a is starting"),
    ],
)
def test_a_clusters_state_follows_from_its_components_and_its_node(
    components: list[ComponentStatus], node: str, *, was: bool, state: ClusterState, reason: str
) -> None:
    found = status.judge("local", components, node, was=was)
    assert (found.state, found.reason) == (state, reason)


@pytest.mark.parametrize(
    ("conditions", "why"),
    [
        ([{"type": "Ready", "status": "True"}], ""),
        ([{"type": "Ready", "status": "False", "message": "no CNI"}], "no CNI"),
        ([{"type": "Ready", "status": "Unknown", "reason": "Lost"}], "Lost"),
        ([{"type": "DiskPressure", "status": "True"}], "it has not reported yet"),
        ([], "it has not reported yet"),
    ],
)
def test_a_node_is_ready_by_its_condition(conditions: list[dict[str, str]], why: str) -> None:
    assert readiness({"status": {"conditions": conditions}}) == why

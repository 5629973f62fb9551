"""Requests beyond plain objects: server-side apply, refusals by path, identities, kinds, faults."""

from __future__ import annotations

import asyncio
import secrets

import pytest

from fairway.kube import Kube, Pods, Selection, objects
from fairway.kube.errors import (
    ApplyConflict,
    FieldOwner,
    KubeBusy,
    KubeExpired,
    KubeForbidden,
    KubeInvalid,
    KubeNotFound,
    KubeUnavailable,
)
from fairway.kube.kind import CONFIG_MAP, CUSTOM_RESOURCE_DEFINITION, DEPLOYMENT, POD, Kind
from fairway.testing.contracts.kube_ground import (
    PATIENCE_S,
    KubeGround,
    config_map,
    crd,
    deployment,
    other,
)
from fairway.testing.kubefaults import Fault


class ApplyContract:
    """Server-side apply: who owns which field."""

    async def test_an_applied_object_is_made_and_then_changed(self, ground: KubeGround) -> None:
        kube, here = ground.kube, ground.namespace
        made = await kube.apply(CONFIG_MAP, config_map(here, "a", x="1", y="1"))
        done = await kube.apply(CONFIG_MAP, config_map(here, "a", x="2"))
        assert objects.uid(done) == objects.uid(made)
        assert done["data"] == {"x": "2"}, "what is no longer applied goes away"

    async def test_an_apply_that_changes_nothing_keeps_the_version(
        self, ground: KubeGround
    ) -> None:
        made = await ground.kube.apply(DEPLOYMENT, deployment(ground.namespace, "a"))
        again = await ground.kube.apply(DEPLOYMENT, deployment(ground.namespace, "a"))
        assert objects.version(again) == objects.version(made)

    async def test_fields_of_another_are_refused_by_owner_and_path(
        self, ground: KubeGround
    ) -> None:
        kube, here = ground.kube, ground.namespace
        await kube.apply(DEPLOYMENT, deployment(here, "a"))
        second = other(kube, 'a "second" manager')
        wanted = deployment(here, "a", replicas=3, image="b:2")
        with pytest.raises(ApplyConflict) as refused:
            await second.apply(DEPLOYMENT, wanted)
        image = 'spec.template.spec.containers[name="main"].image'
        assert {(each.path, each.manager) for each in refused.value.owners} == {
            ("spec.replicas", kube.actor.manager),
            (image, kube.actor.manager),
        }
        done = await second.apply(DEPLOYMENT, wanted, force=True)
        assert done["spec"]["replicas"] == 3
        with pytest.raises(ApplyConflict) as refused:
            await kube.apply(DEPLOYMENT, deployment(here, "a"))
        assert refused.value.owners[0].manager == 'a "second" manager'

    async def test_the_same_value_is_owned_by_both(self, ground: KubeGround) -> None:
        kube, here = ground.kube, ground.namespace
        await kube.apply(CONFIG_MAP, config_map(here, "a", x="1"))
        await other(kube).apply(CONFIG_MAP, config_map(here, "a", x="1", y="1"))
        done = await kube.apply(CONFIG_MAP, config_map(here, "a"))
        assert done["data"] == {"x": "1", "y": "1"}, "the other one still wants it"

    async def test_a_plain_write_takes_fields_over(self, ground: KubeGround) -> None:
        kube, here = ground.kube, ground.namespace
        await kube.apply(CONFIG_MAP, config_map(here, "a", x="1"))
        hand = other(kube, "hand")
        await hand.patch(CONFIG_MAP, "a", here, body={"data": {"x": "2"}})
        with pytest.raises(ApplyConflict) as refused:
            await kube.apply(CONFIG_MAP, config_map(here, "a", x="1"))
        assert refused.value.owners == (FieldOwner("data.x", "hand"),)

    async def test_status_is_applied_apart(self, ground: KubeGround) -> None:
        kube, here = ground.kube, ground.namespace
        await kube.apply(DEPLOYMENT, deployment(here, "a"))
        told = {"metadata": {"name": "a", "namespace": here}, "status": {"replicas": 2}}
        done = await other(kube).apply(DEPLOYMENT, told, subresource="status")
        assert (done["status"]["replicas"], done["spec"]["replicas"]) == (2, 1)


class RefusalContract:
    """What is refused, and in which words."""

    async def test_unknown_fields_are_refused_by_path(self, ground: KubeGround) -> None:
        kube, here = ground.kube, ground.namespace
        wrong = deployment(here, "a")
        wrong["spec"]["replica"] = 1
        wrong["spec"]["template"]["spec"]["contaners"] = []
        with pytest.raises(KubeInvalid) as refused:
            await kube.create(DEPLOYMENT, wrong)
        paths = {each.path for each in refused.value.fields}
        assert paths == {"spec.replica", "spec.template.spec.contaners"}
        with pytest.raises(KubeInvalid) as refused:
            await kube.apply(DEPLOYMENT, wrong)
        assert {each.path for each in refused.value.fields} <= paths
        assert refused.value.fields

    async def test_unknown_fields_are_dropped_with_a_warning_if_asked(
        self, ground: KubeGround
    ) -> None:
        told: list[str] = []
        kube = Kube(ground.kube.caller.transport, ground.kube.actor, on_warning=told.append)
        wrong = {**config_map(ground.namespace, "a", x="1"), "dat": {}}
        made = await kube.create(CONFIG_MAP, wrong, strict=False)
        assert "dat" not in made
        assert told == ['unknown field "dat"']

    async def test_wrong_values_are_refused_by_path(self, ground: KubeGround) -> None:
        wrong = deployment(ground.namespace, "Not_A_Name", replicas=-1)
        with pytest.raises(KubeInvalid) as refused:
            await ground.kube.create(DEPLOYMENT, wrong)
        assert {"metadata.name", "spec.replicas"} <= {e.path for e in refused.value.fields}
        assert all(each.message for each in refused.value.fields)

    async def test_a_user_without_rights_is_refused_by_name(self, ground: KubeGround) -> None:
        nobody = ground.kube.as_user("fairway:nobody", "fairway:users")
        with pytest.raises(KubeForbidden, match="fairway:nobody"):
            await nobody.list(CONFIG_MAP, Selection(namespace=ground.namespace))
        admin = ground.kube.as_user("fairway:somebody", "system:authenticated", "system:masters")
        await admin.list(CONFIG_MAP, Selection(namespace=ground.namespace))


class KindsContract:
    """Which kinds there are."""

    async def test_built_in_kinds_are_known(self, ground: KubeGround) -> None:
        found = await ground.kube.kinds.served("apps/v1", "Deployment")
        assert found.kind == DEPLOYMENT
        assert {"get", "list", "watch", "patch"} <= found.verbs
        assert {"status", "scale"} <= found.subresources
        assert await ground.kube.kinds.kind_of({"apiVersion": "v1", "kind": "Pod"}) == POD
        assert found in await ground.kube.kinds.all()

    async def test_an_unknown_kind_is_named(self, ground: KubeGround) -> None:
        with pytest.raises(KubeNotFound, match="Nothing") as refused:
            await ground.kube.kinds.kind("v1", "Nothing")
        assert refused.value.code == "kube-no-kind"

    async def test_a_kind_is_found_once_its_crd_is_there(self, ground: KubeGround) -> None:
        kube, here = ground.kube, ground.namespace
        kind = Kind(f"{secrets.token_hex(4)}.example.com", "v1", "sizes", "Size")
        with pytest.raises(KubeNotFound):
            await kube.kinds.kind(kind.api_version, kind.kind)
        await kube.create(CUSTOM_RESOURCE_DEFINITION, crd(kind))
        try:
            assert await _appears(kube, kind) == kind
            obj = {"metadata": {"name": "a", "namespace": here}, "spec": {"size": 1}}
            made = await kube.apply(kind, obj)
            await kube.patch(kind, "a", here, body={"status": {"seen": True}}, subresource="status")
            found = await kube.get(kind, "a", here)
            assert (found["spec"], found["status"]) == ({"size": 1}, {"seen": True})
            with pytest.raises(KubeInvalid) as refused:
                await kube.apply(kind, {**obj, "spec": {"size": -1}})
            assert [each.path for each in refused.value.fields] == ["spec.size"]
            with pytest.raises(KubeInvalid) as refused:
                await kube.replace(kind, {**made, "spec": {"size": 1, "sise": 2}})
            assert [each.path for each in refused.value.fields] == ["spec.sise"]
        finally:
            await kube.delete(CUSTOM_RESOURCE_DEFINITION, kind.resource)


async def _appears(kube: Kube, kind: Kind) -> Kind:
    async with asyncio.timeout(PATIENCE_S):
        while True:
            try:
                found = await kube.kinds.kind(kind.api_version, kind.kind)
                await kube.list(kind)
            except KubeNotFound:
                await asyncio.sleep(0.1)
            else:
                return found


class FaultsContract:
    """Requests on a bad way. Every call ends: with an answer, or with an error that says why."""

    async def test_a_request_to_come_back_later_is_kept(self, ground: KubeGround) -> None:
        ground.faults.add(
            Fault(method="POST", path="configmaps", status=429, retry_after=0.01, times=3),
            Fault(method="POST", path="configmaps", status=503, retry_after=0.01),
        )
        await ground.kube.create(CONFIG_MAP, config_map(ground.namespace, "a"))
        assert ground.faults.happened == 4

    async def test_being_sent_away_for_longer_than_the_deadline_is_an_error(
        self, ground: KubeGround
    ) -> None:
        ground.faults.add(Fault(method="GET", status=429, retry_after=60))
        with pytest.raises(KubeUnavailable):
            await ground.kube.get(CONFIG_MAP, "a", ground.namespace, timeout=0.5)

    async def test_each_refusal_has_its_type(self, ground: KubeGround) -> None:
        for status, kind in ((403, KubeForbidden), (410, KubeExpired), (429, KubeBusy)):
            ground.faults.add(Fault(method="GET", path="configmaps", status=status, times=4))
            with pytest.raises(kind):
                await ground.kube.list(CONFIG_MAP)
            ground.faults.clear()
        ground.faults.add(Fault(method="GET", path="configmaps", status=500))
        with pytest.raises(KubeUnavailable, match="500"):
            await ground.kube.list(CONFIG_MAP)

    async def test_a_server_that_does_not_answer_ends_by_the_deadline(
        self, ground: KubeGround
    ) -> None:
        ground.faults.add(Fault(method="GET", path="configmaps", delay_s=120))
        with pytest.raises(KubeUnavailable, match=r"0\.3 s"):
            await ground.kube.list(CONFIG_MAP, timeout=0.3)
        await ground.kube.list(CONFIG_MAP)

    async def test_an_answer_that_is_cut_is_read_again_if_it_was_a_read(
        self, ground: KubeGround
    ) -> None:
        kube, here = ground.kube, ground.namespace
        ground.faults.add(Fault(method="POST", path="configmaps", more=10, then="cut"))
        with pytest.raises(KubeUnavailable):
            await kube.create(CONFIG_MAP, config_map(here, "a", x="1"))
        ground.faults.add(Fault(method="GET", path="configmaps", more=10, then="cut"))
        assert (await kube.get(CONFIG_MAP, "a", here))["data"] == {"x": "1"}
        ground.faults.add(Fault(method="GET", path="configmaps", more=10, then="end"))
        with pytest.raises(KubeUnavailable):
            await kube.get(CONFIG_MAP, "a", here)

    async def test_a_list_that_expires_between_pages_is_read_again(
        self, ground: KubeGround
    ) -> None:
        ground.faults.add(Fault(path="configmaps", status=410, times=3))
        await ground.direct.create(CONFIG_MAP, config_map(ground.namespace, "a"))
        found = await ground.kube.list(CONFIG_MAP, Selection(namespace=ground.namespace))
        assert "a" in {objects.key(each).name for each in found}
        assert ground.faults.happened == 3

    async def test_a_slow_answer_is_whole(self, ground: KubeGround) -> None:
        made = await ground.kube.create(CONFIG_MAP, config_map(ground.namespace, "a", x="y"))
        ground.faults.add(Fault(method="GET", path="configmaps", piece=64, pause_s=0.01))
        assert await ground.kube.get(CONFIG_MAP, "a", ground.namespace) == made

    async def test_a_restart_is_a_pause(self, ground: KubeGround) -> None:
        kube, here = ground.kube, ground.namespace
        made = await kube.create(CONFIG_MAP, config_map(here, "a"))
        await ground.restart()
        assert await kube.get(CONFIG_MAP, "a", here) == made
        await kube.patch(CONFIG_MAP, "a", here, body={"data": {"x": "1"}})


class EvictionContract:
    """Eviction of pods that no node runs."""

    async def test_a_pod_is_evicted(self, ground: KubeGround) -> None:
        here = ground.namespace
        pod = {
            "metadata": {"name": "a", "namespace": here},
            "spec": {"containers": [{"name": "main", "image": "a:1"}]},
        }
        made = await ground.kube.create(POD, pod)
        pods = Pods(ground.kube)
        await pods.evict("a", here, uid=objects.uid(made), dry_run=True)
        assert await ground.kube.get(POD, "a", here) == made
        await pods.evict("a", here, uid=objects.uid(made))
        assert await ground.kube.find(POD, "a", here) is None
        with pytest.raises(KubeNotFound):
            await pods.evict("a", here)

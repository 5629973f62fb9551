"""What every Kubernetes API does for our client: the real one, and the simulated one.

A test class inherits a contract and gives the fixture `ground`. This one is about objects; the
others are `kube_requests` (apply, identities, discovery, faults), `kube_informers` and `kube_pods`.
"""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from fairway.kube import Selection, objects
from fairway.kube.errors import KubeConflict, KubeExists, KubeNotFound
from fairway.kube.kind import CONFIG_MAP, DEPLOYMENT, Json, Kind
from fairway.testing.contracts.kube_ground import KubeGround, config_map, deployment
from fairway.testing.kubefaults import Fault


class ObjectsContract:
    """Requests on objects."""

    async def test_an_object_is_made_read_listed_and_deleted(self, ground: KubeGround) -> None:
        kube, here = ground.kube, ground.namespace
        made = await kube.create(CONFIG_MAP, config_map(here, "a", x="1"))
        assert objects.uid(made)
        assert await kube.get(CONFIG_MAP, "a", here) == made
        listed = await kube.list(CONFIG_MAP, Selection(namespace=here))
        assert [each for each in listed if objects.key(each).name == "a"] == [made]
        await kube.delete(CONFIG_MAP, "a", here)
        assert await kube.find(CONFIG_MAP, "a", here) is None
        assert await kube.delete(CONFIG_MAP, "a", here) is None

    async def test_a_name_is_taken_once(self, ground: KubeGround) -> None:
        await ground.kube.create(CONFIG_MAP, config_map(ground.namespace, "a"))
        with pytest.raises(KubeExists):
            await ground.kube.create(CONFIG_MAP, config_map(ground.namespace, "a"))

    async def test_the_server_chooses_a_name(self, ground: KubeGround) -> None:
        obj = {"metadata": {"generateName": "part-", "namespace": ground.namespace}}
        made = [await ground.kube.create(CONFIG_MAP, obj) for _ in range(2)]
        names = {objects.key(each).name for each in made}
        assert len(names) == 2
        assert all(name.startswith("part-") and len(name) > 5 for name in names)

    async def test_what_is_not_there_is_not_found(self, ground: KubeGround) -> None:
        with pytest.raises(KubeNotFound, match="nothing"):
            await ground.kube.get(CONFIG_MAP, "nothing", ground.namespace)
        with pytest.raises(KubeNotFound):
            await ground.kube.patch(
                CONFIG_MAP, "nothing", ground.namespace, body={"data": {"x": "1"}}
            )
        with pytest.raises(KubeNotFound):
            await ground.kube.list(Kind("fairway.invalid", "v1", "things", "Thing"))

    async def test_resource_versions_grow_with_every_change(self, ground: KubeGround) -> None:
        kube, here = ground.kube, ground.namespace
        versions = [objects.version(await kube.create(CONFIG_MAP, config_map(here, "a")))]
        for number in range(3):
            body = {"data": {"x": str(number)}}
            versions.append(objects.version(await kube.patch(CONFIG_MAP, "a", here, body=body)))
        pairs = itertools.pairwise(versions)
        assert all(objects.compare_versions(one, two) == -1 for one, two in pairs)

    async def test_a_change_that_changes_nothing_keeps_the_version(
        self, ground: KubeGround
    ) -> None:
        made = await ground.kube.create(CONFIG_MAP, config_map(ground.namespace, "a", x="1"))
        again = await ground.kube.patch(
            CONFIG_MAP, "a", ground.namespace, body={"data": {"x": "1"}}
        )
        assert objects.version(again) == objects.version(made)

    async def test_an_old_version_replaces_nothing(self, ground: KubeGround) -> None:
        kube, here = ground.kube, ground.namespace
        made = await kube.create(CONFIG_MAP, config_map(here, "a", x="1"))
        await kube.patch(CONFIG_MAP, "a", here, body={"data": {"x": "2"}})
        with pytest.raises(KubeConflict):
            await kube.replace(CONFIG_MAP, {**made, "data": {"x": "3"}})
        assert (await kube.get(CONFIG_MAP, "a", here))["data"] == {"x": "2"}

    async def test_an_update_decides_anew_when_the_object_has_changed(
        self, ground: KubeGround
    ) -> None:
        kube, here = ground.kube, ground.namespace
        await kube.create(CONFIG_MAP, config_map(here, "a", n="1"))
        ground.faults.add(Fault(method="PUT", status=409, times=2))
        seen: list[str] = []

        def change(obj: Json) -> Json:
            seen.append(obj["data"]["n"])
            obj["data"]["n"] += "+"
            return obj

        done = await kube.update(CONFIG_MAP, "a", here, change=change)
        assert (seen, done["data"]["n"]) == (["1", "1", "1"], "1+")
        ground.faults.add(Fault(method="PUT", status=409, times=2))
        with pytest.raises(KubeConflict):
            await kube.update(CONFIG_MAP, "a", here, change=change, tries=2)
        ground.faults.clear()
        assert await kube.update(CONFIG_MAP, "a", here, change=lambda _: None) == done

    async def test_parts_are_changed_by_each_kind_of_patch(self, ground: KubeGround) -> None:
        kube, here = ground.kube, ground.namespace
        await kube.create(DEPLOYMENT, deployment(here, "a"))
        body: Any = {"metadata": {"labels": {"one": "1", "two": "2"}}}
        await kube.patch(DEPLOYMENT, "a", here, body=body)
        body = {"metadata": {"labels": {"one": None}}}
        await kube.patch(DEPLOYMENT, "a", here, body=body)
        second = {"name": "second", "image": "b:1"}
        body = {"spec": {"template": {"spec": {"containers": [second]}}}}
        await kube.patch(DEPLOYMENT, "a", here, body=body, how="strategic")
        body = [{"op": "replace", "path": "/spec/replicas", "value": 4}]
        done = await kube.patch(DEPLOYMENT, "a", here, body=body, how="json")
        assert objects.labels(done) == {"two": "2"}
        assert done["spec"]["replicas"] == 4
        containers = done["spec"]["template"]["spec"]["containers"]
        assert {each["name"] for each in containers} == {"main", "second"}

    async def test_a_dry_run_tells_and_changes_nothing(self, ground: KubeGround) -> None:
        kube, here = ground.kube, ground.namespace
        told = await kube.create(CONFIG_MAP, config_map(here, "a", x="1"), dry_run=True)
        assert told["data"] == {"x": "1"}
        assert await kube.find(CONFIG_MAP, "a", here) is None
        made = await kube.create(CONFIG_MAP, config_map(here, "a", x="1"))
        await kube.patch(CONFIG_MAP, "a", here, body={"data": {"x": "2"}}, dry_run=True)
        await kube.apply(CONFIG_MAP, config_map(here, "a", y="2"), dry_run=True)
        await kube.delete(CONFIG_MAP, "a", here, dry_run=True)
        assert await kube.get(CONFIG_MAP, "a", here) == made

    async def test_status_and_spec_are_written_apart(self, ground: KubeGround) -> None:
        kube, here = ground.kube, ground.namespace
        made = await kube.create(DEPLOYMENT, deployment(here, "a"))
        body = {"spec": {"replicas": 5}, "status": {"readyReplicas": 1, "replicas": 1}}
        told = await kube.patch(DEPLOYMENT, "a", here, body=body, subresource="status")
        assert (told["spec"]["replicas"], told["status"]["readyReplicas"]) == (1, 1)
        assert told["metadata"]["generation"] == made["metadata"]["generation"]
        done = await kube.patch(
            DEPLOYMENT, "a", here, body={"spec": {"replicas": 5}, "status": {"readyReplicas": 9}}
        )
        assert (done["spec"]["replicas"], done["status"]["readyReplicas"]) == (5, 1)
        assert done["metadata"]["generation"] == made["metadata"]["generation"] + 1

    async def test_scale_is_read_and_set(self, ground: KubeGround) -> None:
        kube, here = ground.kube, ground.namespace
        await kube.create(DEPLOYMENT, deployment(here, "a", replicas=2))
        scale = await kube.get(DEPLOYMENT, "a", here, subresource="scale")
        assert (scale["kind"], scale["spec"]["replicas"]) == ("Scale", 2)
        assert (await kube.scale(DEPLOYMENT, "a", here, 7))["spec"]["replicas"] == 7
        assert (await kube.get(DEPLOYMENT, "a", here))["spec"]["replicas"] == 7

    async def test_a_deletion_keeps_to_its_preconditions(self, ground: KubeGround) -> None:
        kube, here = ground.kube, ground.namespace
        made = await kube.create(CONFIG_MAP, config_map(here, "a"))
        with pytest.raises(KubeConflict):
            await kube.delete(CONFIG_MAP, "a", here, uid="another")
        await kube.patch(CONFIG_MAP, "a", here, body={"data": {"x": "2"}})
        with pytest.raises(KubeConflict):
            await kube.delete(CONFIG_MAP, "a", here, version=objects.version(made))
        await kube.delete(CONFIG_MAP, "a", here, uid=objects.uid(made))
        assert await kube.find(CONFIG_MAP, "a", here) is None

    async def test_a_finalizer_holds_what_is_deleted(self, ground: KubeGround) -> None:
        kube, here = ground.kube, ground.namespace
        held = config_map(here, "a")
        held["metadata"]["finalizers"] = ["fairway.dev/hold"]
        await kube.create(CONFIG_MAP, held)
        await kube.delete(CONFIG_MAP, "a", here)
        assert objects.deleting(await kube.get(CONFIG_MAP, "a", here))
        await kube.patch(CONFIG_MAP, "a", here, body={"metadata": {"finalizers": None}})
        assert await kube.find(CONFIG_MAP, "a", here) is None

    async def test_an_owner_is_named_as_the_server_takes_it(self, ground: KubeGround) -> None:
        kube, here = ground.kube, ground.namespace
        owner = await kube.create(CONFIG_MAP, config_map(here, "owner"))
        owned = config_map(here, "owned")
        owned["metadata"]["ownerReferences"] = [objects.owner_reference(owner, CONFIG_MAP)]
        made = await kube.create(CONFIG_MAP, owned)
        found = objects.controller(made)
        assert found is not None
        assert found["uid"] == objects.uid(owner)

    async def test_a_list_is_read_by_pages_and_selectors(self, ground: KubeGround) -> None:
        kube, here = ground.kube, ground.namespace
        for number in range(7):
            obj = config_map(here, f"n{number}", x="y")
            obj["metadata"]["labels"] = {"odd": str(number % 2), "suite": "pages"}
            await kube.create(CONFIG_MAP, obj)
        mine = Selection(namespace=here, labels="suite=pages")
        first = await kube.page(CONFIG_MAP, mine, limit=3)
        second = await kube.page(CONFIG_MAP, mine, limit=3, rest=first.rest)
        third = await kube.page(CONFIG_MAP, mine, limit=3, rest=second.rest)
        found = [*first.items, *second.items, *third.items]
        assert [objects.key(each).name for each in found] == [f"n{n}" for n in range(7)]
        assert first.version == second.version == third.version
        assert third.rest == ""
        assert all((e["apiVersion"], e["kind"]) == ("v1", "ConfigMap") for e in found)
        odd = await kube.list(CONFIG_MAP, Selection(namespace=here, labels="odd in (1),suite"))
        assert [objects.key(each).name for each in odd] == ["n1", "n3", "n5"]
        named = Selection(namespace=here, fields="metadata.name=n2")
        assert [objects.key(e).name for e in await kube.list(CONFIG_MAP, named)] == ["n2"]

    async def test_metadata_alone_is_listed(self, ground: KubeGround) -> None:
        await ground.kube.create(CONFIG_MAP, config_map(ground.namespace, "a", x="y"))
        only = Selection(namespace=ground.namespace, metadata_only=True, labels="!suite")
        found = await ground.kube.list(CONFIG_MAP, only)
        assert all("data" not in each for each in found)
        assert "a" in {objects.key(each).name for each in found}

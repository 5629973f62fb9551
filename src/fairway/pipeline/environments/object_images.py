"""The images that Kubernetes objects run, and this build's in their place. Pure."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any

from fairway.model.image import parse_name
from fairway.pipeline.environments.images import Choice, choose
from fairway.pipeline.environments.objects_judge import Found, dig, template_path

Json = dict[str, Any]


def containers(obj: Mapping[str, Any]) -> Iterator[tuple[str, Json]]:
    """(path, container) of everything that runs an image."""
    path = template_path(str(obj.get("kind")), obj)
    if path is None:
        return
    spec = dig(obj, path).get("spec") or {}
    for group in ("initContainers", "containers"):
        for place, container in enumerate(spec.get(group) or []):
            yield ".".join([*path, "spec", f"{group}[{place}]"]), container


def chosen(
    objects: list[Found], built: Mapping[str, str], given: Mapping[str, str]
) -> dict[str, Choice]:
    """What is run for each image that is named. `given`: image or container -> image.

    Raises `InvalidInput` (`environment-image`) as `choose` does.
    """
    every = [one for found in objects for _path, one in containers(found.obj) if one.get("image")]
    named = {str(one["image"]): {"image": str(one["image"])} for one in every}
    asked: dict[str, str] = {}
    for one in every:
        image = str(one["image"])
        for name in (str(one.get("name")), image, parse_name(image).repository):
            if name in given:
                asked[image] = given[name]
    unused = set(given) - {
        name
        for one in every
        for name in (one.get("name"), one["image"], parse_name(str(one["image"])).repository)
    }
    return choose(named, built, {**asked, **{name: given[name] for name in unused}})


def placed(found: Found, namespace: str, images: Mapping[str, str]) -> Json:
    """The object in its namespace, running these images (as named -> as run)."""
    obj: Json = copy.deepcopy(dict(found.obj))
    obj["metadata"] = {**obj["metadata"], "namespace": namespace}
    obj.pop("status", None)
    for _path, container in containers(obj):
        image = str(container.get("image") or "")
        if images.get(image, image) != image:
            container["image"] = images[image]
            container["imagePullPolicy"] = "IfNotPresent"
    return obj

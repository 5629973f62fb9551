"""Puts Fairway's own image together, by the machinery of `fairway image base`; see image.py."""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import io
import json
import os
import re
import shutil
import struct
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

from fairway.image import layout
from fairway.image.base import CA_BUNDLE
from fairway.image.recipes import File, Recipe
from fairway.image.rootfs import make_tar
from fairway.kit.secret import Secret
from fairway.model.errors import FairwayError
from fairway.model.image import parse_name
from fairway.oci.upload import Upload

_USER = 65532
_DATA = "var/lib/fairway"
_PACKAGES = "usr/local/lib/python3.11/dist-packages"
_PROGRAMS = "opt/fairway/native"
_LEFT_OUT = (
    "usr/share/perl*",
    "usr/lib/*/perl*",
    "usr/bin/perl*",
    "usr/lib/python3/dist-packages/pip*",
    "usr/lib/python3/dist-packages/setuptools*",
    "usr/lib/gcc*",
    "usr/include/*",
)
# The toolbox keeps each call to a folder (chroot). Who is not root may do so in a user namespace,
# which Docker forbids, or with the capability that containers have by default: this copy of busybox
# may hand it on. Where the container may not have it, the program is started without.
_GIVES = f"{_PROGRAMS}/setpriv"
_CONFINE = f"""#!/bin/sh
set -- --inh-caps +sys_chroot --ambient-caps +sys_chroot "$@"
/{_GIVES} --inh-caps +sys_chroot --ambient-caps +sys_chroot /bin/busybox true 2>/dev/null \\
    && exec /{_GIVES} "$@"
shift 4
exec "$@"
"""
_IN_ARCHIVE = re.compile(r"index\.json|blobs/sha256/[0-9a-f]{64}")
_CHROOT = 18  # linux/capability.h
# As `setcap cap_sys_chroot+p` writes it. In no file's effective set: where it is forbidden, such a
# file could not be executed at all.
_CAPABILITY = struct.pack("<5I", 0x02000000, 1 << _CHROOT, 0, 0, 0).decode("ascii")
_COMMAND = """#!/usr/bin/python3
import sys

from fairway.cli.main import main

sys.exit(main())
"""
_EPOCH = 1_700_000_000  # one time for all files of ours: the same content is the same layer


def recipe(version: str) -> Recipe:
    """What is in the image besides the wheel and the programs."""
    certificates = "/etc/ssl/certs/ca-certificates.crt"
    return Recipe(
        name="fairway",
        tags=(version,),
        about="Fairway: any of its roles, by `serve --role ROLE`",
        packages=("busybox-static", "python3", "python3-pip", "git", "tzdata"),
        wheels=("locked",),  # which ones the lock says
        files={
            "usr/local/bin/fairway": File(_COMMAND, 0o755),
            "usr/local/bin/kubectl": _of_native("kubectl"),
            "usr/local/bin/helm": _of_native("helm"),
        },
        links={
            "usr/local/bin/docker-compose": f"/{_PROGRAMS}/fairway-compose",
            "usr/bin/env": "/bin/busybox",
        },
        users=(f"fairway:x:{_USER}:{_USER}::/{_DATA}:/bin/sh",),
        groups=(f"fairway:x:{_USER}:",),
        leave_out=_LEFT_OUT,
        environment={
            "SSL_CERT_FILE": certificates,
            "GIT_SSL_CAINFO": certificates,
            "LANG": "C.UTF-8",
            "PYTHONUNBUFFERED": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
            "FAIRWAY_DATA": f"/{_DATA}",
            "FAIRWAY_NATIVE__DIR": f"/{_PROGRAMS}",
        },
        inside=(
            "/usr/bin/python3.11 -m compileall -q --invalidation-mode unchecked-hash"
            " /usr/lib/python3.11 || test $? = 1",
        ),
        user=str(_USER),
        entrypoint=("fairway",),
        command=("serve",),
        ports=("8480/tcp",),
        stop_signal="SIGTERM",
    )


def _of_native(component: str) -> File:
    return File(f'#!/bin/sh\nexec /{_PROGRAMS}/fairway-native {component} "$@"\n', 0o755)


def _entry(name: str, mode: int, owner: int = 0) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.mode, entry.mtime, entry.uid, entry.gid = mode, _EPOCH, owner, owner
    return entry


def add_ours(tar: Path, wheel: Path, programs: Path) -> None:
    """Append the wheel's files, the programs, and the folder of the data."""
    with tarfile.open(tar) as made:
        busybox = _content(made, "bin/busybox")
    with tarfile.open(tar, "a", format=tarfile.GNU_FORMAT) as out, zipfile.ZipFile(wheel) as files:
        for name in sorted(files.namelist()):
            data = files.read(name)
            entry = _entry(f"{_PACKAGES}/{name}", 0o644)
            entry.size = len(data)
            out.addfile(entry, io.BytesIO(data))
        for path in sorted(path for path in programs.rglob("*") if path.is_file()):
            place = path.relative_to(programs)
            entry = _entry(f"{_PROGRAMS}/{place}", path.stat().st_mode & 0o777)
            entry.size = path.stat().st_size
            with path.open("rb") as content:
                out.addfile(entry, content)
        data_folder = _entry(_DATA, 0o700, _USER)
        data_folder.type = tarfile.DIRTYPE
        out.addfile(data_folder)
        confine = _entry(f"{_PROGRAMS}/confine", 0o755)
        confine.size = len(_CONFINE)
        out.addfile(confine, io.BytesIO(_CONFINE.encode("ascii")))
    with tarfile.open(tar, "a", format=tarfile.PAX_FORMAT) as out:
        gives = _entry(_GIVES, 0o755)
        gives.size = len(busybox)
        gives.pax_headers = {"SCHILY.xattr.security.capability": _CAPABILITY}
        out.addfile(gives, io.BytesIO(busybox))


def _content(tar: tarfile.TarFile, name: str) -> bytes:
    for member in tar:
        if member.isreg() and member.name.removeprefix("./").removeprefix("usr/") == name:
            content = tar.extractfile(member)
            return content.read() if content else b""
    raise FairwayError(f"the image has no {name}", code="image-incomplete")


def write_archive(image: layout.Image, name: str, target: Path) -> None:
    """An OCI layout that is a Docker archive too: every program that loads images reads one."""
    blob = "blobs/sha256/{}".format
    layer = blob(image.layer_digest.partition(":")[2])
    config = blob(image.config_digest.partition(":")[2])
    described = {
        "mediaType": layout.MANIFEST,
        "digest": image.digest,
        "size": len(image.manifest),
        "annotations": {
            "org.opencontainers.image.ref.name": name.rpartition(":")[2],
            "io.containerd.image.name": f"docker.io/library/{name}",
        },
    }
    texts = {
        "oci-layout": json.dumps({"imageLayoutVersion": "1.0.0"}).encode(),
        "index.json": json.dumps({"schemaVersion": 2, "manifests": [described]}).encode(),
        "manifest.json": json.dumps(
            [{"Config": config, "RepoTags": [name], "Layers": [layer]}]
        ).encode(),
        config: image.config,
        blob(hashlib.sha256(image.manifest).hexdigest()): image.manifest,
    }
    partial = target.with_name(f".{target.name}")
    with tarfile.open(partial, "w", format=tarfile.GNU_FORMAT) as out:
        for path, data in texts.items():
            entry = _entry(path, 0o644)
            entry.size = len(data)
            out.addfile(entry, io.BytesIO(data))
        entry = _entry(layer, 0o644)
        entry.size = image.layer.stat().st_size
        with image.layer.open("rb") as content:
            out.addfile(entry, content)
    partial.replace(target)


async def push(archive: Path, where: str, *, insecure: bool) -> None:
    """Push the image of an archive to a registry."""
    name = parse_name(where)
    user, password = (os.environ.get(f"FAIRWAY_PUSH_{part}", "") for part in ("USER", "PASSWORD"))
    given = json.dumps({"username": user or "token", "password": password})
    auth = Secret(given) if password else None
    with tempfile.TemporaryDirectory(prefix="fairway-image-") as folder:
        root = Path(folder)
        _unpack(archive, root)
        (described,) = json.loads((root / "index.json").read_bytes())["manifests"]
        manifest = _blob(root, described["digest"]).read_bytes()
        parts = json.loads(manifest)
        async with Upload(name.host, name.path, auth=auth, insecure=insecure) as upload:
            for part in (*parts["layers"], parts["config"]):
                await upload.blob(part["digest"], _blob(root, part["digest"]))
            await upload.manifest(name.reference, layout.MANIFEST, manifest)
    print(f"    pushed: {where}@{described['digest']}", flush=True)


def _unpack(archive: Path, folder: Path) -> None:
    """The index and the blobs, and nothing else (Debian 12's Python has no filters of its own)."""
    with tarfile.open(archive) as held:
        for entry in held:
            wanted = entry.isreg() and _IN_ARCHIVE.fullmatch(entry.name)
            if wanted and (content := held.extractfile(entry)):
                target = folder / entry.name
                target.parent.mkdir(parents=True, exist_ok=True)
                with target.open("wb") as out:
                    shutil.copyfileobj(content, out)


def _blob(root: Path, digest: str) -> Path:
    return root / "blobs" / "sha256" / digest.partition(":")[2]


def make(wheel: Path, programs: Path, lock: Path, target: Path) -> None:
    """Make the archive. Raises FairwayError."""
    version = re.sub(r"[^\w.-]", "-", wheel.name.split("-")[1])
    made = recipe(version)
    labels = {
        "org.opencontainers.image.title": "fairway",
        "org.opencontainers.image.version": version,
        "org.opencontainers.image.licenses": "Apache-2.0",
    }
    with tempfile.TemporaryDirectory(prefix="fairway-image-") as folder:
        scratch = Path(folder)
        tar = scratch / "files.tar"
        bundle = CA_BUNDLE if CA_BUNDLE.exists() else None
        make_tar(made, tar, ca_bundle=bundle, lock=lock)
        add_ours(tar, wheel, programs)
        image = layout.write(made, tar, scratch, labels)
        write_archive(image, f"fairway:{version}", target)


def main() -> None:
    """`make WHEEL PROGRAMS LOCK TARGET` or `push ARCHIVE NAME`."""
    parser = argparse.ArgumentParser()
    acts = parser.add_subparsers(dest="act", required=True)
    making = acts.add_parser("make")
    for name in ("wheel", "programs", "lock", "target"):
        making.add_argument(name, type=Path)
    pushing = acts.add_parser("push")
    pushing.add_argument("archive", type=Path)
    pushing.add_argument("name")
    pushing.add_argument("--insecure", action="store_true")
    chosen = parser.parse_args()
    try:
        if chosen.act == "make":
            make(chosen.wheel, chosen.programs, chosen.lock, chosen.target)
        else:
            asyncio.run(push(chosen.archive, chosen.name, insecure=chosen.insecure))
    except FairwayError as error:
        sys.exit(f"error: {error}" + (f"\n  {error.remedy}" if error.remedy else ""))


if __name__ == "__main__":
    main()

"""A folder to run client programs in: their settings and what they keep stay inside."""

from __future__ import annotations

import io
import json
import os
import subprocess
import tarfile
from pathlib import Path

from spec import OCI_CONFIG, OCI_INDEX, OCI_MANIFEST, descriptor, sha

LAYER = "application/vnd.oci.image.layer.v1.tar"
LOGIN, TOKEN = "ann", "ann-token"
_SECONDS = 120


class Box:
    """Runs programs with a home of their own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.env = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "DOCKER_CONFIG": str(folder / "docker"),
            "XDG_RUNTIME_DIR": str(folder / "run"),
            "REGISTRY_AUTH_FILE": str(folder / "auth.json"),
            "DOCKER_HOST": os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock"),
            "TMPDIR": str(folder),
        }
        (folder / "run").mkdir(mode=0o700)
        policy = {"default": [{"type": "insecureAcceptAnything"}]}
        (folder / "policy.json").write_text(json.dumps(policy))
        (folder / "auth.json").write_text("{}")  # buildah wants the file that it is told of

    def __call__(self, *command: str | Path, stdin: str = "", fails: bool = False) -> str:
        """Run a program in the folder. Returns what it printed on both of its outputs."""
        done = subprocess.run(
            [str(word) for word in command],
            input=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=self.env,
            cwd=self.folder,
            timeout=_SECONDS,
            check=False,
        )
        shown = f"{' '.join(map(str, command))}\n{done.stdout}"
        assert (done.returncode != 0) == fails, shown
        return done.stdout.strip()

    def layer(self, text: str) -> bytes:
        """A layer with one file and busybox."""
        held = io.BytesIO()
        with tarfile.open(fileobj=held, mode="w") as tar:
            info = tarfile.TarInfo("text")
            info.size = len(text)
            tar.addfile(info, io.BytesIO(text.encode()))
            tar.add("/bin/busybox", "bin/busybox")
        return held.getvalue()

    def layer_file(self, text: str) -> Path:
        """`layer` in a file."""
        path = self.folder / f"layer-{text}.tar"
        path.write_bytes(self.layer(text))
        return path

    def layout(self, text: str) -> tuple[Path, str]:
        """An OCI image layout with one image, tagged v1, and the image's digest."""
        layer = self.layer(text)
        config = {
            "architecture": "amd64",
            "os": "linux",
            "config": {"Cmd": ["/bin/busybox", "cat", "/text"]},
            "rootfs": {"type": "layers", "diff_ids": [sha(layer)]},
        }
        raw = json.dumps(config).encode()
        manifest = {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": descriptor(raw, OCI_CONFIG),
            "layers": [descriptor(layer, LAYER)],
        }
        body = json.dumps(manifest).encode()
        named = {"org.opencontainers.image.ref.name": "v1"}
        index = {
            "schemaVersion": 2,
            "mediaType": OCI_INDEX,
            "manifests": [descriptor(body, OCI_MANIFEST, annotations=named)],
        }
        folder = self.folder / f"layout-{text}"
        (folder / "blobs" / "sha256").mkdir(parents=True)
        (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
        (folder / "index.json").write_text(json.dumps(index))
        for one in (layer, raw, body):
            (folder / "blobs" / "sha256" / sha(one).partition(":")[2]).write_bytes(one)
        return folder, sha(body)

"""Opens what a process of this machine stands on: database, keys, blobs, Git, engine, plugins."""

from __future__ import annotations

import base64
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from msgspec import Struct
from sqlalchemy import Connection

from fairway.access.keyring import Keyring, open_keyring
from fairway.access.tokens import mint
from fairway.blob.folder import Folder
from fairway.boot.environments import (
    Reach,
    environment_plugins,
    environment_remains,
    namespace_environments,
)
from fairway.boot.local import token_file
from fairway.docker.client import Docker
from fairway.git.folders import Folders
from fairway.git.reads import Reads
from fairway.git.writing import Writes
from fairway.image.build import Builder
from fairway.kit.secret import Secret
from fairway.model.errors import Conflict
from fairway.model.image import Rewrite
from fairway.model.token import TokenScope
from fairway.notify.http import HttpSender
from fairway.pipeline.compile import Renderer
from fairway.pipeline.engine import Engine
from fairway.pipeline.engines.docker import DockerEngine
from fairway.pipeline.engines.local import LocalEngine
from fairway.pipeline.environments.namespace import NamespaceEnvironments
from fairway.pipeline.files import FileSignatures, TemplateFiles
from fairway.pipeline.plugin import Plugin
from fairway.pipeline.plugins.clone import ClonePlugin
from fairway.pipeline.plugins.docker import BuilderSettings, DockerPlugin
from fairway.pipeline.plugins.slack import SlackPlugin
from fairway.pipeline.plugins.webhook import WebhookPlugin
from fairway.pipeline.runner.report_files import FileReports
from fairway.pipeline.runner.tools import Remains
from fairway.pipeline.runner.workspaces import FolderWorkspaces
from fairway.ports import Ports, RunnerPorts
from fairway.settings import (
    Settings,
    ca_bundle,
    local_environment,
    network_environment,
    proxy_environment,
)
from fairway.source.announce import Announcer
from fairway.source.sources import Sources
from fairway.source.writing import Writer
from fairway.store import settings as stored
from fairway.store import users
from fairway.store.alone import alone
from fairway.store.database import Database
from fairway.store.sealed import REGISTRY_KEY

INSTALLATION: Final = "installation"
ADMIN: Final = "admin"


class Opened(Struct, frozen=True):
    """What was opened first, and other things are made over."""

    database: Database
    keyring: Keyring
    blobs: Folder
    folders: Folders
    reads: Reads
    announcer: Announcer
    installation: str
    registry_key: bytes


def open_database(settings: Settings) -> Database:
    """The database, brought to this version's schema. Blocks."""
    from fairway.store.migrate import upgrade  # noqa: PLC0415 alembic is slow to import

    settings.data.mkdir(parents=True, exist_ok=True)
    settings.data.chmod(0o711)  # containers' users pass through to their workspaces
    note = settings.data / "run" / "database"
    _check_same(settings, note)
    database = Database(settings.database_url)
    upgrade(database)
    note.parent.mkdir(parents=True, exist_ok=True)
    note.write_text(_kind(settings) + "\n", encoding="ascii")
    return database


def _check_same(settings: Settings, note: Path) -> None:
    """An empty database of another kind must not stand in for the one that belongs to the data."""
    noted = note.read_text(encoding="ascii").strip() if note.exists() else _kind(settings)
    if noted != _kind(settings):
        raise Conflict(
            f"{settings.data} belongs to a database of kind {noted}, not {_kind(settings)}",
            code="other-database",
            remedy="name its database: --database URL, FAIRWAY_DATABASE__URL, or `url` below"
            f" `[database]` in {settings.data / 'fairway.toml'}",
        )


def _kind(settings: Settings) -> str:
    return settings.database_url.partition(":")[0].partition("+")[0]


def open_all(settings: Settings) -> Opened:
    """Database, keys, blobs and Git folders; the first start makes them, and an admin. Blocks."""
    database = open_database(settings)
    folders = Folders(settings.data / "git")
    folders.prepare()
    installation = database.write_now(installation_id)
    token = database.write_now(first_admin)
    if token is not None:
        write_token(token_file(settings.data), token)
    keyring = open_keys(settings)
    return Opened(
        database=database,
        keyring=keyring,
        blobs=Folder(settings.data / "blobs"),
        folders=folders,
        reads=Reads(folders),
        announcer=Announcer(database, folders, database.events),
        installation=installation,
        registry_key=database.write_now(registry_key, keyring),
    )


def ports(
    opened: Opened, *, holder: str, gateway: str = "", renderer: Renderer | None = None
) -> Ports:
    """The system's ports, without a runner's."""
    sources = Sources(opened.reads)
    folders = opened.folders
    return Ports(
        database=opened.database,
        blobs=opened.blobs,
        keyring=opened.keyring,
        sources=sources,
        signatures=FileSignatures(opened.database, opened.keyring),
        templates=TemplateFiles(opened.database, sources),
        renderer=renderer,
        disk=opened.blobs,
        installation=opened.installation,
        holder=holder,
        gateway=gateway,
        writer=Writer(opened.database, Writes(folders), folders, opened.announcer),
        notices=HttpSender(),
    )


def runner_ports(
    settings: Settings,
    docker: Docker | None,
    owner: str,
    gateway: str,
    *,
    reach: Reach | None = None,
) -> RunnerPorts:
    """What this machine's runner stands on. `reach`: the way into our own cluster."""
    marked = f"{owner}/{settings.runner_name}"
    remains: tuple[Remains, ...] = environment_remains(settings, docker, marked)
    namespaces = None
    if docker is not None and reach is not None:
        namespaces = namespace_environments(settings, docker, reach, marked)
        remains = (*remains, namespaces)
    return RunnerPorts(
        engines=_engines(settings, docker, owner),
        plugins=_plugins(settings, docker, reach, namespaces),
        workspaces=FolderWorkspaces(settings.data / "workspaces"),
        reports=FileReports(),
        hosts=(f"fairway:{gateway}",) if gateway else (),
        remains=remains,
    )


def _engines(settings: Settings, docker: Docker | None, owner: str) -> Mapping[str, Engine]:
    marked = f"{owner}/{settings.runner_name}"
    if docker is not None:
        return {"docker": DockerEngine(docker, owner=marked)}
    root = settings.data / "exec"
    return {"exec": LocalEngine(root, owner=marked, base=local_environment())}


def _plugins(
    settings: Settings,
    docker: Docker | None,
    reach: Reach | None,
    namespaces: NamespaceEnvironments | None,
) -> Mapping[str, Plugin]:
    found: dict[str, Plugin] = {
        "clone": ClonePlugin({**local_environment(), **network_environment()}),
        "webhook": WebhookPlugin(),
        "slack": SlackPlugin(),
    }
    if docker is not None:
        rules = BuilderSettings(
            rewrites=tuple(Rewrite(*item) for item in settings.pipeline.images.items()),
            proxies=proxy_environment(),
            ca_bundle=ca_bundle(),
        )
        found["docker"] = DockerPlugin(Builder(docker), rules)
        found |= environment_plugins(settings, docker, reach, namespaces)
    return found


def open_keys(settings: Settings) -> Keyring:
    """The keyring: of the environment, or of the data directory. Blocks."""
    folder = settings.data / "keys"
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    return open_keyring(folder / "keys.json", Secret(settings.key) if settings.key else None)


def installation_id(db: Connection) -> str:
    """This installation's own name, made at the first start: it marks what is ours elsewhere."""
    alone(db, INSTALLATION)  # several processes may start for the first time
    known = stored.get(db, INSTALLATION)
    if known is None:
        known = secrets.token_hex(4)
        stored.put(db, INSTALLATION, known)
    return str(known)


def registry_key(db: Connection, keyring: Keyring) -> bytes:
    """The key that seals the registry's own short-lived tokens, the same in every process."""
    alone(db, REGISTRY_KEY)
    sealed = stored.get(db, REGISTRY_KEY)
    if sealed is None:
        key = keyring.seal(secrets.token_bytes(32), place=REGISTRY_KEY)
        sealed = base64.b64encode(key).decode("ascii")
        stored.put(db, REGISTRY_KEY, sealed)
    return keyring.open_bytes(base64.b64decode(sealed), place=REGISTRY_KEY)


def first_admin(db: Connection) -> Secret | None:
    """Make the user `admin` and a token where there is no such user yet."""
    alone(db, ADMIN)
    if users.by_login(db, ADMIN) is not None:
        return None
    made = users.create(db, ADMIN, name="Administrator", admin=True)
    minted = mint(db, made.id, name="first start", scopes=[TokenScope.ADMIN], actor="fairway")
    return minted.value


def write_token(path: Path, token: Secret) -> None:
    """Leave a token in a file that only its owner reads."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(token.reveal() + "\n")

"""Reads everything once: defaults, then `fairway.toml`, then the environment, then flags.

The only place that looks at the environment. The file lies in the data directory; a variable of
the environment is `FAIRWAY_<SECTION>__<KEY>` (`FAIRWAY_HTTP__PORT=8480`). Unknown sections, keys
and values are errors with their path.
"""

from __future__ import annotations

import os
import platform
import socket
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct, field

from fairway.kit.net import is_loopback
from fairway.model.errors import BadFile, InvalidInput

ROLES: Final = ("server", "controllers", "runner", "git", "gateway")
_SWITCH: Final = ("auto", "on", "off")
_GIB: Final = 1024**3
_PREFIX: Final = "FAIRWAY_"
# read elsewhere in this file, not as SECTION__KEY
_PLAIN: Final = frozenset({"FAIRWAY_DATA", "FAIRWAY_CONFIG"})


class Http(Struct, frozen=True, forbid_unknown_fields=True):
    """Where we listen, and what links, clone URLs and image names show."""

    port: int = 8480  # on every address
    listen: tuple[str, ...] = ()  # besides loopback and the address of our Docker bridge
    tls_cert: str = ""  # PEM files, both or none
    tls_key: str = ""  # see tls_cert
    behind_proxy: bool = False  # a proxy ends TLS and says who asks for what
    external_url: str = ""  # what links, clone URLs and image names show
    bridge: bool = True  # listen on the address of our own Docker bridge too


class Database(Struct, frozen=True, forbid_unknown_fields=True):
    """`url` "" is SQLite in the data directory; else `postgresql+psycopg://...`."""

    url: str = ""  # "" is SQLite in the data directory


class Docker(Struct, frozen=True, forbid_unknown_fields=True):
    """`host` "" finds an Engine that answers, else starts one of our own (as root)."""

    host: str = ""  # unix:///... or tcp://...
    own: bool = True  # may start Debian's dockerd


class Runner(Struct, frozen=True, forbid_unknown_fields=True):
    """The runner of this process."""

    name: str = ""  # the host's name unless given
    engine: str = "docker"  # docker or local (plain processes, for trusted repositories)
    capacity: int = 4  # pipelines at once
    labels: dict[str, str] = field(default_factory=dict)  # must equal a pipeline's `node`
    environment: dict[str, str] = field(default_factory=dict)  # in every step it runs
    server: str = ""  # a runner on another machine: the system's URL
    token: str = ""  # of scope runner


class Pipeline(Struct, frozen=True, forbid_unknown_fields=True):
    """What the operator decides for all pipelines."""

    images: dict[str, str] = field(default_factory=dict)  # image name rewriting: glob -> name
    builtin_plugins: bool = True  # run well-known plugins ourselves
    plugins: dict[str, str] = field(default_factory=dict)  # image -> built-in name, "" turns off
    environment: dict[str, str] = field(default_factory=dict)  # in every step
    log_limit_bytes: int = 64 * 1024 * 1024  # of one step
    max_timeout_s: int = 24 * 3600  # that a repository may say


class Registry(Struct, frozen=True, forbid_unknown_fields=True):
    """`name` "" is the host of an https `external_url`, else 127.0.0.1:PORT; records hold none."""

    name: str = ""  # host[:port]


class Retention(Struct, frozen=True, forbid_unknown_fields=True):
    """What is removed when; 0 is never."""

    logs_days: float = 90  # age of logs
    logs_bytes: int = 20 * _GIB  # all logs together: the eldest go first
    workspaces_hours: float = 24  # kept for retries
    workspaces_bytes: int = 20 * _GIB  # of one runner
    build_cache_days: float = 30  # of what image builds left unused, of one runner
    build_cache_bytes: int = 20 * _GIB  # of image builds, of one runner
    untagged_days: float = 7  # images that no tag, build or other image names
    untagged_bytes: int = 20 * _GIB  # of what only they need: the eldest go first, after a day
    builds_days: float = 365  # age of builds; what a release, a tag or a branch names stays
    builds_count: int = 10_000  # of each repository: the eldest go first
    events_days: float = 30  # what happened, for streams
    free_space_bytes: int = 2 * _GIB  # below it new builds wait


class Native(Struct, frozen=True, forbid_unknown_fields=True):
    """The Go programs: Kubernetes' components, Docker Compose, the toolbox."""

    dir: str = ""  # of the programs; "" finds the wheel `fairway-native`, else a checkout's build


class Cluster(Struct, frozen=True, forbid_unknown_fields=True):
    """The embedded Kubernetes, or an existing one by its kubeconfig."""

    embedded: str = "auto"  # auto (where it can run), on or off
    name: str = "local"  # of the cluster that this installation starts, or reaches by kubeconfig
    kubeconfig: str = ""  # an existing cluster instead of an embedded one
    context: str = ""  # in that file; "" is its current one
    port: int = 0  # where kubectl reaches clusters through Fairway (TLS); 0: a free one, kept


class Gateway(Struct, frozen=True, forbid_unknown_fields=True):
    """Envoy and what programs it. Addresses under `.localhost` lead to its ports."""

    enabled: str = "auto"  # auto (where there is a cluster), on or off
    http_port: int = 8080  # of the Gateway that every installation has, on loopback
    https_port: int = 8443  # see http_port
    listen: tuple[str, ...] = ()  # further addresses of those two ports
    published: tuple[str, ...] = ()  # what statuses show where Gateways have no own addresses
    concurrency: int = 0  # Envoy's worker threads; 0 is one for each processor
    access_log_percent: float = 1.0  # of requests that are written to the access log
    drain_s: float = 5.0  # how long a replaced cluster is kept for requests under way
    metrics: str = ""  # HOST:PORT where the role gateway alone tells /metrics, /healthz, /readyz


class GitOps(Struct, frozen=True, forbid_unknown_fields=True):
    """Applications: what Git and registries say, brought to clusters."""

    namespace: str = "argocd"  # where Applications and AppProjects are, in the home cluster
    poll_s: float = 120.0  # how often a source that tells us nothing is asked, at least
    spread_s: float = 60.0  # and at most so much later, so that not all are asked at once


class Release(Struct, frozen=True, forbid_unknown_fields=True):
    """Releases: charts checked, promoted, rolled back."""

    install_s: float = 120.0  # how long a chart that is tried in a namespace may take to come up


class Scan(Struct, frozen=True, forbid_unknown_fields=True):
    """What is known against images."""

    old_days: float = 7.0  # advisories imported longer ago say nothing any more


class Rollout(Struct, frozen=True, forbid_unknown_fields=True):
    """Gradual releases, and the measurements that judge them."""

    metric_hosts: tuple[str, ...] = ()  # of this machine's own, that metrics may ask: HOST[:PORT]
    prometheus_address: str = ""  # for metrics that name none
    gateway_url: str = ""  # of a Fairway that has the gateway, where this process has none
    gateway_token: str = ""  # of that Fairway, with the scope cluster:read


class Settings(Struct, frozen=True, forbid_unknown_fields=True):
    """All settings of one process."""

    data: Path
    roles: tuple[str, ...] = ROLES  # of this process
    log_level: str = "info"  # debug, info, warning or error
    log_format: str = "text"  # text or json
    http: Http = Http()
    database: Database = Database()
    docker: Docker = Docker()
    runner: Runner = Runner()
    pipeline: Pipeline = Pipeline()
    registry: Registry = Registry()
    retention: Retention = Retention()
    native: Native = Native()
    cluster: Cluster = Cluster()
    gateway: Gateway = Gateway()
    gitops: GitOps = GitOps()
    release: Release = Release()
    rollout: Rollout = Rollout()
    scan: Scan = Scan()
    key: str = ""  # the sealing key by environment instead of a file

    @property
    def database_url(self) -> str:
        """The database's URL."""
        return self.database.url or f"sqlite:///{self.data / 'fairway.db'}"

    @property
    def registry_name(self) -> str:
        """How image names show our registry: engines take it by HTTPS, or from this machine."""
        shown = self.http.external_url
        outside = urlsplit(shown).netloc if shown.startswith("https://") else ""
        return self.registry.name or outside or f"127.0.0.1:{self.http.port}"

    @property
    def local_url(self) -> str:
        """How processes of this machine reach us."""
        scheme = "https" if self.http.tls_cert else "http"
        return f"{scheme}://127.0.0.1:{self.http.port}"

    @property
    def external_url(self) -> str:
        """What links show."""
        return (self.http.external_url or self.local_url).rstrip("/")

    @property
    def runner_name(self) -> str:
        """This runner's name: the host's unless given."""
        return self.runner.name or socket.gethostname()


def default_data() -> Path:
    """Where state lives unless told otherwise: /var/lib/fairway, or a user's own folder."""
    if given := os.environ.get("FAIRWAY_DATA"):
        return Path(given)
    if os.geteuid() == 0:
        return Path("/var/lib/fairway")
    base = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return Path(base) / "fairway"


def machine_arch() -> str:
    """This machine's architecture by Go's names."""
    names = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm"}
    return names.get(platform.machine(), platform.machine())


def docker_host() -> str:
    """DOCKER_HOST of the environment, or ""."""
    return os.environ.get("DOCKER_HOST", "")


def local_environment() -> dict[str, str]:
    """This process's environment, of which the local engine passes a few variables on."""
    return dict(os.environ)


def proxy_environment() -> dict[str, str]:
    """The machine's proxy settings, which image builds need as well."""
    names = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "FTP_PROXY", "ALL_PROXY")
    found = {name: os.environ.get(name) or os.environ.get(name.lower(), "") for name in names}
    return {name: value for name, value in found.items() if value}


def network_environment() -> dict[str, str]:
    """What a child that fetches needs of the machine's network: proxies and authorities."""
    bundle = ca_bundle()
    return {**proxy_environment(), **({"GIT_SSL_CAINFO": str(bundle)} if bundle else {})}


def in_cluster() -> tuple[str, Path] | None:
    """A pod's own API server and the folder of its service account; None outside of pods."""
    host = os.environ.get("KUBERNETES_SERVICE_HOST", "")
    folder = Path("/var/run/secrets/kubernetes.io/serviceaccount")
    if not host or not (folder / "token").is_file():
        return None
    name = f"[{host}]" if ":" in host else host
    return f"https://{name}:{os.environ.get('KUBERNETES_SERVICE_PORT', '443')}", folder


def ca_bundle() -> Path | None:
    """The machine's CA bundle, where it has one of its own: named, or with certificates added."""
    for name in ("SSL_CERT_FILE", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE"):
        if (given := os.environ.get(name)) and Path(given).is_file():
            return Path(given)
    usual = Path("/etc/ssl/certs/ca-certificates.crt")
    added = any(Path("/usr/local/share/ca-certificates").rglob("*.crt"))
    return usual if added and usual.is_file() else None


def load(data: Path | None = None, flags: Mapping[str, Any] | None = None) -> Settings:
    """Compose the settings. `flags` is nested like the file; `None` values are left out.

    Raises `BadFile` for the file and `InvalidInput` for the environment and flags.
    """
    where = (data or default_data()).absolute()
    values: dict[str, Any] = {"data": where}
    path = Path(os.environ.get("FAIRWAY_CONFIG") or where / "fairway.toml")
    _merge(values, _file(path))
    _merge(values, _environment(os.environ))
    _merge(values, _without_none(flags or {}))
    return _checked(_convert(values, str(path)))


def _file(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
        _convert({"data": Path(), **values}, str(path))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadFile(f"not a TOML file: {error}", where=str(path)) from error
    return values


def _environment(environ: Mapping[str, str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, text in environ.items():
        if not name.startswith(_PREFIX) or name in _PLAIN or name.startswith("FAIRWAY_TEST_"):
            continue
        section, two, key = name.removeprefix(_PREFIX).lower().partition("__")
        if two:
            values.setdefault(section, {})[key] = _plain(text)
        elif section in {"key", "log_level", "log_format"}:
            values[section] = text
    return values


def _plain(text: str) -> Any:
    """A value of the environment: JSON where it looks like a list or a table, else text."""
    if text[:1] in "[{":
        try:
            return msgspec.json.decode(text)
        except msgspec.DecodeError:
            return text
    return text


def _without_none(values: Mapping[str, Any]) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            kept[key] = _without_none(value)
        elif value is not None:
            kept[key] = value
    return kept


def _merge(into: dict[str, Any], other: Mapping[str, Any]) -> None:
    for key, value in other.items():
        if isinstance(value, Mapping) and isinstance(into.get(key), dict):
            _merge(into[key], value)
        else:
            into[key] = dict(value) if isinstance(value, Mapping) else value


def _convert(values: dict[str, Any], path: str) -> Settings:
    try:
        return msgspec.convert(values, Settings, strict=False)
    except msgspec.ValidationError as error:
        raise InvalidInput(
            f"a setting cannot be right: {error}",
            code="bad-setting",
            where=path,
            remedy="see docs/reference/settings.md for every section and key",
        ) from error


def _checked(settings: Settings) -> Settings:
    unknown = [role for role in settings.roles if role not in ROLES]
    if unknown:
        raise InvalidInput(f"no role {unknown[0]!r}: {', '.join(ROLES)}", code="bad-setting")
    http = settings.http
    if bool(http.tls_cert) != bool(http.tls_key):
        raise InvalidInput("tls_cert and tls_key belong together", code="bad-setting")
    own = settings.cluster
    if own.kubeconfig and own.embedded == "on":
        raise InvalidInput(
            "cluster.kubeconfig and cluster.embedded = on exclude each other: the installation has"
            " one cluster of its own",
            code="bad-setting",
            remedy="leave one out; `fairway cluster add` registers further clusters",
        )
    far = [address for address in http.listen if not is_loopback(address)]
    if far and not (http.tls_cert or http.behind_proxy):
        raise InvalidInput(
            f"listening on {far[0]} would send tokens in the clear",
            code="listen-unsafe",
            remedy="give --tls-cert and --tls-key, or --behind-proxy where a proxy ends TLS",
        )
    _check_cluster(settings)
    return settings


def _check_cluster(settings: Settings) -> None:
    switches = {
        "cluster.embedded": settings.cluster.embedded,
        "gateway.enabled": settings.gateway.enabled,
    }
    for name, value in switches.items():
        if value not in _SWITCH:
            raise InvalidInput(
                f"{name} is {value!r}, not one of {', '.join(_SWITCH)}", code="bad-setting"
            )
    if settings.cluster.kubeconfig and settings.cluster.embedded == "on":
        raise InvalidInput(
            "cluster.kubeconfig names an existing cluster instead of the embedded one, which"
            ' cluster.embedded = "on" asks for',
            code="bad-setting",
            remedy="leave one of them out; `fairway cluster add` registers further clusters",
        )

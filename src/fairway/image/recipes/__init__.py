"""The base images that Fairway makes by itself: what is in each of them. Data, no decisions.

Each is made of Debian's packages, unpacked and not configured: no maintainer script runs, so there
is no init system, no users but root, nobody and the recipe's own, and no package manager state
beyond the list of what is installed.
"""

from __future__ import annotations

from importlib.resources import files
from typing import Final

from msgspec import Struct, field

SUITE: Final = "bookworm"
_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class File(Struct, frozen=True):
    """A file that is not in any package."""

    text: str
    mode: int = 0o644


class Recipe(Struct, frozen=True, kw_only=True):
    """One base image."""

    name: str
    tags: tuple[str, ...]  # the first is its version
    about: str
    packages: tuple[str, ...] = ()
    files: dict[str, File] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)
    users: tuple[str, ...] = ()  # lines of /etc/passwd besides root and nobody
    groups: tuple[str, ...] = ()
    leave_out: tuple[str, ...] = ()  # globs of paths
    wheels: tuple[str, ...] = ()  # Python packages from the package index
    inside: tuple[str, ...] = ()  # commands of its own shell, run in it once
    environment: dict[str, str] = field(default_factory=dict)
    user: str = ""  # whom it runs as; "" is root
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ("sh",)
    ports: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    stop_signal: str = ""
    healthcheck: tuple[str, ...] = ()

    def variables(self) -> dict[str, str]:
        """The image's environment."""
        return {"PATH": _PATH, **self.environment}


_COMMON: Final = ("busybox-static",)
_TLS: Final = {"SSL_CERT_FILE": "/etc/ssl/certs/ca-certificates.crt"}
_PYTHON: Final = (
    *_COMMON,
    "python3",
    "python3-venv",
    "python3-pip",
    "python3-pytest",
    "python3-pytest-cov",
    "python3-psycopg2",
)
# Debian's packages compile their modules when they are configured; a program that imports many
# would take seconds to start without
_PYTHON_COMPILED: Final = (
    "/usr/bin/python3.11 -m compileall -q --invalidation-mode unchecked-hash"
    " /usr/lib/python3.11 /usr/lib/python3/dist-packages || test $? = 1",
)
_PYTHON_LINKS: Final = {
    "usr/bin/python": "python3",
    "usr/bin/pytest": "pytest-3",
    "usr/bin/coverage": "python3-coverage",
}
_PYTHON_ENV: Final = {**_TLS, "LANG": "C.UTF-8", "PYTHONUNBUFFERED": "1"}

EVERYWHERE: Final = (
    "usr/share/doc/*/[!c]*",
    "usr/share/doc/*/changelog*",
    "usr/share/man/*",
    "usr/share/info/*",
    "usr/share/lintian/*",
    "usr/share/locale/*",
    "usr/share/bug/*",
    "usr/lib/*/gconv/*",
    "usr/share/i18n/*",
    "var/cache/*",
    "var/lib/apt/*",
    "var/log/*",
    "tmp/*",
    "etc/apt/*",
)

RECIPES: Final[dict[str, Recipe]] = {
    recipe.name: recipe
    for recipe in (
        Recipe(
            name="busybox",
            tags=("1.35", "1", "latest"),
            about="busybox, statically linked, and the host's certificates",
            packages=_COMMON,
        ),
        Recipe(
            name="python",
            tags=("3.11", "3", "latest", "3.11-slim", "3-slim", "slim"),
            about="Python 3.11 with pip, venv, pytest, coverage and psycopg2, and busybox",
            packages=_PYTHON,
            inside=_PYTHON_COMPILED,
            links=_PYTHON_LINKS,
            environment=_PYTHON_ENV,
            command=("python3",),
        ),
        Recipe(
            name="golang",
            tags=("1.19", "1", "latest"),
            about="Go 1.19 with its standard library (no C compiler), and busybox",
            packages=(*_COMMON, "golang-go"),
            # Debian compiles the library for cgo; without a C compiler every build would begin by
            # compiling much of it again
            inside=("CGO_ENABLED=0 GOCACHE=/tmp/go-cache /usr/lib/go-1.19/bin/go install std",),
            leave_out=(
                "usr/lib/go-1.19/pkg/linux_*/cmd/*",
                "usr/share/go-1.19/test/*",
                "usr/share/go-1.19/api/*",
                "usr/share/go-1.19/misc/*",
                "usr/share/go-1.19/src/*_test.go",
                "usr/share/go-1.19/src/*/testdata/*",
            ),
            environment={
                **_TLS,
                "CGO_ENABLED": "0",
                "GOPATH": "/go",
                "GOFLAGS": "-buildvcs=false",
                "PATH": f"/go/bin:/usr/lib/go-1.19/bin:{_PATH}",
            },
        ),
        Recipe(
            name="node",
            tags=("18", "latest", "18-slim", "slim"),
            about="Node.js 18 with esbuild, and busybox (no npm)",
            packages=(*_COMMON, "nodejs", "esbuild"),
            leave_out=("usr/share/nodejs/@types/*",),
            environment={"NODE_EXTRA_CA_CERTS": "/etc/ssl/certs/ca-certificates.crt"},
            command=("node",),
        ),
        Recipe(
            name="postgres",
            tags=("15", "latest"),
            about="PostgreSQL 15 (without JIT), its psql, and busybox",
            packages=(*_COMMON, "postgresql-15"),
            files={
                "usr/local/bin/docker-entrypoint.sh": File(
                    (files(__name__) / "postgres-entrypoint.sh").read_text(), 0o755
                )
            },
            users=("postgres:x:999:999::/var/lib/postgresql:/bin/sh",),
            groups=("postgres:x:999:",),
            leave_out=(
                "usr/lib/*/libLLVM*",
                "usr/lib/*/libz3*",
                "usr/lib/*/perl*",
                "usr/lib/*/libperl*",
                "usr/share/perl*",
                "usr/bin/perl*",
                "usr/lib/postgresql/15/lib/bitcode/*",
                "usr/lib/postgresql/15/lib/llvmjit*",
            ),
            environment={
                "LANG": "C.UTF-8",
                "PGDATA": "/var/lib/postgresql/data",
                "PATH": f"/usr/lib/postgresql/15/bin:{_PATH}",
            },
            entrypoint=("docker-entrypoint.sh",),
            command=("postgres",),
            ports=("5432/tcp",),
            volumes=("/var/lib/postgresql/data",),
            stop_signal="SIGINT",
            healthcheck=(
                "CMD-SHELL",
                'pg_isready -q -h 127.0.0.1 -U "${POSTGRES_USER:-postgres}" -d postgres',
            ),
        ),
        Recipe(
            name="git",
            tags=("2.39", "2", "latest"),
            about="git, and busybox",
            packages=(*_COMMON, "git"),
            environment={"GIT_SSL_CAINFO": "/etc/ssl/certs/ca-certificates.crt"},
            leave_out=("usr/share/perl*", "usr/lib/*/perl*", "usr/bin/perl*"),
        ),
        Recipe(
            name="locust",
            tags=("2.47", "2", "latest"),
            about="the python image with Locust for load tests",
            packages=(*_PYTHON, "libstdc++6"),
            inside=_PYTHON_COMPILED,
            wheels=("locust==2.47.0",),
            files={
                "usr/local/bin/locust": File(
                    "#!/usr/bin/python3\nfrom locust.main import main\n\nmain()\n", 0o755
                )
            },
            links=_PYTHON_LINKS,
            environment=_PYTHON_ENV,
            command=("locust",),
        ),
    )
}

"""uv, in a folder of our own, in the version that `requirements/uv.lock` names."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from fairwaydev import apt
from fairwaydev.say import ROOT, Failed, answer, cache_folder, detail, run, say

_LOCK = ROOT / "requirements" / "uv.lock"
_INDEX = """\
  Packages come from the index that pip is set up for (pip config list; PIP_INDEX_URL, PIP_CERT,
  HTTPS_PROXY). If it did not answer, mend that; the same command then goes on where it was."""
_CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")


def version() -> str:
    """The version that the lock names."""
    found = re.search(r"^uv==(\S+)", _LOCK.read_text(), re.MULTILINE)
    if found is None:
        raise Failed(f"{_LOCK} names no version of uv")
    return found[1]


def program() -> Path:
    """The uv program, installed when it is not there yet."""
    wanted = version()
    own = cache_folder() / f"uv-{wanted}"
    for candidate in (own / "bin" / "uv", *_on_path()):
        if (answer([candidate, "--version"]) or "").startswith(f"uv {wanted}"):
            return candidate
    say(f"installing uv {wanted} into {own}")
    for way in (_by_venv, _by_pip, _by_virtualenv):
        if way(own):
            return own / "bin" / "uv"
    raise Failed(
        "this Python can neither make a virtual environment nor run pip.\n"
        "  as root on Debian:  apt-get update && apt-get install -y python3-venv\n"
        "  or put uv on the PATH yourself (any way you like), version " + wanted
    )


def _on_path() -> list[Path]:
    found = shutil.which("uv")
    return [Path(found)] if found else []


def _by_venv(own: Path) -> bool:
    if not apt.have_venv(sys.executable):
        if os.geteuid() != 0 or shutil.which("apt-get") is None:
            return False
        if not sys.executable.startswith("/usr/bin/"):
            return False
        apt.install("making virtual environments", ("python3-venv",))
    detail("in a virtual environment")
    shutil.rmtree(own, ignore_errors=True)
    run([sys.executable, "-m", "venv", own], quiet=True)
    return _pip([own / "bin" / "python"], [])


def _by_pip(own: Path) -> bool:
    if answer([sys.executable, "-m", "pip", "--version"]) is None:
        return False
    detail("with pip, into a folder")
    shutil.rmtree(own, ignore_errors=True)
    return _pip([sys.executable], ["--target", own])


def _by_virtualenv(own: Path) -> bool:
    if answer([sys.executable, "-m", "virtualenv", "--version"]) is None:
        return False
    detail("with virtualenv")
    shutil.rmtree(own, ignore_errors=True)
    run([sys.executable, "-m", "virtualenv", own], quiet=True)
    return _pip([own / "bin" / "python"], [])


def _pip(python: list[str | Path], options: list[str | Path]) -> bool:
    words = [*python, "-m", "pip", "install", "-q", "--require-hashes", *options, "-r", _LOCK]
    try:
        run(words, env={"PIP_DISABLE_PIP_VERSION_CHECK": "1"}, quiet=True)
    except Failed as error:
        raise Failed(f"{error}\n{_INDEX}") from error
    return True


def environment() -> dict[str, str]:
    """What uv needs to see of the machine's own settings: it does not read pip's."""
    env = {"UV_PYTHON_DOWNLOADS": "never", "UV_NO_PROGRESS": "1", "UV_NO_CONFIG": "0"}
    pip = _pip_settings()
    _carry(env, "UV_DEFAULT_INDEX", pip.get("index-url"))
    _carry(env, "UV_INDEX", _joined(pip.get("extra-index-url")))
    _carry(env, "UV_INSECURE_HOST", _joined(pip.get("trusted-host")))
    _carry(env, "UV_FIND_LINKS", (pip.get("find-links") or "").replace("\n", ",").strip(","))
    _carry(env, "HTTPS_PROXY", pip.get("proxy"))
    certificates = pip.get("cert")
    if certificates is None and _CERTIFICATES.exists():
        certificates = str(_CERTIFICATES)
    _carry(env, "SSL_CERT_FILE", certificates)
    return env


def _joined(value: str | None) -> str | None:
    return " ".join(value.split()) if value else None


def _carry(env: dict[str, str], name: str, value: str | None) -> None:
    """Give uv a setting, unless the person has set uv's own."""
    older = {"UV_DEFAULT_INDEX": "UV_INDEX_URL", "UV_INDEX": "UV_EXTRA_INDEX_URL"}
    if value and name not in os.environ and older.get(name, name) not in os.environ:
        env[name] = value


_READ_PIP = """
import json
from pip._internal.configuration import Configuration
settings = Configuration(isolated=False)
settings.load()
found = {}
for name, value in settings.items():
    inner = value if isinstance(value, dict) else {name: value}
    for key, text in inner.items():
        section, _, option = key.partition(".")
        if section in ("global", "install", ":env:"):
            found[option] = text
print(json.dumps(found))
"""


def _pip_settings() -> dict[str, str]:
    """pip's own reading of its files and variables; nothing when there is no pip."""
    own = cache_folder() / f"uv-{version()}" / "bin" / "python"
    for python in (own, Path(sys.executable)):
        text = answer([python, "-W", "ignore", "-c", _READ_PIP])
        if text:
            return {str(key): str(value) for key, value in json.loads(text).items()}
    return {name: text for name in ("index-url", "cert") if (text := _pip_variable(name))}


def _pip_variable(name: str) -> str | None:
    return os.environ.get("PIP_" + name.upper().replace("-", "_"))


def uv(*words: str | Path, quiet: bool = True) -> None:
    """Run uv with the machine's settings. Not `quiet`: its own bars show how far it is."""
    env = environment() if quiet else {**environment(), "UV_NO_PROGRESS": "0"}
    try:
        run([program(), *words], env=env, quiet=quiet)
    except subprocess.SubprocessError as error:
        raise Failed(str(error)) from error
    except Failed as error:
        raise Failed(f"{error}\n{_INDEX}" if "pip" in words else str(error)) from error

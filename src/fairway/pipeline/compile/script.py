"""`commands` as one script for `/bin/sh`, which reads it from its standard input.

First a `.netrc` for the repository's host, then the variables that only we needed are taken away,
then `set -e`, then each command behind an echo of itself. (Drone feeds the script by `echo`, whose
reading of backslashes differs from shell to shell.)
"""

from __future__ import annotations

from typing import Final

from fairway.kit.gotext import quote

ENTRYPOINT: Final = ("/bin/sh", "-c")
VARIABLE: Final = "DRONE_SCRIPT"
COMMAND: Final = (
    "printf '%s\\n' \"${DRONE_SCRIPT}\" | { unset DRONE_SCRIPT; exec /bin/sh; } 2>&1",
)

_PROLOGUE: Final = r"""
if [ -n "${DRONE_NETRC_MACHINE}" ] && [ -w "${HOME}" ]; then
    (
        umask 077
        printf 'machine %s\nlogin %s\npassword %s\n' "${DRONE_NETRC_MACHINE}" \
            "${DRONE_NETRC_USERNAME}" "${DRONE_NETRC_PASSWORD}" >"${HOME}/.netrc"
    )
fi

unset DRONE_SCRIPT
unset DRONE_NETRC_MACHINE
unset DRONE_NETRC_USERNAME
unset DRONE_NETRC_PASSWORD

set -e
"""


def script(commands: tuple[str, ...]) -> str:
    """The script of a step's commands; "" without any."""
    if not commands:
        return ""
    return _PROLOGUE + "".join(_traced(command) for command in commands)


def _traced(command: str) -> str:
    return f"\necho + {shown(command)}\n{command}\n"


def shown(command: str) -> str:
    """A command as the echo shows it: Go-quoted, with nothing left that the shell would expand."""
    return quote(command).replace("$", r"\$").replace("`", r"\`")

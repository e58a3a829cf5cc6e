"""The file of settings, read by the rules of systemd's ``EnvironmentFile``.

A shell reads such a file otherwise: it ends a value at an ``&`` or a ``;``, and runs what stands
behind. So the portal reads the file that ``PORTAL_ENV_FILE`` names itself, for the server and for
each command alike. The rules are those of systemd.exec(5).
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

from config_values import ConfigurationError, read_file

NAME = "PORTAL_ENV_FILE"
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SPACE = " \t\r\n"
_ESCAPED_IN_DOUBLE_QUOTES = '"\\`$'
_REST_OF_COMMENT = re.compile(r"(?:[^\\\r\n]|\\.)*\\?", re.DOTALL)
_SINGLE = re.compile(r"'([^']*)'?")
_DOUBLE = re.compile(r'"((?:[^"\\]|\\.)*)\\?"?', re.DOTALL)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)


def load_env_file() -> None:
    """Put what the file holds into the environment, where it is not set already.

    A variable that is empty is one that was not set. Raises ConfigurationError when the file can't
    be read, and for an assignment to a ``PORTAL_…`` name that is none, such as ``export PORTAL_PORT=1``.
    """
    path = os.environ.get(NAME, "").strip()
    if not path:
        return
    text = read_file(f"{NAME} names a file that can't be read: {path}", path, "utf-8-sig")
    if "\0" in text:
        raise ConfigurationError(f"{NAME} names a file that holds a NUL: {path}.")
    for name, value in assignments(text):
        if _VARIABLE.fullmatch(name):
            if not os.environ.get(name, "").strip():
                os.environ[name] = value
        elif "PORTAL_" in name:
            raise ConfigurationError(
                f"{NAME} names a file with a line that sets nothing: {name!r} is no name of a variable. "
                "Write PORTAL_NAME=value, without export."
            )


def assignments(text: str) -> Iterator[tuple[str, str]]:
    """Each name with its value, in the order of the file; lines without ``=`` and comments are none."""
    at = 0
    while at < len(text):
        if text[at] in _SPACE:
            at += 1
        elif text[at] in "#;":
            found = _REST_OF_COMMENT.match(text, at)
            at = found.end() if found else at + 1
        else:
            name, equals, at = _name(text, at)
            if equals:
                value, at = _value(text, at)
                yield name, value


def _name(text: str, at: int) -> tuple[str, bool, int]:
    """The text before ``=``, whether there is one, and where to go on."""
    end = at + 1  # an = that nothing stands before belongs to the name
    while end < len(text) and text[end] not in "=\r\n":
        end += 1
    has_value = end < len(text) and text[end] == "="
    return text[at:end].rstrip(_SPACE), has_value, end + 1


def _value(text: str, at: int) -> tuple[str, int]:
    """The value that begins here: quoted pieces, and then the rest of the line as it stands."""
    value = ""
    while at < len(text) and text[at] not in "\r\n":
        if text[at] in " \t":
            at += 1
        elif text[at] == "'" and (found := _SINGLE.match(text, at)):
            value, at = value + found[1], found.end()
        elif text[at] == '"' and (found := _DOUBLE.match(text, at)):
            value, at = value + _ESCAPE.sub(_of_double_quotes, found[1]), found.end()
        else:
            rest, at = _unquoted(text, at)
            return value + rest, at
    return value, at


def _of_double_quotes(found: re.Match[str]) -> str:
    if found[1] == "\n":
        return ""
    return found[1] if found[1] in _ESCAPED_IN_DOUBLE_QUOTES else found[0]


def _unquoted(text: str, at: int) -> tuple[str, int]:
    """The rest of the line, and of those that it goes on in; blanks at its end are dropped."""
    kept: list[str] = []
    length = 0
    while at < len(text) and text[at] not in "\r\n":
        is_escaped = text[at] == "\\"
        at += is_escaped
        if at < len(text) and not (is_escaped and text[at] in "\r\n"):
            kept.append(text[at])
        at += 1
        if is_escaped or (kept and kept[-1] not in _SPACE):
            length = len(kept)
    return "".join(kept[:length]), at

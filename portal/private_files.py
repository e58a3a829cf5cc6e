"""The files of an installation are for its own user: it is asked at the start, and mended."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path

import structlog
from sqlalchemy.engine import make_url

from config import Settings
from config_values import ConfigurationError

FOLDER, FILE = 0o700, 0o600
SQLITE_ENDS = ("", "-wal", "-shm", "-journal")
SECRETS = ("secret_key", "peppers")

log = structlog.get_logger(__name__)


def keep_private(settings: Settings) -> None:
    """Take from others what they may do with the installation's files, and say so in the log.

    Raises ConfigurationError for what belongs to somebody else.
    """
    for path, most in _files(settings):
        try:
            status = path.lstat()
        except OSError:
            continue  # it is not there, or not ours to look at, and then not others' either
        mode = stat.S_IMODE(status.st_mode)
        if stat.S_ISLNK(status.st_mode) or not mode & ~most:
            continue
        try:
            path.chmod(mode & most)
        except OSError as error:
            raise ConfigurationError(
                f"Others on this machine may use {path} (mode {mode:04o}), and this user can't change that: "
                f"chmod {most:o} {path}, or give it to the user of the portal."
            ) from error
        log.warning("file.made-private", path=str(path), was=f"{mode:04o}", now=f"{mode & most:04o}")


def _files(settings: Settings) -> Iterator[tuple[Path, int]]:
    """What there may be, each with the most that its mode may be."""
    home = settings.instance_path
    yield home, FOLDER
    for name in SECRETS:
        yield home / name, FILE
    url = make_url(settings.database_url.get_secret_value())
    if url.get_backend_name() == "sqlite":
        for end in SQLITE_ENDS:
            yield Path(f"{url.database}{end}"), FILE
    mails = home / "mail"
    yield mails, FOLDER
    if mails.is_dir():
        for path in mails.iterdir():
            yield path, FILE

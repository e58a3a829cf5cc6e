"""Every setting: its name, its default and its meaning.

Each field of :class:`Settings` is read from the environment variable
``PORTAL_<NAME>``, or from the file that ``PORTAL_<NAME>_FILE`` names (the habit of
container secrets). ``docs/settings.md`` is held to this list by a test.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from config_addresses import (
    Network,
    base_url_of,
    crosses_in_the_clear,
    database_of,
    host_of,
    in_url,
    is_loopback,
    keys_source_of,
    networks_of,
    origins_of,
    pooler_of,
    port_of,
    proxy_header_of,
)
from config_values import (
    ConfigurationError,
    bare_address,
    by_role,
    certificates_of,
    checked_prefix,
    contact_of,
    keep_secret,
    key_headers_of,
    one_of,
    pepper_ring,
    plain,
    random_text,
    strong,
    truth,
    whole_number,
)

PREFIX = "PORTAL_"
MOST_KEYS = 100_000
LONGEST_DAYS = 365
"""As the database holds it."""
SHORTEST_RECORD, LONGEST_RECORD = 400, 36_500
"""Days of the record; the database lets nothing go that is younger."""
MOST_CALLS = 2_000_000_000
"""What fits into the column of a key's own limit."""


def _setting(default: str, meaning: str, *, secret: bool = False, as_it_is: bool = False) -> Any:
    """``as_it_is`` is for what may have any characters, lines too, and none is read as another."""
    told = {"meaning": meaning, "secret": secret, "as_it_is": as_it_is}
    return field(default=default, repr=not secret, metadata=told)


@dataclass(frozen=True)
class RawSettings:
    """The settings as text, as an operator writes them."""

    env_file: str = _setting(
        "",
        "File with settings, read by the rules of systemd's EnvironmentFile; what stands in the "
        "environment itself wins.",
    )
    instance_path: str = _setting(
        "instance", "Folder for the database, the mail files and the secrets that were not given."
    )
    host: str = _setting(
        "127.0.0.1",
        "Address that the server listens on. One that other machines reach asks for a base URL.",
    )
    port: str = _setting("8000", "Port that the server listens on.")
    base_url: str = _setting(
        "",
        "Address that people and scripts use, with a path where the portal stands below one "
        "(https://example.org/keys); links in mails begin with it. "
        "Default: http:// with the host and the port.",
    )
    database_url: str = _setting(
        "",
        "sqlite:///path, from the instance folder on unless it begins with a /, or "
        "postgresql+psycopg://user:password@host/name. Default: sqlite:///portal.db.",
        secret=True,
    )
    database_pooler: str = _setting(
        "none",
        "transaction when a pooler such as PgBouncer, in transaction mode, stands between the portal and "
        "PostgreSQL: then no statement is prepared. none when there is no pooler, or one in session mode.",
    )
    workers: str = _setting("2", "Worker processes of the server.")
    secret_key: str = _setting(
        "",
        "Signs cookies and JWTs: at least 32 random characters. "
        "Made once and kept in the instance folder when not given.",
        secret=True,
        as_it_is=True,
    )
    peppers: str = _setting(
        "",
        "Key ring for the digests of secrets: id:value pairs separated by commas, the first "
        "makes new digests, the others still verify. "
        "Made once and kept in the instance folder when not given.",
        secret=True,
    )
    mail_url: str = _setting(
        "file:",
        "file: writes mail/*.eml in the instance folder; smtp://user:password@host:port "
        "sends (smtps:// with TLS from the first byte).",
        secret=True,
    )
    mail_clear_text: str = _setting(
        "false",
        "true lets mails, whose links open accounts, go to a server on another machine that offers "
        "no TLS; refused with a public base URL.",
    )
    mail_ca: str = _setting(
        "",
        "Certificates (PEM) that the mail server's is checked against; PORTAL_MAIL_CA_FILE names a file "
        "that holds them. Default: those that this machine trusts.",
        as_it_is=True,
    )
    mail_from: str = _setting("Chatelaine <chatelaine@localhost>", "Sender of the mails.")
    key_prefix: str = _setting("chk", "What every secret begins with, before the underscore.")
    key_headers: str = _setting(
        "X-API-Key",
        "Headers that a key may come in beside Authorization, separated by commas; none for no other. "
        "Each holds the secret, or key:secret.",
    )
    key_environments: str = _setting(
        "false",
        "true lets the secret of a key that is labelled live or test say so: "
        "chk_live_… and chk_test_…, with the prefix above.",
    )
    keys_per_account: str = _setting(
        "100",
        "Live keys that an account may have: one number for every role, or role=number pairs "
        "separated by commas; a role that is not named keeps its default.",
    )
    longest_life: str = _setting(
        "365",
        "Days that a key may live, written like the keys of an account; 365 at most.",
    )
    limits_enabled: str = _setting(
        "true", "false switches the limits off for load tests; refused with a public base URL."
    )
    limits_store: str = _setting(
        "",
        "Where the calls of keys are counted for all workers and machines: an address that the "
        "package limits knows, such as redis://host:6379. Default: the database.",
        secret=True,
    )
    calls_per_minute: str = _setting(
        "6000,support=60000,admin=60000",
        "Calls that a key may make in a minute: one number for every role, or role=number pairs "
        "separated by commas; a role that is not named keeps its default.",
    )
    calls_per_day: str = _setting(
        "1000000,support=10000000,admin=10000000",
        "Calls that a key may make in a day (UTC), written like those in a minute.",
    )
    excess_warn: str = _setting(
        "80",
        "Percent of a key's calls in a day at which its owner is warned by mail; 0 warns nobody.",
    )
    excess_revoke: str = _setting(
        "",
        "Calls of an account refused for being above a limit, in one day (UTC), for which all keys "
        "of the account are revoked for good. Default: nothing is revoked.",
    )
    audit_days: str = _setting(
        "",
        "Days that the record is kept, 400 at least: a key lives up to 365, and what was done with it "
        "is told as long. Default: for ever.",
    )
    trusted_proxies: str = _setting(
        "",
        "Networks (CIDR, separated by commas) of the reverse proxies that are believed when they tell "
        "a visitor's address, in the header that PORTAL_PROXY_HEADER names. Default: nobody's.",
    )
    proxy_header: str = _setting(
        "",
        "The one header in which the proxies tell the visitor's address: X-Forwarded-For if they all "
        "set it and drop names with underscores, as deploy/nginx.conf does; else a name that nobody "
        "can guess, of 16 or more letters and digits. Goes with PORTAL_TRUSTED_PROXIES.",
    )
    cors_origins: str = _setting(
        "",
        "Origins whose pages may call the API from a browser, with keys and JWTs and never with cookies: "
        "each exactly, as https://app.example.org, separated by commas. Default: none.",
    )
    hsts_subdomains: str = _setting(
        "false",
        "true has browsers use https for every name below the portal's own too "
        "(includeSubDomains of Strict-Transport-Security).",
    )
    security_contact: str = _setting(
        "",
        "Where finders of a weakness write to (mailto: or https:), for security.txt. "
        "Default: the sender of the mails.",
    )
    github_keys: str = _setting(
        "",
        "Where the public keys of GitHub's secret scanning are: "
        "https://api.github.com/meta/public_keys/secret_scanning, or a file with the same content. "
        "Default: reports from GitHub are not taken.",
    )
    log_level: str = _setting("info", "debug, info, warning or error.")


@dataclass(frozen=True)
class Settings:
    """The settings, read and checked. Secrets are kept out of the repr."""

    instance_path: Path
    host: str
    port: int
    base_url: str
    database_url: str = field(repr=False)
    database_pooler: str
    workers: int
    secret_key: str = field(repr=False)
    peppers: Mapping[str, bytes] = field(repr=False)
    mail_url: str = field(repr=False)
    mail_clear_text: bool
    mail_ca: str
    mail_from: str
    key_prefix: str
    key_headers: tuple[str, ...]
    key_environments: bool
    keys_per_account: Mapping[str, int]
    """By role, as the limits of calls are."""
    longest_life: Mapping[str, int]
    """Days, by role."""
    limits_enabled: bool
    limits_store: str = field(repr=False)
    calls_per_minute: Mapping[str, int]
    """By role; under "" for the roles that are not named."""
    calls_per_day: Mapping[str, int]
    excess_warn: int
    """Percent; 0 is never."""
    excess_revoke: int
    """Refusals in a day; 0 is never."""
    audit_days: int
    """0 is for ever."""
    trusted_proxies: tuple[Network, ...]
    proxy_header: str
    """Empty when no proxy is trusted."""
    cors_origins: frozenset[str]
    hsts_subdomains: bool
    security_contact: str
    github_keys: str
    log_level: str

    @property
    def is_pooled(self) -> bool:
        """Whether each transaction may come to another session of the database."""
        return self.database_pooler == "transaction"

    @property
    def is_https(self) -> bool:
        """Whether people reach the portal through TLS."""
        return self.base_url.startswith("https://")

    @property
    def origin(self) -> str:
        """The base URL without its path, as browsers tell it."""
        return self.base_url.removesuffix(self.path)

    @property
    def path(self) -> str:
        """Below which path of its host the portal stands: ``/keys``; empty where it has all of it."""
        return urlsplit(self.base_url).path

    @property
    def is_public(self) -> bool:
        """Whether the base URL names anything but this machine."""
        return not is_loopback(urlsplit(self.base_url).hostname or "")

    @property
    def current_pepper(self) -> str:
        """The id of the pepper that new digests are made with."""
        return next(iter(self.peppers))


def load_settings(overrides: Mapping[str, str] | None = None) -> Settings:
    """Read the settings from the environment; ``overrides`` (``PORTAL_…`` names) win.

    Raises ConfigurationError with one sentence when a setting cannot be used.
    """
    raw = _read({**os.environ, **(overrides or {})})
    instance_path = Path(raw.instance_path).absolute()
    host, port = host_of(raw.host), port_of(raw.port)
    if not raw.base_url and not is_loopback(host):
        raise ConfigurationError(
            "PORTAL_HOST lets other machines in, and PORTAL_BASE_URL does not say by which address. "
            "Give it, as https://keys.example.org."
        )
    base_url = base_url_of(raw.base_url or f"http://{in_url(host)}:{port}")
    public = not is_loopback(urlsplit(base_url).hostname or "")
    database_url = database_of(raw.database_url or "sqlite:///portal.db", instance_path)
    _refuse_unsafe(raw, base_url, database_url, public)
    try:
        instance_path.mkdir(mode=0o700, parents=True, exist_ok=True)
        secret_key = raw.secret_key or keep_secret(instance_path / "secret_key", random_text)
        peppers = raw.peppers or keep_secret(instance_path / "peppers", lambda: f"p1:{random_text()}")
    except OSError as error:
        raise ConfigurationError(
            f"PORTAL_INSTANCE_PATH can't be used ({error.filename}): {error.strerror}."
        ) from error
    return Settings(
        instance_path=instance_path,
        host=host,
        port=port,
        base_url=base_url,
        database_url=database_url,
        database_pooler=pooler_of(raw.database_pooler, database_url),
        workers=whole_number("WORKERS", raw.workers, 1, 256),
        secret_key=strong("SECRET_KEY", secret_key),
        peppers=pepper_ring(peppers),
        mail_url=raw.mail_url,
        mail_clear_text=truth("MAIL_CLEAR_TEXT", raw.mail_clear_text),
        mail_ca=certificates_of(raw.mail_ca),
        mail_from=raw.mail_from,
        key_prefix=checked_prefix(raw.key_prefix),
        key_headers=key_headers_of(raw.key_headers),
        key_environments=truth("KEY_ENVIRONMENTS", raw.key_environments),
        keys_per_account=by_role(
            "KEYS_PER_ACCOUNT", raw.keys_per_account, RawSettings.keys_per_account, MOST_KEYS
        ),
        longest_life=by_role("LONGEST_LIFE", raw.longest_life, RawSettings.longest_life, LONGEST_DAYS),
        limits_enabled=truth("LIMITS_ENABLED", raw.limits_enabled),
        limits_store=_limits_store(raw),
        calls_per_minute=by_role(
            "CALLS_PER_MINUTE", raw.calls_per_minute, RawSettings.calls_per_minute, MOST_CALLS
        ),
        calls_per_day=by_role("CALLS_PER_DAY", raw.calls_per_day, RawSettings.calls_per_day, MOST_CALLS),
        excess_warn=whole_number("EXCESS_WARN", raw.excess_warn, 0, 100),
        excess_revoke=whole_number("EXCESS_REVOKE", raw.excess_revoke or "0", 0, MOST_CALLS),
        audit_days=whole_number("AUDIT_DAYS", raw.audit_days, SHORTEST_RECORD, LONGEST_RECORD)
        if raw.audit_days
        else 0,
        trusted_proxies=networks_of(raw.trusted_proxies),
        proxy_header=proxy_header_of(raw.proxy_header, raw.trusted_proxies),
        cors_origins=origins_of(raw.cors_origins),
        hsts_subdomains=truth("HSTS_SUBDOMAINS", raw.hsts_subdomains),
        security_contact=contact_of(raw.security_contact) or f"mailto:{bare_address(raw.mail_from)}",
        github_keys=keys_source_of(raw.github_keys),
        log_level=one_of("LOG_LEVEL", raw.log_level.lower(), "debug", "info", "warning", "error"),
    )


def unknown_names(environ: Mapping[str, str]) -> dict[str, str]:
    """The ``PORTAL_…`` names that no setting has, each with the setting that is meant, if one is like it."""
    known = {PREFIX + each.name.upper() for each in fields(RawSettings)}
    known |= {f"{name}_FILE" for name in known}
    strange = sorted(name for name in environ if name.startswith(PREFIX) and name not in known)
    return {name: next(iter(get_close_matches(name, known, 1, 0.7)), "") for name in strange}


def _read(environ: Mapping[str, str]) -> RawSettings:
    """A variable that is empty is one that was not set."""
    values: dict[str, str] = {}
    for each in fields(RawSettings):
        name = PREFIX + each.name.upper()
        text = environ.get(name, "").strip() or _from_file(f"{name}_FILE", environ.get(f"{name}_FILE", ""))
        if text:
            values[each.name] = text if each.metadata["as_it_is"] else plain(name, text)
    return RawSettings(**values)


def _from_file(name: str, path: str) -> str:
    if not path.strip():
        return ""
    try:
        text = Path(path.strip()).read_text("utf-8").strip()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it holds no text in UTF-8"
        raise ConfigurationError(f"{name} names a file that can't be read: {reason}.") from error
    if not text:
        raise ConfigurationError(f"{name} names a file that is empty.")
    return text


def _refuse_unsafe(raw: RawSettings, base_url: str, database_url: str, public: bool) -> None:
    if not public:
        return
    if not base_url.startswith("https://"):
        raise ConfigurationError(
            "PORTAL_BASE_URL is public but not https: secrets would travel in the clear. "
            "Put a proxy with TLS in front and write https://."
        )
    for name, value in (("SECRET_KEY", raw.secret_key), ("PEPPERS", raw.peppers)):
        if not value:
            raise ConfigurationError(
                f"PORTAL_{name} is missing, and PORTAL_BASE_URL is public. "
                f"Give it, for example with PORTAL_{name}_FILE."
            )
    if not truth("LIMITS_ENABLED", raw.limits_enabled):
        raise ConfigurationError(
            "PORTAL_LIMITS_ENABLED=false is for load tests and refused with a public base URL."
        )
    if truth("MAIL_CLEAR_TEXT", raw.mail_clear_text):
        raise ConfigurationError(
            "PORTAL_MAIL_CLEAR_TEXT=true is refused with a public base URL: "
            "the links in mails open accounts. Use a mail server with TLS."
        )
    if crosses_in_the_clear(database_url):
        raise ConfigurationError(
            "PORTAL_DATABASE_URL names another machine without TLS, and PORTAL_BASE_URL is public. "
            "Add ?sslmode=verify-full, or require."
        )
    if os.environ.get("FLASK_DEBUG", "0").lower() not in {"", "0", "false", "no"}:
        raise ConfigurationError("FLASK_DEBUG is on, and PORTAL_BASE_URL is public. Switch it off.")


def _limits_store(raw: RawSettings) -> str:
    if raw.limits_store.startswith("memory:") and raw.workers != "1":
        raise ConfigurationError(
            "PORTAL_LIMITS_STORE=memory:// counts in each process for itself, so with more than one "
            "worker no limit would hold. Leave it out, or set PORTAL_WORKERS=1."
        )
    return raw.limits_store

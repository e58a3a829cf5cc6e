"""Every setting, once: its name, its type, its default, its meaning, and how its text is read.

Each field of :class:`Settings` is read from the environment variable ``PORTAL_<NAME>``, or from
the file that ``PORTAL_<NAME>_FILE`` names (the habit of container secrets). ``docs/settings.md`` is
held to this list by a test.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Secret,
    SecretStr,
    ValidationInfo,
    field_validator,
)
from pydantic.fields import FieldInfo

import config_addresses as addresses
import config_values as values
from config_brand import Brand
from config_values import PREFIX, ConfigurationError, told
from portal.permissions import LONGEST_LIFE

MOST_KEYS = 100_000
SHORTEST_AUDIT_DAYS, LONGEST_AUDIT_DAYS = 400, 36_500
"""The database lets nothing go that is younger."""
MOST_CALLS = 2_000_000_000
"""What fits into the column of a key's own limit."""


def _by_role(highest: int) -> BeforeValidator:
    def read(text: str, info: ValidationInfo) -> dict[str, int]:
        default = Settings.model_fields[str(info.field_name)].default
        return values.by_role(text, info, default, highest)

    return BeforeValidator(read)


class Settings(Brand):
    """The settings, read and checked. A setting may look at those above it; a secret is never printed."""

    model_config = ConfigDict(
        frozen=True,
        validate_default=True,
        hide_input_in_errors=True,
        alias_generator=lambda name: f"{PREFIX}{name.upper()}",
    )

    env_file: str = told(
        "",
        "File with settings, read by the rules of systemd's EnvironmentFile; what stands in the "
        "environment itself wins.",
    )
    instance_path: Annotated[Path, AfterValidator(Path.absolute)] = told(
        "instance",
        "Folder for the database, the mail files and the secrets that were not given.",
    )
    host: Annotated[str, BeforeValidator(addresses.host_of)] = told(
        "127.0.0.1",
        "Address that the server listens on. One that other machines reach asks for a base URL.",
    )
    port: Annotated[int, BeforeValidator(addresses.port_of)] = told(
        "8000", "Port that the server listens on."
    )
    base_url: Annotated[str, BeforeValidator(addresses.base_url_of)] = told(
        "",
        "Address that people and scripts use, with a path where the portal stands below one "
        "(https://example.org/keys); links in emails begin with it. "
        "Default: http:// with the host and the port.",
    )
    database_url: Annotated[SecretStr, BeforeValidator(addresses.database_of)] = told(
        "",
        "sqlite:///path, from the instance folder on unless it begins with a /, or "
        "postgresql+psycopg://user:password@host/name. Default: sqlite:///portal.db.",
    )
    database_pooler: Annotated[str, BeforeValidator(addresses.pooler_of)] = told(
        "none",
        "transaction when a pooler such as PgBouncer, in transaction mode, stands between the "
        "portal and PostgreSQL: then no statement is prepared. none when there is no pooler, or one in "
        "session mode.",
    )
    workers: Annotated[int, BeforeValidator(values.whole_number(1, 256))] = told(
        "2", "Worker processes of the server."
    )
    mail_url: SecretStr = told(
        "file:",
        "file: writes mail/*.eml files in the instance folder; smtp://user:password@host:port "
        "sends (smtps:// with TLS from the first byte).",
    )
    mail_clear_text: Annotated[
        bool,
        BeforeValidator(values.truth),
        values.never_in_public(
            True,
            "PORTAL_MAIL_CLEAR_TEXT=true is refused with a public base URL: "
            "the links in emails open accounts. Use a mail server with TLS.",
        ),
    ] = told(
        "false",
        "true sends email, whose links open accounts, to a server on another machine "
        "without TLS; refused with a public base URL.",
    )
    mail_ca: Annotated[str, BeforeValidator(values.certificates_of)] = told(
        "",
        "Certificates (PEM) that the mail server's is checked against; PORTAL_MAIL_CA_FILE names "
        "a file that holds them. Default: those that this machine trusts.",
    )
    mail_from: str = told(
        "chatelaine@localhost",
        "Sender of the mails: an address, or Name <address>. Default name: PORTAL_NAME.",
    )
    key_prefix: Annotated[str, BeforeValidator(values.checked_prefix)] = told(
        "chk", "What every secret begins with, before the underscore."
    )
    key_headers: Annotated[tuple[str, ...], BeforeValidator(values.key_headers_of)] = told(
        "X-API-Key",
        "Headers that a key may come in beside Authorization, separated by commas; none for no "
        "other. Each holds the secret, or key:secret.",
    )
    key_environments: Annotated[bool, BeforeValidator(values.truth)] = told(
        "false",
        "true lets the secret of a key that is labelled live or test say so: "
        "chk_live_… and chk_test_…, with the prefix above.",
    )
    keys_per_account: Annotated[Mapping[str, int], _by_role(MOST_KEYS)] = told(
        "100",
        "Live keys that an account may have: one number for every role, or role=number pairs "
        "separated by commas; a role that is not named keeps its default.",
    )
    longest_life: Annotated[Mapping[str, int], _by_role(LONGEST_LIFE.days)] = told(
        "365", "Days that a key may live, written like the keys of an account; 365 at most."
    )
    limits_enabled: Annotated[
        bool,
        BeforeValidator(values.truth),
        values.never_in_public(
            False, "PORTAL_LIMITS_ENABLED=false is for load tests and refused with a public base URL."
        ),
    ] = told("true", "false switches the limits off for load tests; refused with a public base URL.")
    limits_store: Annotated[SecretStr, BeforeValidator(addresses.limits_store_of)] = told(
        "",
        "Where the calls of keys are counted for all workers and machines: an address that the "
        "package limits knows, such as redis://host:6379. Default: the database.",
    )
    calls_per_minute: Annotated[Mapping[str, int], _by_role(MOST_CALLS)] = told(
        "6000,support=60000,admin=60000",
        "Calls per minute for each key: one number for every role, or role=number pairs "
        "separated by commas; a role that is not named keeps its default.",
    )
    calls_per_day: Annotated[Mapping[str, int], _by_role(MOST_CALLS)] = told(
        "1000000,support=10000000,admin=10000000",
        "Calls per day (UTC) for each key, written like those in a minute.",
    )
    excess_warn: Annotated[int, BeforeValidator(values.whole_number(0, 100))] = told(
        "80",
        "Percent of a key's calls in a day at which its owner is warned by email; 0 warns nobody.",
    )
    excess_revoke: Annotated[int, BeforeValidator(values.or_zero(values.whole_number(0, MOST_CALLS)))] = told(
        "",
        "Calls of an account refused for being above a limit, in one day (UTC), for which all "
        "keys of the account are revoked permanently. Default: nothing is revoked.",
    )
    audit_days: Annotated[
        int, BeforeValidator(values.or_zero(values.whole_number(SHORTEST_AUDIT_DAYS, LONGEST_AUDIT_DAYS)))
    ] = told(
        "",
        "Days that the audit log is kept, 400 at least: a key lives up to 365, and what was done "
        "with it is told as long. Default: for ever.",
    )
    trusted_proxies: Annotated[tuple[addresses.Network, ...], BeforeValidator(addresses.networks_of)] = told(
        "",
        "Networks (CIDR, separated by commas) of the reverse proxies that are believed when they "
        "tell a visitor's address, in the header that PORTAL_PROXY_HEADER names. Default: nobody's.",
    )
    proxy_header: Annotated[str, BeforeValidator(addresses.proxy_header_of)] = told(
        "",
        "The one header in which the proxies tell the visitor's address: X-Forwarded-For if they "
        "all set it and drop names with underscores, as deploy/nginx.conf does; else a name that nobody "
        "can guess, of 16 or more letters and digits. Goes with PORTAL_TRUSTED_PROXIES.",
    )
    cors_origins: Annotated[frozenset[str], BeforeValidator(addresses.origins_of)] = told(
        "",
        "Origins whose pages may call the API from a browser, with keys and JWTs and never with "
        "cookies: each exactly, as https://app.example.org, separated by commas. Default: none.",
    )
    hsts_subdomains: Annotated[bool, BeforeValidator(values.truth)] = told(
        "false",
        "true has browsers use https for every name below the portal's own too "
        "(includeSubDomains of Strict-Transport-Security).",
    )
    security_contact: Annotated[str, BeforeValidator(values.contact_of)] = told(
        "",
        "Where finders of a weakness write to (mailto: or https:), for security.txt. "
        "Default: the sender of the emails.",
    )
    github_keys: Annotated[str, BeforeValidator(addresses.keys_source_of)] = told(
        "",
        "Where the public keys of GitHub's secret scanning are: "
        "https://api.github.com/meta/public_keys/secret_scanning, or a file with the same content. "
        "Default: reports from GitHub are not taken.",
    )
    selfcheck_after: Annotated[int, BeforeValidator(values.whole_number(0, 86_400))] = told(
        "60",
        "Seconds after its start that the jobs try the promises, once for each version, in a process "
        "that gives way to all others; 0 for never.",
    )
    log_level: Annotated[str, BeforeValidator(values.one_of("debug", "info", "warning", "error"))] = told(
        "info", "debug, info, warning or error."
    )
    secret_key: Annotated[SecretStr, BeforeValidator(values.strong), values.kept(values.random_text)] = told(
        "",
        "Signs cookies and JWTs: at least 32 random characters. "
        "Created once and kept in the instance folder when not given.",
    )
    peppers: Annotated[
        Secret[Mapping[str, bytes]],
        BeforeValidator(values.pepper_ring),
        values.kept(lambda: f"p1:{values.random_text()}"),
    ] = told(
        "",
        "Key ring for the digests of secrets: id:value pairs separated by commas, the first "
        "is for new digests, the others still verify. "
        "Created once and kept in the instance folder when not given.",
    )

    _of_one_line = field_validator("*", mode="before")(values.plain)

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
        return values.is_public(self.base_url)

    @property
    def current_pepper(self) -> str:
        """The id of the pepper that new digests are made with."""
        return next(iter(self.peppers.get_secret_value()))


def load_settings(overrides: Mapping[str, str] | None = None) -> Settings:
    """Read the settings from the environment; ``overrides`` (``PORTAL_…`` names) win.

    Raises ConfigurationError with one sentence when a setting cannot be used.
    """
    environ = {**os.environ, **(overrides or {})}
    texts = {name: values.text_of(name, environ) for name in variables()}
    try:
        settings = Settings.model_validate({name: text for name, text in texts.items() if text})
        settings.instance_path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(
            f"PORTAL_INSTANCE_PATH can't be used ({error.filename}): {error.strerror}."
        ) from error
    return settings


def variables() -> dict[str, FieldInfo]:
    """Each setting by its ``PORTAL_…`` name."""
    return {str(field.alias): field for field in Settings.model_fields.values()}


def unknown_names(environ: Mapping[str, str]) -> dict[str, str]:
    """The ``PORTAL_…`` names that no setting has, each with the setting that is meant, if one is like it."""
    known = {form for name in variables() for form in (name, f"{name}_FILE")}
    strange = sorted(name for name in environ if name.startswith(PREFIX) and name not in known)
    return {name: next(iter(get_close_matches(name, known, 1, 0.7)), "") for name in strange}

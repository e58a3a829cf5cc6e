"""How the addresses in settings are read and checked: the portal's, the database's, the proxies'.

Each function raises ConfigurationError with one sentence when a text can't be used.
"""

from __future__ import annotations

import ipaddress
import os
import re
import secrets
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import ValidationInfo
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from config_values import ConfigurationError, is_loopback, is_public, one_of, whole_number

SHORTEST_HEADER = 16
FORWARDED_FOR = "X-Forwarded-For"
WIDEST = {4: 8, 6: 16}
"""The shortest prefix of a network of proxies, by version: nobody's proxies have more of the internet."""
LOCAL = frozenset({ipaddress.IPv6Network("fc00::/7"), ipaddress.IPv6Network("fe80::/10")})
"""Private networks of IPv6 are taken from these (RFC 4193, RFC 4291); nobody outside is in them."""
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
HOST = re.compile(r"[a-z0-9._-]+|[0-9a-f.:]+")
SUB_PATH = re.compile(r"(?:/[A-Za-z0-9._~-]+)*")
ENCRYPTED = frozenset({"require", "verify-ca", "verify-full"})
"""What ``sslmode`` has to say; with libpq's default, prefer, whoever is in between can refuse TLS."""


def host_of(text: str) -> str:
    """An address of this machine, as the server takes it: a number, and localhost by its own."""
    if text.lower() == "localhost":
        return "127.0.0.1"
    inner = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    try:
        if "%" not in inner:  # a zone means something on one machine only
            return str(ipaddress.ip_address(inner))
    except ValueError:
        pass
    raise ConfigurationError(
        "PORTAL_HOST must be an address of this machine: 127.0.0.1, 0.0.0.0 for all of them, or one of IPv6."
    )


def port_of(text: str, info: ValidationInfo) -> int:
    """The port; a service of Kubernetes that is called portal sets the variable as well."""
    if text.startswith("tcp://"):
        raise ConfigurationError(
            "PORTAL_PORT is what Kubernetes sets for a service that is called portal. Call it otherwise, or "
            "write enableServiceLinks: false into the pod."
        )
    return whole_number(1, 65535)(text, info)


def in_url(host: str) -> str:
    """An address as a URL has it: one of IPv6 in brackets."""
    return f"[{host}]" if ":" in host else host


def base_url_of(text: str, info: ValidationInfo) -> str:
    """Where people reach the portal: where it listens, unless that is told; and safely, if in public."""
    host = info.data["host"]
    if not text and not is_loopback(host):
        raise ConfigurationError(
            "PORTAL_HOST lets other machines in, and PORTAL_BASE_URL does not say by which address. "
            "Give it, as https://keys.example.org."
        )
    url = _base_url(text or f"http://{in_url(host)}:{info.data['port']}")
    if is_public(url) and not url.startswith("https://"):
        raise ConfigurationError(
            "PORTAL_BASE_URL is public but not https: secrets would travel in the clear. "
            "Put a proxy with TLS in front and write https://."
        )
    if is_public(url) and os.environ.get("FLASK_DEBUG", "0").lower() not in {"", "0", "false", "no"}:
        raise ConfigurationError("FLASK_DEBUG is on, and PORTAL_BASE_URL is public. Switch it off.")
    return url


def _base_url(text: str) -> str:
    """Scheme, host and port, in small letters, as browsers send them; and a path, if there is one."""
    text = text.rstrip("/")
    try:
        parts = urlsplit(text)
        host, port = (parts.hostname or "").lower(), parts.port
    except ValueError as error:
        raise ConfigurationError(f"PORTAL_BASE_URL can't be read: {error}.") from error
    if parts.scheme not in {"http", "https"} or not host or port == 0:
        raise ConfigurationError("PORTAL_BASE_URL must begin with http:// or https:// and a host.")
    if parts.query or parts.fragment or parts.username:
        raise ConfigurationError("PORTAL_BASE_URL is scheme, host, port and path only: no query or user.")
    if not SUB_PATH.fullmatch(parts.path) or {".", ".."} & set(parts.path.split("/")):
        raise ConfigurationError(
            "PORTAL_BASE_URL has a path of other characters than letters, digits, dots, hyphens and slashes."
        )
    if not HOST.fullmatch(host):
        raise ConfigurationError(
            "PORTAL_BASE_URL has a host of other characters than letters, digits, dots and hyphens: "
            "write a name in other letters as xn--…"
        )
    return f"{parts.scheme}://{parts.netloc.lower()}{parts.path}"


def origins_of(text: str) -> frozenset[str]:
    """Origins as browsers write them (RFC 6454): in small letters, without the port that the scheme has."""
    return frozenset(_origin(part.strip().lower()) for part in text.split(",") if part.strip())


def _origin(text: str) -> str:
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        parts, host, port = urlsplit(""), "", None
    if (
        not (HOST.fullmatch(host) and text.removesuffix("/") == f"{parts.scheme}://{parts.netloc}")
        or "@" in text
    ):
        raise ConfigurationError(
            "PORTAL_CORS_ORIGINS must be origins like https://app.example.org, separated by commas: scheme, "
            "host and port, and neither * nor null, which are everybody."
        )
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(host)):
        raise ConfigurationError(
            "PORTAL_CORS_ORIGINS must begin with https://: what came over http may be anybody's page."
        )
    default = {"https": 443, "http": 80}[parts.scheme]
    return f"{parts.scheme}://{in_url(host)}{'' if port in {None, default} else f':{port}'}"


def database_of(text: str, info: ValidationInfo) -> str:
    """The address of a database, if the portal keeps its promises on its kind; memory keeps nothing.

    The path of an SQLite file begins at the instance folder, unless it is absolute, and is so
    afterwards: whoever reads the address finds the same file, wherever they were started.
    """
    url = _database(text or "sqlite:///portal.db", info.data["instance_path"])
    if is_public(info.data["base_url"]) and _crosses_in_the_clear(url):
        raise ConfigurationError(
            "PORTAL_DATABASE_URL names another machine without TLS, and PORTAL_BASE_URL is public. "
            "Add ?sslmode=verify-full, or require."
        )
    return url


def _database(text: str, folder: Path) -> str:
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        url = None
    if url is not None and url.drivername == "postgresql+psycopg":
        return text
    if url is not None and (url.drivername, url.host) == ("sqlite", None) and _is_file(url.database):
        if url.query:
            raise ConfigurationError("PORTAL_DATABASE_URL names an SQLite file, and takes nothing after a ?.")
        return URL.create("sqlite", database=str(folder / str(url.database))).render_as_string()
    raise ConfigurationError(
        "PORTAL_DATABASE_URL must be sqlite:///path or postgresql+psycopg://user:password@host/name."
    )


def pooler_of(text: str, info: ValidationInfo) -> str:
    """How the pooler before the database works; SQLite has none."""
    how = one_of("none", "transaction")(text, info)
    if how != "none" and info.data["database_url"].get_secret_value().startswith("sqlite"):
        raise ConfigurationError(
            "PORTAL_DATABASE_POOLER is for PostgreSQL, and PORTAL_DATABASE_URL names SQLite."
        )
    return how


def limits_store_of(text: str, info: ValidationInfo) -> str:
    """Where calls are counted; a memory can't be shared by workers."""
    if text.startswith("memory:") and info.data["workers"] != 1:
        raise ConfigurationError(
            "PORTAL_LIMITS_STORE=memory:// counts in each process for itself, so with more than one "
            "worker no limit would hold. Leave it out, or set PORTAL_WORKERS=1."
        )
    return text


def _is_file(name: str | None) -> bool:
    return name not in {None, "", ":memory:"}


def _crosses_in_the_clear(text: str) -> bool:
    """Whether a database is on another machine, and TLS is not insisted on."""
    url = make_url(text)
    if not url.drivername.startswith("postgresql"):
        return False
    given = url.query.get("sslmode") or os.environ.get("PGSSLMODE", "")
    hosts = [*_listed(url.host), *_listed(url.query.get("host")), *_listed(url.query.get("hostaddr"))]
    is_local = all(host.startswith(("/", "@")) or is_loopback(host) for host in hosts)
    return not is_local and given not in ENCRYPTED


def _listed(hosts: str | tuple[str, ...] | None) -> list[str]:
    texts = (hosts,) if isinstance(hosts, str) else hosts or ()
    return [host.strip() for text in texts for host in text.split(",") if host.strip()]


def unmapped(network: Network) -> Network:
    """IPv4 where it is written as mapped into IPv6: addresses are seen as IPv4 then."""
    if isinstance(network, ipaddress.IPv6Network) and network.prefixlen >= 96:
        mapped = network.network_address.ipv4_mapped
        if mapped is not None:
            return ipaddress.IPv4Network((mapped, network.prefixlen - 96))
    return network


def _is_local(network: Network) -> bool:
    """Whether a network is, or lies in, one that no address of the internet is in."""
    return isinstance(network, ipaddress.IPv6Network) and any(network.subnet_of(own) for own in LOCAL)


def networks_of(text: str) -> tuple[Network, ...]:
    """Networks that are separated by commas; together none that has half the world in it."""
    try:
        found = tuple(
            unmapped(ipaddress.ip_network(part.strip())) for part in text.split(",") if part.strip()
        )
    except ValueError as error:
        raise ConfigurationError(
            f"PORTAL_TRUSTED_PROXIES must be networks like 10.0.0.0/8: {error}."
        ) from error
    for network in _joined(found):
        if network.prefixlen < WIDEST[network.version] and not _is_local(network):
            raise ConfigurationError(
                f"PORTAL_TRUSTED_PROXIES trusts {network}, so that visitors could tell their own address: "
                "name only the networks that your proxies ask from."
            )
    return found


def _joined(networks: Iterable[Network]) -> list[Network]:
    """The same addresses in as few networks as there can be: halves make a whole."""
    given = list(networks)
    fours = [each for each in given if isinstance(each, ipaddress.IPv4Network)]
    sixes = [each for each in given if isinstance(each, ipaddress.IPv6Network)]
    return [*ipaddress.collapse_addresses(fours), *ipaddress.collapse_addresses(sixes)]


def proxy_header_of(text: str, info: ValidationInfo) -> str:
    """The header in which the proxies tell the visitor's address.

    A name of letters and digits alone is written in one way only, and a long one can't be
    guessed: no visitor sends it past a proxy that forgets to set it. Of ``X-Forwarded-For``
    the operator vouches that no other way to write it comes through.
    """
    has_proxies = bool(info.data["trusted_proxies"])
    if text and not has_proxies:
        raise ConfigurationError(
            "PORTAL_PROXY_HEADER is believed of the proxies alone that PORTAL_TRUSTED_PROXIES names: "
            "name them there, or leave both out."
        )
    if has_proxies and not text:
        raise ConfigurationError(
            "PORTAL_TRUSTED_PROXIES needs PORTAL_PROXY_HEADER, the header in which the proxy says where "
            f"a visitor comes from. With deploy/nginx.conf write {FORWARDED_FOR}. Any other proxy should "
            "set a header that nobody else knows: take Visitor and some digits of your own, such as "
            f"Visitor{secrets.token_hex(6)}; docs/operations.md has the line for each proxy."
        )
    is_unknown = text.isascii() and text.isalnum() and len(text) >= SHORTEST_HEADER
    if text and not is_unknown and text != FORWARDED_FOR:
        raise ConfigurationError(
            f"PORTAL_PROXY_HEADER must be a name of {SHORTEST_HEADER} or more letters and digits that "
            f"nobody can guess, such as Visitor{secrets.token_hex(6)}, or exactly {FORWARDED_FOR}."
        )
    return text


def keys_source_of(text: str) -> str:
    """A URL that nobody on the way can change, or a file that is there."""
    if "://" in text:
        try:
            parts = urlsplit(text)
        except ValueError as error:
            raise ConfigurationError(f"PORTAL_GITHUB_KEYS can't be read: {error}.") from error
        if parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname or "")):
            return text
        raise ConfigurationError("PORTAL_GITHUB_KEYS must begin with https://, or name a file.")
    if text and not os.path.isfile(text):  # noqa: PTH113  # Path.is_file() raises for a name that is too long
        raise ConfigurationError("PORTAL_GITHUB_KEYS names a file that is not there.")
    return str(Path(text).absolute()) if text else ""

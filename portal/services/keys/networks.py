"""The networks that a key may be used from, as CIDRs; ``!`` before one keeps it out.

An address is let in when it lies in one of the allowed networks (or none is named) and in
none of those that are kept out.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from functools import lru_cache

from config_addresses import Network, unmapped
from portal.models.key import NETWORKS_LENGTH
from portal.services.core.errors import InvalidInput

OUT = "!"


def parse_networks(given: Iterable[str]) -> str:
    """Write networks as they are kept: canonical, each once, in the order that was given.

    ``10.1.2.3/8`` becomes ``10.0.0.0/8`` and an address alone its own network. Raises
    InvalidInput with ``networksInvalid``, naming the first that can't be read, and with
    ``networksTooLong``.
    """
    kept: dict[str, None] = {}
    for text in filter(None, (each.strip() for each in given)):
        sign = OUT if text.startswith(OUT) else ""
        try:
            network = _read(text[len(sign) :].strip())
        except ValueError as error:
            raise InvalidInput("networksInvalid", "networks", value=text[:50]) from error
        kept[f"{sign}{network}"] = None
    joined = " ".join(kept)
    if len(joined) > NETWORKS_LENGTH:
        raise InvalidInput("networksTooLong", "networks", maximum=NETWORKS_LENGTH)
    return joined


def allows(networks: str, ip_address: str | None) -> bool:
    """Whether a key with these networks, as they are kept, may be used from an address.

    An address that is not known is let in only where every address is.
    """
    if not networks:
        return True
    try:
        parsed = ipaddress.ip_address((ip_address or "").partition("%")[0])
    except ValueError:
        return False
    mapped = parsed.ipv4_mapped if isinstance(parsed, ipaddress.IPv6Address) else None
    place = mapped or parsed
    inside, outside = split(networks)
    return (not inside or _within(place, inside)) and not _within(place, outside)


def are_within(networks: str, bounds: str) -> bool:
    """Whether ``networks`` allow no address that ``bounds`` keep out; both as they are kept.

    Careful rather than clever: what is kept out by ``bounds`` has to be kept out again.
    """
    inside, outside = split(networks)
    allowed, forbidden = split(bounds)
    if any(not any(_covers(own, network) for own in outside) for network in forbidden):
        return False
    return not allowed or (bool(inside) and all(any(_covers(a, n) for a in allowed) for n in inside))


@lru_cache(256)
def split(networks: str) -> tuple[tuple[Network, ...], tuple[Network, ...]]:
    """The networks that are allowed, and those that are kept out."""
    words = networks.split()
    return (
        tuple(ipaddress.ip_network(word) for word in words if not word.startswith(OUT)),
        tuple(ipaddress.ip_network(word[1:]) for word in words if word.startswith(OUT)),
    )


def _read(text: str) -> Network:
    """One network; ValueError also for one with a zone, which means something on one machine only."""
    if "%" in text:
        raise ValueError("a zone is no part of a network")
    return unmapped(ipaddress.ip_network(text, strict=False))


def _within(place: ipaddress.IPv4Address | ipaddress.IPv6Address, networks: tuple[Network, ...]) -> bool:
    return any(place in network for network in networks)


def _covers(wide: Network, narrow: Network) -> bool:
    return (
        wide.version == narrow.version
        and wide.prefixlen <= narrow.prefixlen
        and narrow.network_address in wide
    )

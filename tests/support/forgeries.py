"""What a visitor may write to be taken for somebody else, or for the proxy itself."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

FORWARDED_FOR = b"X-Forwarded-For"
OTHERS = (
    b"Forwarded", b"X-Real-IP", b"X-Client-IP", b"Client-IP", b"True-Client-IP", b"CF-Connecting-IP",
    b"X-Envoy-External-Address", b"X-Original-Forwarded-For", b"Via", b"Remote-Addr", b"Visitor",
)  # fmt: skip
Lines = tuple[bytes, ...]


def twins(name: bytes) -> list[bytes]:
    """A name in every mix of dashes and underscores, which the server takes for one."""
    parts = name.split(b"-")
    return [
        parts[0] + b"".join(mark + part for mark, part in zip(marks, parts[1:], strict=True))
        for marks in product((b"-", b"_"), repeat=len(parts) - 1)
    ]


def names_of(header: bytes) -> list[bytes]:
    """The header that is believed, in every way to write it, and those that are believed elsewhere."""
    return list(dict.fromkeys([header, *twins(FORWARDED_FOR), header.upper(), header.lower()]))


def by_http1(header: bytes, address: bytes) -> Iterator[Lines]:
    """Headers of requests by HTTP/1, line by line, each believed once by some server."""
    for name in names_of(header):
        forged = name + b": " + address
        yield (forged,)
        yield (forged, forged)
        yield (name + b":" + address + b", " + address,)
        for moved in (b"Content-Type: text/plain", b"Content-Length: 0", b"Cookie: a=b"):
            yield (moved, forged)
            yield (forged, moved)
        yield (b"Content-Type: a/b", b"Content-Length: 0", b"Cookie: a=b", forged, forged)
        yield (name + b": \xff",)
        yield (name + b": " + address + b"\xff",)
        yield (name + b": " + address, name + b": \x80")
        yield (name + b":",)
        yield (b"X-A: b\n" + forged,)
        yield (b"X-A: b\r" + forged,)
        yield (b"X-A: b\r\n " + forged,)
        yield (name + b" : " + address,)
        yield (name + b"\t: " + address,)
        yield (b"\xff" + name + b": " + address,)
        yield (b"Connection: close, " + name,)
        yield (b"Connection: " + name, forged)
        yield (name + b": " + b"127.0.0.1," * 30 + address,)
    for name in OTHERS:
        yield (name + b": " + (b"for=" if name == b"Forwarded" else b"") + address,)
    yield (b"Transfer-Encoding: chunked", b"Trailer: " + header)
    yield tuple(b"X-%d: y" % n for n in range(95))


def by_http2(header: bytes, address: bytes) -> Iterator[tuple[tuple[bytes, bytes], ...]]:
    """Headers of requests by HTTP/2, where a name is any bytes and nothing divides lines."""
    for name in names_of(header):
        forged = (name.lower(), address)
        yield (forged,)
        yield (forged, forged)
        for moved in ((b"content-type", b"text/plain"), (b"content-length", b"0"), (b"cookie", b"a=b")):
            yield (moved, forged)
            yield (forged, moved)
        yield ((name.lower(), b"\xff"),)
        yield ((name.lower(), address + b"\xff"),)
        yield ((name.lower(), b""),)
        yield ((b"x-a", b"b\r\n" + name + b": " + address),)
        yield ((b"x-a", b"b\n" + name + b": " + address),)
        yield ((b"x-a: b\r\n" + name.lower(), address),)
        yield ((name, address),)
        yield ((b"connection", b"close, " + name.lower()),)
        yield ((b"te", b"trailers, " + name.lower()),)
    for name in OTHERS:
        yield ((name.lower(), address),)

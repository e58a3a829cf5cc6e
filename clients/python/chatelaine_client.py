"""Ask a Chatelaine portal whether a visitor's key is good; copy this file beside your code.

    portal = Portal("https://keys.example.org", SERVICE_KEY, SERVICE_SECRET)
    visitor = portal.check(authorization_header, level=3, address=client_address)

It asks introspection (RFC 7662) with a service key, follows no redirect, and fails closed:
whatever is not a clear yes raises. Python 3.11 or newer, and nothing else.
"""

from __future__ import annotations

import functools
import hashlib
import hmac
import http.client
import json
import os
import secrets
import ssl
import threading
import time
from base64 import b64decode, b64encode
from collections import OrderedDict, deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, urlencode, urlsplit

__all__ = ["Forbidden", "NotAuthenticated", "Portal", "PortalUnavailable", "Refused", "Throttled", "Visitor"]

_LONGEST_TOKEN, _LONGEST_ANSWER, _MOST_IDLE = 512, 64 * 1024, 8
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}
_Reply = tuple[int, http.client.HTTPMessage, bytes]


class Refused(Exception):
    """The visitor is not let in; ``status``, ``headers`` and ``body`` are for the answer to it."""

    status, code = 403, "forbidden"

    def __init__(self, message: str, *, retry_after: int = 0) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.body = {"error": self.code, "message": message}

    @property
    def headers(self) -> dict[str, str]:
        """What belongs to the status."""
        if self.status == http.client.UNAUTHORIZED:
            return {"WWW-Authenticate": 'Basic realm="API", charset="UTF-8", Bearer realm="API"'}
        return {"Retry-After": str(self.retry_after)} if self.retry_after else {}


class NotAuthenticated(Refused):
    """No key, or none that is good now."""

    status, code = 401, "authenticationFailed"


class Forbidden(Refused):
    """The key is good, but of too low a level."""

    status, code = 403, "insufficientAccessLevel"


class Throttled(Refused):
    """The key has used up its calls; ``retry_after`` is in seconds."""

    status, code = 429, "tooManyRequests"


class PortalUnavailable(Refused):
    """The portal can't be reached, refuses this service, or answers nothing that makes sense."""

    status, code = 503, "portalUnavailable"


@dataclass(frozen=True, slots=True)
class Visitor:
    """Whose key was shown. ``account`` never changes; ``expires_at`` is in seconds since 1970."""

    account: str
    username: str
    role: str
    level: int
    key: str
    expires_at: int


class Portal:
    """One portal, asked by one service; safe to share between threads.

    ``key`` and ``secret`` are those of a service key. With ``cache_seconds`` a yes is kept in
    memory for so long (never past the key's end); until then a revocation isn't noticed, and
    calls are neither counted nor limited. A no is never kept, and secrets aren't either: an
    answer is found again by an HMAC under a key of this process. ``timeout`` is in seconds.
    """

    def __init__(
        self,
        url: str,
        key: str,
        secret: str,
        *,
        cache_seconds: float = 0,
        cache_size: int = 1024,
        timeout: float = 3.0,
        allow_http: bool = False,
        context: ssl.SSLContext | None = None,
    ) -> None:
        parts = urlsplit(url)
        if not _is_safe(parts, allow_http=allow_http):
            raise ValueError("the portal's URL is https://…, or http:// on this machine")
        self._path = parts.path.rstrip("/") + "/api/introspect"
        self._authorization = "Basic " + b64encode(f"{key}:{secret}".encode()).decode()
        where: dict[str, Any] = {"host": parts.hostname or "", "port": parts.port, "timeout": timeout}
        kind: type[http.client.HTTPConnection] = http.client.HTTPConnection
        if parts.scheme == "https":
            kind, where["context"] = http.client.HTTPSConnection, context or ssl.create_default_context()
        self._connect = functools.partial(kind, **where)
        self._idle: deque[http.client.HTTPConnection] = deque()
        with suppress(AttributeError):  # where nothing forks
            os.register_at_fork(after_in_child=self._begin_anew)
        self._cache = _Cache(cache_seconds, cache_size if cache_seconds > 0 else 0)

    def check(self, token_or_header: str | None, *, level: int = 0, address: str | None = None) -> Visitor:
        """Tell whose key this is, when it is good and reaches ``level``.

        Takes the ``Authorization`` header (Basic or Bearer), or a bare secret. ``address`` is
        the visitor's; keys that are bound to networks are good only when it is told. Raises
        NotAuthenticated, Forbidden, Throttled or PortalUnavailable, all of them Refused.
        """
        token = _read_token(token_or_header or "")
        visitor = self._cache.find(token, address)
        if visitor is None:
            asked_at = time.time()
            visitor = self._ask(token, address)
            self._cache.keep(token, address, visitor, asked_at)
        if visitor.level < level:
            raise Forbidden(f"a key of level {level} or higher is needed")
        return visitor

    def require(self, level: int = 0) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """Let only good keys reach a view of Flask, and put the visitor into ``flask.g.visitor``."""

        def decorate(view: Callable[..., Any]) -> Callable[..., Any]:
            @functools.wraps(view)
            def guarded(*args: Any, **kwargs: Any) -> Any:
                from flask import current_app, g, request

                shown = request.headers.get("Authorization")
                try:
                    g.visitor = self.check(shown, level=level, address=request.remote_addr)
                except Refused as refused:
                    return refused.body, refused.status, refused.headers
                return current_app.ensure_sync(view)(*args, **kwargs)

            return guarded

        return decorate

    def dependency(self, level: int = 0) -> Callable[..., Visitor]:
        """Let only good keys reach a route of FastAPI: ``Depends(portal.dependency(level=3))``."""
        from fastapi import HTTPException, Request

        def visitor(request: Any) -> Visitor:
            shown, client = request.headers.get("Authorization"), request.client
            try:
                return self.check(shown, level=level, address=client.host if client else None)
            except Refused as refused:
                raise HTTPException(refused.status, refused.body, refused.headers) from refused

        visitor.__annotations__["request"] = Request
        return visitor

    def close(self) -> None:
        """Close the connections that are kept for the next question."""
        while self._idle:
            self._idle.pop().close()

    def _ask(self, token: str, address: str | None) -> Visitor:
        form = {"token": token} | ({"address": address} if address else {})
        try:
            status, headers, body = self._post(urlencode(form).encode())
        except (OSError, http.client.HTTPException) as error:
            raise PortalUnavailable("the portal can't be reached") from error
        if status != http.client.OK:
            raise PortalUnavailable(f"the portal answers {status}", retry_after=_seconds(headers))
        told = _read_answer(body)
        if told["active"] is False:
            if wait := _seconds(headers):
                raise Throttled("the key has used up its calls", retry_after=wait)
            raise NotAuthenticated("no good key was shown")
        visitor = _read_visitor(told)
        key, colon, _secret = token.partition(":")
        if visitor.expires_at <= time.time() or (colon and key.lower() != visitor.key):
            raise NotAuthenticated("no good key was shown")
        return visitor

    def _begin_anew(self) -> None:
        """Share with the parent neither its connections, nor a lock that one of its threads held."""
        self._idle.clear()
        self._cache.unlock()

    def _post(self, body: bytes) -> _Reply:
        """Ask over a connection that is left, unless it was cut meanwhile, or over a new one."""
        with suppress(IndexError, ConnectionError, ssl.SSLEOFError, ssl.SSLZeroReturnError):
            return self._send(self._idle.pop(), body)
        return self._send(self._connect(), body)

    def _send(self, connection: http.client.HTTPConnection, body: bytes) -> _Reply:
        headers = {
            "Authorization": self._authorization,
            "Content-Type": "application/x-www-form-urlencoded",
            "Accept": "application/json",
        }
        is_kept = False
        try:
            connection.request("POST", self._path, body, headers)
            response = connection.getresponse()
            data = response.read(_LONGEST_ANSWER + 1)
            is_kept = response.isclosed() and not response.will_close
        finally:
            if is_kept and len(self._idle) < _MOST_IDLE:
                self._idle.append(connection)
            else:
                connection.close()
        return response.status, response.headers, data


class _Cache:
    """Yeses of the last seconds, the newest ones."""

    def __init__(self, seconds: float, size: int) -> None:
        self._seconds, self._size = seconds, size
        self._pepper = secrets.token_bytes(32)
        self._kept: OrderedDict[bytes, tuple[float, Visitor]] = OrderedDict()
        self._lock = threading.Lock()

    def find(self, token: str, address: str | None) -> Visitor | None:
        with self._lock:
            kept = self._kept.get(self._name(token, address))
        if kept is None:
            return None
        asked_at, visitor = kept
        end = min(asked_at + self._seconds, visitor.expires_at)
        return visitor if asked_at <= time.time() < end else None  # also when the clock was set back

    def keep(self, token: str, address: str | None, visitor: Visitor, asked_at: float) -> None:
        name = self._name(token, address)
        with self._lock:
            self._kept[name] = (asked_at, visitor)
            self._kept.move_to_end(name)
            if len(self._kept) > self._size:
                self._kept.popitem(last=False)

    def unlock(self) -> None:
        self._lock = threading.Lock()

    def _name(self, token: str, address: str | None) -> bytes:
        return hmac.digest(self._pepper, f"{address}\0{token}".encode(), hashlib.sha256)


def _is_safe(parts: SplitResult, *, allow_http: bool) -> bool:
    """Whether a service's own secret may be sent there."""
    if not parts.hostname or parts.username or parts.query or parts.fragment:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and (allow_http or parts.hostname in _LOOPBACK))


def _read_token(text: str) -> str:
    """The token of a header, or the bare one; NotAuthenticated for what can't be one."""
    scheme, space, rest = text.strip().partition(" ")
    token = "" if space else scheme
    if scheme.lower() == "bearer" and ":" not in rest:
        token = rest.strip()
    elif scheme.lower() == "basic":
        with suppress(ValueError):
            pair = b64decode(rest.strip(), validate=True).decode()
            token = pair if ":" in pair else ""
    if not token or len(token) > _LONGEST_TOKEN or not token.isprintable() or " " in token:
        raise NotAuthenticated("no key was shown")
    return token


def _seconds(headers: http.client.HTTPMessage) -> int:
    text = headers.get("Retry-After", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 9 else 0


def _read_answer(body: bytes) -> dict[str, Any]:
    try:
        told = json.loads(body) if len(body) <= _LONGEST_ANSWER else None
    except (ValueError, RecursionError):
        told = None
    if not isinstance(told, dict) or not isinstance(told.get("active"), bool):
        raise PortalUnavailable("the portal's answer makes no sense")
    return told


def _read_visitor(told: dict[str, Any]) -> Visitor:
    names = {"sub": str, "username": str, "role": str, "level": int, "client_id": str, "exp": int}
    facts: list[Any] = [told.get(name) for name in names]
    if [type(fact) for fact in facts] != list(names.values()):
        raise PortalUnavailable("the portal's answer makes no sense")
    return Visitor(*facts)

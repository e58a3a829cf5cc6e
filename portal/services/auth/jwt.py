"""JSON Web Tokens (RFC 7519, RFC 8725): one algorithm, all claims checked, tied to a session."""

from __future__ import annotations

import hmac
from uuid import UUID

import jwt

from portal import clock
from portal.extensions import settings
from portal.models import UserSession
from portal.services.auth import sessions

ALGORITHM = "HS256"
AUDIENCE = "chatelaine-api"
CLAIMS = ["iss", "aud", "sub", "iat", "nbf", "exp", "jti"]
LONGEST_TOKEN = 2048


def issue(signed: UserSession) -> str:
    """Write the token of a session; it ends with the session, and not later."""
    created = int(signed.created_at.timestamp())
    return jwt.encode(
        {
            "iss": settings.base_url,
            "aud": AUDIENCE,
            "sub": str(signed.account_id),
            "iat": created,
            "nbf": created,
            "exp": int(signed.expires_at.timestamp()),
            "jti": str(signed.id),
        },
        _signing_key(),
        algorithm=ALGORITHM,
    )


def read(token: str) -> UserSession | None:
    """The session of a token that is ours, in time and not ended; None otherwise.

    The machine that made it may be ahead by the leeway of our clock (RFC 7519, 4.1.5); its end has none.
    Header parameters that would choose a key (``jku``, ``jwk``, ``x5u``, ``kid``, ``crit``)
    are refused, not ignored.
    """
    if len(token) > LONGEST_TOKEN:
        return None
    try:
        if set(jwt.get_unverified_header(token)) != {"alg", "typ"}:
            return None
        claims = jwt.decode(
            token,
            _signing_key(),
            algorithms=[ALGORITHM],
            audience=AUDIENCE,
            issuer=settings.base_url,
            options={"require": CLAIMS, "verify_exp": False, "verify_nbf": False, "verify_iat": False},
        )
        now_ms = clock.now_ms()
        if not claims["nbf"] * 1000 <= now_ms + clock.LEEWAY_MS or now_ms >= claims["exp"] * 1000:
            return None
        signed = sessions.resume_by_id(UUID(claims["jti"]))
    except (jwt.PyJWTError, ValueError, TypeError, AttributeError, RecursionError):
        return None
    if signed is None or str(signed.account_id) != claims["sub"]:
        return None
    return signed


def _signing_key() -> bytes:
    return hmac.digest(settings.secret_key.get_secret_value().encode(), b"chatelaine: JWT", "sha256")

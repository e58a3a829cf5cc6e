"""Who is let in: keys (RFC 7617), JWTs (RFC 6750, 7519, 8725), and nobody else."""

from __future__ import annotations

import hmac
import json
import statistics
import time
from base64 import b64encode, urlsafe_b64encode
from typing import Any
from uuid import UUID, uuid4

import jwt as pyjwt
import pytest
from flask import Flask
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from werkzeug.test import TestResponse

from portal.permissions import ROLE_LEVELS, Role
from portal.runtime import runtime_of
from portal.services.auth import jwt, sessions
from portal.services.core.outcomes import Outcome
from portal.services.keys import revocation, secrets
from portal.services.operators import actions
from tests.api.conftest import Bearer
from tests.conftest import MakeKey
from tests.support.cast import Cast, CreatedKey
from tests.support.client import PageChecker
from tests.support.clock import Clock
from tests.support.settings import SECRET_KEY

BASIC = 'Basic realm="Chatelaine", charset="UTF-8"'
INVALID_TOKEN = ', Bearer realm="Chatelaine", error="invalid_token"'
no_database = pytest.mark.sqlite_only(reason="how credentials are read has nothing to do with the database")
bytes_of_a_header = settings(
    deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def encoded(pair: str | bytes) -> str:
    return b64encode(pair.encode() if isinstance(pair, str) else pair).decode()


def whoami(client: PageChecker, authorization: str) -> TestResponse:
    return client.get("/api/whoami/key", headers={"Authorization": authorization})


def forged(key: CreatedKey) -> str:
    """A secret that is well formed, and not the key's."""
    other = secrets.create_secret("chk")
    assert other != key.secret
    return other


@no_database
@pytest.mark.parametrize("scheme", ["Basic", "basic", "BASIC", "bAsIc"])
def test_the_scheme_is_taken_in_any_case(
    client: PageChecker, cast: Cast, make_key: MakeKey, scheme: str
) -> None:
    key = make_key(cast.alice)

    assert whoami(client, f"{scheme} {encoded(f'{key.id}:{key.secret}')}").status_code == 200


@no_database
def test_the_key_is_taken_in_any_case(client: PageChecker, cast: Cast, make_key: MakeKey) -> None:
    key = make_key(cast.alice)

    assert client.get("/api/whoami/key", auth=(key.id.upper(), key.secret)).status_code == 200


@no_database
def test_what_is_not_quite_basic_is_refused(client: PageChecker, cast: Cast, make_key: MakeKey) -> None:
    key = make_key(cast.alice)
    pair = f"{key.id}:{key.secret}"
    good = encoded(pair)
    for header in (
        "",
        "Basic",
        "Basic ",
        good,
        f"Bearer {good}",
        f"Basic{good}",
        f"Basic {good}!",
        f"Basic {good[:-1]}",
        f"Basic {good} {good}",
        f"Basic {good}, Basic {good}",
        f"Basic {encoded(pair.replace(':', ''))}",
        f"Basic {encoded(pair + ':')}",
        f"Basic {encoded(':' + pair)}",
        f"Basic {encoded(pair + chr(0))}",
        f"Basic {encoded(pair + chr(10))}",
        f"Basic {encoded(' ' + pair)}",
        f"Basic {encoded(pair.encode() + bytes([0xFF]))}",
        f"Basic {encoded(pair.encode('utf-16'))}",
        f"Basic {encoded(f'{{{key.id}}}:{key.secret}')}",
        f"Basic {encoded(key.id.replace('-', '') + ':' + key.secret)}",
        f"Basic {encoded('x' * 5000)}",
        f"Basic {encoded(f'{key.id}:{key.secret[:-1]}')}",
    ):
        response = whoami(client, header)
        assert response.status_code == 401, header
        speaks_bearer = header.lower().startswith("bearer ")
        assert response.headers["WWW-Authenticate"] == BASIC + (INVALID_TOKEN if speaks_bearer else "")


@no_database
@bytes_of_a_header
@given(raw=st.binary(max_size=300))
@example(raw=b"Basic \xff")
def test_no_header_at_all_breaks_the_door(unlimited: PageChecker, raw: bytes) -> None:
    text = raw.decode("latin-1").replace("\r", "").replace("\n", "")
    for header in (text, f"Basic {text}", f"Basic {b64encode(raw).decode()}", f"Bearer {text}"):
        for path in ("/api/whoami/key", "/api/whoami/jwt"):
            response = unlimited.get(path, environ_overrides={"HTTP_AUTHORIZATION": header})
            assert response.status_code == 401


def refusals(
    app: Flask, client: PageChecker, cast: Cast, make_key: MakeKey, clock: Clock
) -> list[TestResponse]:
    """What somebody without the right secret gets: for no key, a live, a revoked and an expired one."""
    live, revoked, expired = make_key(cast.alice), make_key(cast.alice), make_key(cast.alice, days=0.01)
    with app.app_context():
        revocation.revoke_key(cast.alice.actor, UUID(revoked.id))
    clock.forward(hours=1)
    return [
        client.get("/api/whoami/key", auth=(key_id, forged(live)))
        for key_id in (str(uuid4()), live.id, revoked.id, expired.id)
    ]


def test_to_strangers_all_refusals_look_alike(
    app: Flask, client: PageChecker, cast: Cast, make_key: MakeKey, clock: Clock
) -> None:
    answers = refusals(app, client, cast, make_key, clock)
    answers.append(client.get("/api/whoami/key"))
    answers.append(whoami(client, "Basic nonsense"))
    seen = {
        (
            answer.status_code,
            answer.text.replace(answer.headers["X-Request-Id"], "id"),
            str(sorted((n, v) for n, v in answer.headers.items() if n != "X-Request-Id")),
        )
        for answer in answers
    }

    assert len(seen) == 1
    assert answers[0].status_code == 401
    assert answers[0].json
    assert answers[0].json["error"] == "authenticationFailed"
    assert answers[0].headers["WWW-Authenticate"] == BASIC


@pytest.mark.sqlite_only(reason="PostgreSQL reads at every check, so there is nothing kept to betray a key")
def test_refusals_take_the_same_time(app: Flask, cast: Cast, make_key: MakeKey) -> None:
    key = make_key(cast.alice)
    decide = runtime_of(app).verifier.decide
    decide(key.id, key.secret)
    wrong = forged(key)

    def time_of(key_id: str) -> float:
        begun = time.thread_time_ns()
        for _ in range(20):
            decide(key_id, wrong)
        return time.thread_time_ns() - begun

    samples = [(time_of(key.id), time_of(str(uuid4()))) for _ in range(200)]
    known, unknown = (statistics.median(each) for each in zip(*samples, strict=True))

    assert 0.67 < known / unknown < 1.5


def test_the_holder_is_told_why(
    app: Flask, client: PageChecker, cast: Cast, make_key: MakeKey, clock: Clock
) -> None:
    revoked, expired = make_key(cast.alice), make_key(cast.alice, days=0.01)
    with app.app_context():
        revocation.revoke_key(cast.alice.actor, UUID(revoked.id))
    clock.forward(hours=1)

    for key, code in ((revoked, "apikeyRevoked"), (expired, "apikeyExpired")):
        response = client.get("/api/account/key", headers=key.headers)
        assert response.status_code == 401
        assert response.json
        assert response.json["error"] == code
        assert response.headers["WWW-Authenticate"] == BASIC


@no_database
@pytest.mark.parametrize(
    ("outcome", "status"),
    [(Outcome.BLOCKED, 403), (Outcome.LOCKED, 403), (Outcome.CONSENT_LACKING, 451)],
)
def test_a_living_key_of_an_account_that_may_own_none_is_refused(
    app: Flask,
    client: PageChecker,
    cast: Cast,
    make_key: MakeKey,
    monkeypatch: pytest.MonkeyPatch,
    outcome: Outcome,
    status: int,
) -> None:
    """The database lets no such key live; the doors would refuse it all the same."""
    key = make_key(cast.alice)
    decision = runtime_of(app).verifier.decide(key.id, key.secret)._replace(outcome=outcome)
    monkeypatch.setattr(runtime_of(app).verifier, "decide", lambda *_pair: decision)

    for path in ("/api/whoami/key", "/api/account/key"):
        response = client.get(path, headers=key.headers)
        assert response.status_code == status
        assert response.json
        assert response.json["error"] == outcome.value


def test_a_key_expires_at_the_very_second(
    client: PageChecker, cast: Cast, make_key: MakeKey, clock: Clock
) -> None:
    clock.stop()
    key = make_key(cast.alice, days=1)

    clock.forward(days=1, seconds=-1)
    assert client.get("/api/whoami/key", headers=key.headers).status_code == 200
    clock.forward(seconds=1)
    assert client.get("/api/whoami/key", headers=key.headers).status_code == 401


def test_a_failed_check_slows_its_source_and_a_good_secret_passes(
    client: PageChecker, cast: Cast, make_key: MakeKey
) -> None:
    key = make_key(cast.alice)
    statuses = [client.get("/api/whoami/key", auth=(key.id, forged(key))).status_code for _ in range(61)]
    slowed = client.get("/api/whoami/key", auth=(key.id, forged(key)))

    assert set(statuses[:60]) == {401}
    assert slowed.status_code == 429
    assert 0 < int(slowed.headers["Retry-After"]) <= 60
    assert client.get("/api/whoami/key", headers=key.headers).status_code == 200
    elsewhere = {"REMOTE_ADDR": "192.0.2.9"}
    other = client.get("/api/whoami/key", auth=(key.id, forged(key)), environ_base=elsewhere)
    assert other.status_code == 401


def test_the_level_that_counts_falls_with_the_role(
    app: Flask, client: PageChecker, cast: Cast, make_key: MakeKey, bearer: Bearer
) -> None:
    key, headers = make_key(cast.sue, level=8), bearer(cast.sue)
    with app.app_context():
        actions.set_role(cast.ada.actor, cast.sue.account_id, Role.USER)

    assert client.get("/api/whoami/key", headers=key.headers).status_code == 401
    wanted = {"name": "x", "level": 5, "expiresIn": 60}
    refused = client.post("/api/apikeys/jwt", json=wanted, headers=headers)
    assert refused.json
    assert refused.json["error"] == "keyLevelExceedsRoleLevel"


def test_a_token_opens_what_the_role_reaches(
    client: PageChecker, cast: Cast, bearer: Bearer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every role reaches all that a token opens today; a lower one would not."""
    headers = bearer(cast.alice)
    for level, reads, writes in ((1, 403, 403), (2, 200, 403), (4, 200, 200)):
        monkeypatch.setitem(ROLE_LEVELS, Role.USER, level)
        assert client.get("/api/whoami/jwt", headers=headers).status_code == 200
        assert client.get("/api/account/jwt", headers=headers).status_code == reads
        assert client.patch("/api/account/jwt", json={"bio": "x"}, headers=headers).status_code == writes


def test_the_browsers_cookie_opens_nothing(client: PageChecker, cast: Cast) -> None:
    cast.alice.sign_in(client)

    for path in ("/api/whoami/jwt", "/api/whoami/key", "/api/account/jwt", "/api/apikeys/key"):
        response = client.get(path)
        assert response.status_code == 401
        assert "Set-Cookie" not in response.headers


@no_database
@pytest.mark.parametrize(
    "name", ["key", "secret", "token", "apikey", "access_token", "Access_Token", "password"]
)
@pytest.mark.parametrize("path", ["/api/whoami/key", "/api/apikeys/jwt", "/api/openapi.json"])
def test_credentials_in_the_url_are_refused(
    client: PageChecker, cast: Cast, make_key: MakeKey, path: str, name: str
) -> None:
    response = client.get(f"{path}?{name}=x", headers=make_key(cast.alice).headers)

    assert response.status_code == 400
    assert response.json
    assert response.json["error"] == "credentialsInUrl"


@pytest.fixture
def claims(app: Flask, bearer: Bearer, cast: Cast) -> dict[str, Any]:
    """The claims of a good token of Alice's."""
    token = bearer(cast.alice)["Authorization"].partition(" ")[2]
    decoded: dict[str, Any] = pyjwt.decode(token, options={"verify_signature": False})
    return decoded


KEY = hmac.digest(SECRET_KEY.encode(), b"chatelaine: JWT", "sha256")


def ask(client: PageChecker, token: str) -> int:
    return client.get("/api/whoami/jwt", headers={"Authorization": f"Bearer {token}"}).status_code


def by_hand(header: dict[str, Any], claims: object, key: bytes = KEY, digest: str = "sha256") -> str:
    """A token as somebody would write it who knows the key but not the rules."""
    head, body = (
        urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in (header, claims)
    )
    tag = urlsafe_b64encode(hmac.digest(key, f"{head}.{body}".encode(), digest)).rstrip(b"=").decode()
    return f"{head}.{body}.{tag}"


HEADER = {"alg": "HS256", "typ": "JWT"}


@no_database
def test_a_good_token_is_let_in(client: PageChecker, claims: dict[str, Any]) -> None:
    assert len(KEY) >= 32
    assert ask(client, by_hand(HEADER, claims)) == 200


@no_database
@pytest.mark.parametrize(
    "header",
    [
        {"alg": "none", "typ": "JWT"},
        {"alg": "None", "typ": "JWT"},
        {"alg": "hs256", "typ": "JWT"},
        {"alg": "RS256", "typ": "JWT"},
        {"typ": "JWT"},
        {**HEADER, "crit": ["exp"]},
        {**HEADER, "crit": ["b64"], "b64": False},
        {**HEADER, "jku": "http://127.0.0.1/keys"},
        {**HEADER, "x5u": "http://127.0.0.1/keys"},
        {**HEADER, "jwk": {"kty": "oct", "k": "AAAA"}},
        {**HEADER, "kid": "../../../../dev/null"},
        {**HEADER, "kid": "' OR 1=1"},
        {**HEADER, "zip": "DEF"},
    ],
    ids=str,
)
def test_a_header_that_plays_tricks_is_refused(
    client: PageChecker, claims: dict[str, Any], header: dict[str, Any]
) -> None:
    assert ask(client, by_hand(header, claims)) == 401


@no_database
@pytest.mark.parametrize("algorithm", ["HS384", "HS512"])
def test_another_algorithm_is_refused(client: PageChecker, claims: dict[str, Any], algorithm: str) -> None:
    assert ask(client, pyjwt.encode(claims, KEY * 2, algorithm=algorithm)) == 401
    header = {"alg": algorithm, "typ": "JWT"}
    assert ask(client, by_hand(header, claims, digest=f"sha{algorithm[2:]}")) == 401


@no_database
@pytest.mark.parametrize(
    "change",
    [
        {"iss": "http://127.0.0.1:9"},
        {"iss": None},
        {"aud": "another"},
        {"aud": None},
        {"exp": 1},
        {"exp": "tomorrow"},
        {"nbf": 99999999999},
        {"nbf": "x"},
        {"jti": "0193f3c1-0000-7000-8000-000000000000"},
        {"jti": 7},
        {"jti": "x"},
        {"sub": "2"},
        {"sub": 1},
        *({name: ...} for name in jwt.CLAIMS),
    ],
    ids=str,
)
def test_every_claim_is_checked(client: PageChecker, claims: dict[str, Any], change: dict[str, Any]) -> None:
    changed = {name: value for name, value in (claims | change).items() if value is not ...}

    assert ask(client, by_hand(HEADER, changed)) == 401


@no_database
def test_what_is_no_token_of_ours_is_refused(client: PageChecker, claims: dict[str, Any]) -> None:
    good = by_hand(HEADER, claims)
    deep = urlsafe_b64encode(b'{"a":' + b"[" * 1400).decode().rstrip("=")
    for token in (
        "",
        "x",
        "..",
        "a.b.c",
        good[:-2],
        good + "x",
        good.rpartition(".")[0] + ".",
        good.rpartition(".")[0],
        f"{good} {good}",
        by_hand(HEADER, claims, key=SECRET_KEY.encode()),
        by_hand(HEADER, claims, key=b""),
        by_hand(HEADER, []),
        by_hand(HEADER, "x"),
        f"{deep}.{deep}.x",
        "x" * 3000,
    ):
        assert ask(client, token) == 401, token[:80]
    assert ask(client, good) == 200


@no_database
def test_a_bearer_is_challenged_as_rfc_6750_says(client: PageChecker) -> None:
    without = client.get("/api/whoami/jwt")
    wrong = client.get("/api/whoami/jwt", headers={"Authorization": "Bearer x"})

    assert without.headers["WWW-Authenticate"] == 'Bearer realm="Chatelaine"'
    assert wrong.headers["WWW-Authenticate"] == 'Bearer realm="Chatelaine", error="invalid_token"'


def test_a_token_ends_with_its_session_its_time_and_its_account(
    app: Flask, client: PageChecker, cast: Cast, bearer: Bearer, clock: Clock
) -> None:
    ended, late, blocked = bearer(cast.alice), bearer(cast.bob), bearer(cast.sue)
    with app.app_context():
        sessions.end_other_sessions(cast.alice.actor)
        actions.block(cast.ada.actor, cast.sue.account_id, why="spam")

    assert client.get("/api/whoami/jwt", headers=ended).status_code == 401
    assert client.get("/api/whoami/jwt", headers=blocked).status_code == 401
    assert client.get("/api/whoami/jwt", headers=late).status_code == 200
    clock.forward(hours=12)
    assert client.get("/api/whoami/jwt", headers=late).status_code == 401

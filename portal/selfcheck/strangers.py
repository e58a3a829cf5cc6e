"""What strangers can't do: learn anything, end anything, or come by another name."""

from __future__ import annotations

from sqlalchemy import func, select
from werkzeug.test import TestResponse

from portal.models import Account, ApiKey, Status
from portal.selfcheck.forms import fields_of
from portal.selfcheck.stage import DAY, EXPIRED, GOOD, REVOKED, UNKNOWN, Made, Stage, hold
from portal.services import keys, limits, secrets

CHANGING = {"Date", "X-Request-Id", "RateLimit", "Retry-After"}
MORE_THAN_ENOUGH = 70
"""Failed checks from one source, above what slows it."""
TRIES = 12
"""Failed sign-ins from one source, above what slows it."""


def look_alike(stage: Stage) -> None:
    """Show a wrong secret for keys in every state, and the right one for the same keys."""
    owner = stage.person()
    expired = stage.key(owner, life=DAY)
    stage.clock.forward(days=1)
    living, revoked = stage.key(owner), stage.key(owner)
    stage.act(lambda: keys.revoke_key(owner.actor, revoked.uuid))
    wrong = secrets.make_secret(stage.scratch.worker().config["PORTAL"].key_prefix)
    shown = {
        "an unknown key": Made(str(secrets.uuid7()), wrong),
        "a living key": Made(living.id, wrong),
        "a revoked key": Made(revoked.id, wrong),
        "an expired key": Made(expired.id, wrong),
        "a broken secret": Made(living.id, living.secret[:-1]),
    }
    told = {name: _words(stage.call("GET", "/api/whoami/key", made)) for name, made in shown.items()}
    first = told["an unknown key"]
    hold(UNKNOWN in first, f"an unknown key was answered with {first[:60]}")
    for name, words in told.items():
        hold(words == first, f"a wrong secret of {name} is answered in another way than an unknown key")
    told_nobody = stage.call("GET", "/api/whoami/key")
    hold(told_nobody.status_code == 401, f"who shows no key was answered with {told_nobody.status_code}")
    hold("WWW-Authenticate" in told_nobody.headers, "who shows no key is not told how to show one")
    for made, expected in ((living, GOOD), (revoked, REVOKED), (expired, EXPIRED)):
        seen = stage.check(made)
        hold(seen == expected, f"a holder of the secret was told {seen} instead of {expected}")


def harmless(stage: Stage) -> None:
    """Fail at signing in and at checks of a key, more often than is borne, and use the good ones after."""
    owner = stage.person()
    made = stage.key(owner)
    wrong = Made(made.id, secrets.make_secret(stage.scratch.worker().config["PORTAL"].key_prefix))
    statuses = {stage.call("GET", "/api/whoami/key", wrong).status_code for _ in range(MORE_THAN_ENOUGH)}
    hold(429 in statuses, "a source of failed checks was not slowed")
    body = {"username": owner.email, "password": "not the password"}
    statuses = {stage.call("POST", "/api/signin", json=body).status_code for _ in range(TRIES)}
    hold(429 in statuses, "a source of failed sign-ins was not slowed")
    seen = stage.check(made)
    hold(seen == GOOD, f"a good secret from a slowed source was answered with {seen}")
    for number in range(2 * limits.SIGN_IN_NAME.amount):
        far = f"203.0.{number // 250}.{number % 250 + 1}"
        stage.act(lambda far=far: limits.may_sign_in(far, owner.email))  # type: ignore[misc]
    stage.address = stage.address.replace("198.18.", "198.19.")
    stage.jwt(owner)
    status = stage.rows(select(Account.status).where(Account.id == owner.account_id))[0][0]
    hold(status == Status.ACTIVE, "a stranger has shut an account")
    ended = select(func.count()).where(ApiKey.account_id == owner.account_id, ApiKey.revoked_at.is_not(None))
    hold(stage.rows(ended)[0][0] == 0, "a stranger has revoked a key")


def hidden(stage: Stage) -> None:
    """Sign up, sign in and forget the password, with an address that is known and one that is not."""
    known = stage.person().email
    unknown = known.replace("person", "nobody")
    for path, rest in (
        ("/api/signup", {"language": "en"}),
        ("/api/signin", {"password": "not the password"}),
    ):
        name = "username" if path == "/api/signin" else "email"
        told = [
            _words(stage.call("POST", path, json={name: email} | rest)).replace(email, "")
            for email in (known, unknown)
        ]
        hold(told[0] == told[1], f"{path} answers a known address in another way than an unknown one")
    told = []
    for email in (known, unknown):
        client = stage.client()
        form = fields_of(stage.call("GET", "/password/forgot", client=client).text) | {"email": email}
        answer = stage.call("POST", "/password/forgot", client=client, data=form, headers=_own(stage))
        told.append(f"{answer.status_code} {answer.headers.get('Location')}".replace(email, ""))
    hold(told[0] == told[1], "a forgotten password tells whether an address is known")


def anothers(stage: Stage) -> None:
    """Ask for a key of somebody else, and for one that is not there."""
    made, token = stage.key(stage.person()), stage.jwt(stage.person())
    for method, path in (("GET", ""), ("DELETE", ""), ("POST", "/rotate")):
        told = [
            _words(stage.call(method, f"/api/apikeys/{key}{path}/jwt", headers=token))
            for key in (made.id, secrets.uuid7())
        ]
        hold(told[0] == told[1], f"{method} tells that a key of somebody else is there")
        hold(told[0].startswith("404 "), f"{method} on the key of somebody else: {told[0][:40]}")
    hold(stage.check(made) == GOOD, "somebody else has revoked a key")


def other_hosts(stage: Stage) -> None:
    """Ask for pages under another name, in each header that could carry one."""
    for path in ("/", "/signin", "/password/forgot", "/api/openapi.json"):
        answer = stage.call("GET", path, base_url="https://evil.example")
        hold(answer.status_code == 400, f"{path} was served to another host")
    for name in ("X-Forwarded-Host", "X-Host", "Forwarded"):
        value = "host=evil.example" if name == "Forwarded" else "evil.example"
        answer = stage.call("GET", "/", headers={name: value})
        hold("evil.example" not in answer.text, f"a page believed {name}")


def forged_forms(stage: Stage) -> None:
    """Send forms without their token, with that of another session, and from another site."""
    owner, other = stage.person(), stage.client()
    client = stage.client()
    own = _own(stage)
    page = fields_of(stage.call("GET", "/signin", client=client).text)
    foreign = fields_of(stage.call("GET", "/signin", client=other).text)
    known = {"username": owner.email, "password": owner.password}
    elsewhere = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
    for name, form, headers in (
        ("without its token", known, own),
        ("with the token of another session", foreign | known, own),
        ("from another site", page | known, elsewhere),
    ):
        answer = stage.call("POST", "/signin", client=client, data=form, headers=headers)
        hold(answer.status_code in {400, 403}, f"a form {name} was answered with {answer.status_code}")
    answer = stage.call("POST", "/signin", client=client, data=page | known, headers=own)
    hold(answer.status_code in {302, 303}, f"a good form was answered with {answer.status_code}")


def _own(stage: Stage) -> dict[str, str]:
    """What a browser says of the site that a form comes from."""
    return {"Origin": stage.base_url, "Referer": f"{stage.base_url}/"}


def _words(answer: TestResponse) -> str:
    """All that an answer says, but for what is another at each request."""
    told = answer.get_json()
    told.pop("requestId", None)
    headers = sorted(f"{name}: {value}" for name, value in answer.headers if name not in CHANGING)
    return f"{answer.status_code} {told} {headers}"


CHECKS = {
    "look-alike": look_alike,
    "harmless": harmless,
    "hidden": hidden,
    "anothers": anothers,
    "other-hosts": other_hosts,
    "forged-forms": forged_forms,
}

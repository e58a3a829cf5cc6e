"""The page of the limits, and what leads to it."""

from __future__ import annotations

import pytest

from portal import clock as time
from portal.permissions import Role
from portal.runtime import runtime_of
from portal.services.abuse import excess
from portal.services.abuse.excess import ExcessPolicy
from portal.services.calls.rates import Rates

PAGE = "/account/usage-limits"


@pytest.fixture
def alice(client, cast):
    cast.alice.sign_in(client)
    return client


@pytest.fixture
def use(app, cast):
    """Let a key be used so often, and let the jobs look."""

    def use(key, *, calls=0, refused=0, revoke=0):
        usage = runtime_of(app).usage
        for _ in range(calls):
            usage.note_call(key.id, "192.0.2.1", time.now_ms())
        for _ in range(refused):
            usage.note_refusal(key.id, time.now_ms(), excess.ABOVE_LIMIT)
        usage.flush()
        with app.app_context():
            excess.escalate(
                cast.alice.account_id, ExcessPolicy(80, revoke, {role.value: Rates(9, 10) for role in Role})
            )

    return use


def text_of(part):
    return " ".join(part.get_text(" ").split()).replace(" :", ":")


def test_it_tells_the_ladder_of_this_installation(make_app, cast):
    def policy_of(**settings):
        client = make_app(**settings).test_client()
        cast.alice.sign_in(client)
        return text_of(client.page(PAGE).select_one("main"))

    default = policy_of()
    assert "Per minute 6,000 calls a key Per day 1,000,000 calls a key" in default
    assert "From 80 % of a day You get an email" in default
    assert "No key is revoked automatically here" in default
    strict = policy_of(PORTAL_EXCESS_WARN="0", PORTAL_EXCESS_REVOKE="5000", PORTAL_CALLS_PER_DAY="70")
    assert "Per day 70 calls a key" in strict
    assert "You get an email, once a day. Nothing is refused" not in strict
    assert "From 5,000 refused for it in a day All your keys are revoked, immediately and" in strict
    assert "has no rate limits at the moment" in policy_of(PORTAL_LIMITS_ENABLED="false")


def test_where_the_account_stands_and_what_happened(alice, make_app, cast, make_key, use):
    assert "Create a key" in text_of(alice.page(PAGE).select_one("main"))
    key = make_key(cast.alice, name="nightly")
    assert not alice.page("/account/keys").select(".alert")

    use(key, calls=8)
    for path in (PAGE, "/account/keys"):
        assert "A key is close to its daily limit" in text_of(alice.page(path).select_one(".alert"))
    use(key, refused=3)
    assert "Calls above a limit are refused" in text_of(alice.page("/account/keys").select_one(".alert"))
    use(key, refused=4, revoke=7)
    alert = alice.page("/account/keys").select_one(".alert")
    assert "1 key was revoked permanently on" in text_of(alert)
    assert alert.select_one(f"a[href='{PAGE}']")

    today, happened = alice.page(PAGE).select("table")
    assert text_of(today.select_one("tbody tr")) == "nightly Revoked 8 8 7 7 above a limit"
    steps = [text_of(row) for row in happened.select("tbody tr")]
    assert "All keys revoked 1 key, permanently 8 7 nightly: 8 of 10, 7 above a limit" in steps[0]
    assert ["Calls above a limit refused" in steps[1], "Warned by email" in steps[2]] == [True, True]


def test_a_revocation_is_told_for_a_week_and_a_warning_for_its_day(alice, clock, cast, make_key, use):
    use(make_key(cast.alice), calls=8)
    clock.forward(days=1)
    assert not alice.page("/account/keys").select(".alert")
    use(make_key(cast.alice), refused=3, revoke=1)
    clock.forward(days=6)
    assert "revoked permanently" in text_of(alice.page("/account/keys").select_one(".alert"))
    clock.forward(days=2)
    assert not alice.page("/account/keys").select(".alert")


def test_operators_see_it_beside_the_account(client, cast, make_key, use):
    key = make_key(cast.alice, name="nightly")
    cast.sue.sign_in(client)
    page = f"/admin/accounts/{cast.alice.account_id}"
    assert not client.page(page).select("#excess")
    use(key, calls=8)
    assert "Warned by email 8 0 nightly: 8 of 10" in text_of(client.page(page).select_one("main"))
    record = text_of(client.page(f"/admin/audit-log?account={cast.alice.account_id}").select_one("main"))
    assert "nightly: 8 of 10, 0 above a limit" in record


def test_a_key_that_was_refused_is_not_within_its_limits(alice, app, cast, make_key):
    throttled, elsewhere, good = (make_key(cast.alice, name=name) for name in ("often", "abroad", "good"))
    usage, now = runtime_of(app).usage, time.now_ms()
    for key, times, reason in ((throttled, 25, excess.ABOVE_LIMIT), (elsewhere, 2, "addressNotAllowed")):
        for _ in range(times):
            usage.note_refusal(key.id, now, reason)
    usage.note_call(good.id, "192.0.2.1", now)
    usage.flush()

    page = alice.page(PAGE)

    assert text_of(page.select_one(".callout.bad")).startswith(
        "often was refused 25 times today above its limit. It may make 6,000 calls a minute"
    )
    rows = [text_of(row) for row in page.select(".standing tbody tr")]
    assert rows[0].startswith("often Above its limit today 0 of 6,000 0 of 1,000,000 25 25 above a limit")
    assert rows[1].startswith("abroad Refused for other reasons 0 of 6,000 0 of 1,000,000 2")
    assert rows[2].startswith("good Within its limits 1 of 6,000 1 of 1,000,000 0")
    link = page.select_one(".standing td a")
    assert link
    assert link["href"] == f"/account/keys/{throttled.id}#refusals"


def test_refused_is_the_same_number_wherever_it_is_told(alice, app, cast, make_key):
    key = make_key(cast.alice, name="often")
    for times, reason in ((25, excess.ABOVE_LIMIT), (3, "addressNotAllowed"), (2, "insufficientAccessLevel")):
        for _ in range(times):
            runtime_of(app).usage.note_refusal(key.id, time.now_ms(), reason)
    runtime_of(app).usage.note_call(key.id, "192.0.2.1", time.now_ms())
    runtime_of(app).usage.flush()

    assert "30" in text_of(alice.page(PAGE).select_one(".standing .num a"))
    one = alice.page(f"/account/keys/{key.id}")
    assert "Refused, 30 days 30" in text_of(one.select_one(".tiles"))
    assert "Refused 30" in text_of(one.select_one(".legend"))
    assert (
        sum(int(row.split(" times")[0].split()[-1]) for row in map(text_of, one.select("#refusals tbody tr")))
        == 30
    )
    assert "Refused, 30 days 30" in text_of(alice.page("/account").select_one(".tiles"))

"""The tokens of mailed links: random, whole, kept as a hash, used once (row 6)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256

import pytest

from portal.models import TokenPurpose
from portal.services.core.errors import TokenInvalid
from portal.services.core.transaction import transaction
from portal.services.mail import tokens
from tests.support.waiting import WAITING, wait_until


def mint(account_id, purpose=TokenPurpose.RESET):
    with transaction() as session:
        return tokens.mint(session, purpose, account_id=account_id, email="alice@example.org")


def test_a_token_is_random_and_long(app, cast):
    with app.app_context():
        created = [mint(cast.alice.account_id) for _ in range(20)]
    assert len(set(created)) == 20
    assert min(map(len, created)) >= 43, "32 random bytes"
    assert len({token[:6] for token in created}) == 20


def test_only_the_hash_of_the_whole_token_is_kept(app, cast, database):
    with app.app_context():
        token = mint(cast.alice.account_id)
        assert tokens.find(token, TokenPurpose.RESET)
        for near in (token[:-1], token[1:], token + "x", token[:8], token.swapcase()):
            assert tokens.find(near, TokenPurpose.RESET) is None, near
    [(kept,)] = database.execute("SELECT token_hash FROM mail_tokens")
    assert bytes(kept) == sha256(token.encode()).digest()
    assert token not in database.dump()
    assert token.encode().hex()[:32] not in database.dump()


def test_a_token_is_used_once_and_for_its_purpose(app, cast):
    with app.app_context():
        token = mint(cast.alice.account_id)
        for purpose in set(TokenPurpose) - {TokenPurpose.RESET}:
            assert tokens.find(token, purpose) is None
            with pytest.raises(TokenInvalid), transaction() as session:
                tokens.redeem(session, token, purpose)
        with transaction() as session:
            assert tokens.redeem(session, token, TokenPurpose.RESET).account_id == cast.alice.account_id
        assert tokens.find(token, TokenPurpose.RESET) is None
        with pytest.raises(TokenInvalid), transaction() as session:
            tokens.redeem(session, token, TokenPurpose.RESET)


def test_using_one_ends_those_of_its_account_and_purpose_and_no_other(app, cast):
    with app.app_context():
        used, kin = mint(cast.alice.account_id), mint(cast.alice.account_id)
        other, bobs = mint(cast.alice.account_id, TokenPurpose.EMAIL), mint(cast.bob.account_id)
        with transaction() as session:
            tokens.redeem(session, used, TokenPurpose.RESET)
        assert tokens.find(kin, TokenPurpose.RESET) is None
        assert tokens.find(other, TokenPurpose.EMAIL)
        assert tokens.find(bobs, TokenPurpose.RESET)


@pytest.mark.postgresql_only(reason="on SQLite whoever writes is alone from the first statement on")
@pytest.mark.parametrize("whose", ["an account's", "nobody's"])
def test_of_two_who_use_one_token_at_once_one_is_refused(app, cast, database, whose):
    """The second has seen it unused before it waits for the first."""
    with app.app_context():
        token = mint(cast.alice.account_id if whose == "an account's" else None)

    def use():
        with app.app_context(), transaction() as session:
            try:
                return tokens.redeem(session, token, TokenPurpose.RESET)
            except TokenInvalid as error:
                return error

    with app.app_context(), ThreadPoolExecutor(1) as pool:
        with transaction() as session:
            tokens.redeem(session, token, TokenPurpose.RESET)
            second = pool.submit(use)
            wait_until(lambda: database.execute(WAITING) == [(1,)])
        assert isinstance(second.result(), TokenInvalid)

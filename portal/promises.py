"""The promises of the portal, as data: the page shows them, :mod:`portal.selfcheck` runs them."""

from __future__ import annotations

from typing import NamedTuple

from portal.permissions import N_


class Promise(NamedTuple):
    """A rule in one sentence, under an id of up to 40 characters, and the test that proves it."""

    id: str
    sentence: str
    test: str


_TABLE = {
    N_("What it rests on"): {
        "guarded": (
            N_("Every guard of the database is as the migrations left it, and nobody has added one."),
            "tests/services/system/test_readiness.py::test_a_guard_that_is_there_by_name_only_is_noticed",
        ),
        "unbroken": (
            N_("No row breaks a rule, and the audit log knows how each key began and ended."),
            "tests/services/system/test_readiness.py::test_a_row_that_breaks_a_rule_is_noticed",
        ),
        "peppers": (
            N_("Every pepper that live keys need is there, and is the right one."),
            "tests/services/keys/test_peppers.py::test_a_worker_with_a_wrong_ring_is_not_ready",
        ),
    },
    N_("What a key is"): {
        "immutable": (
            N_("Nothing about a key can be changed after its creation, not even in the database."),
            "tests/models/test_guards.py::test_nothing_of_a_key_can_be_changed",
        ),
        "expiry": (
            N_("A key is refused from the very second on at which it expires."),
            "tests/services/verify/test_verifier.py::test_a_key_expires_at_the_very_second",
        ),
        "longest-life": (
            N_("No key lives longer than 365 days."),
            "tests/models/test_guards.py::test_a_key_lives_and_at_most_365_days",
        ),
        "level-role": (
            N_("No key stands above the role of its owner."),
            "tests/models/test_guards.py::test_a_key_is_never_inserted_above_its_owner",
        ),
        "level-maker": (
            N_("A key created with a key has at most its level, and ends no later."),
            "tests/models/test_guards.py::test_a_key_made_with_a_key_stays_within_it",
        ),
        "capped": (
            N_("No account has more live keys than its role may, however many are created at one moment."),
            "tests/services/keys/test_quotas.py::test_many_at_once_make_as_many_keys_as_are_allowed",
        ),
        "secret-once": (
            N_("A secret is in the one answer that created it, and nowhere else."),
            "tests/web/test_keys.py::test_the_secret_is_nowhere_else",
        ),
        "one-key": (
            N_("A form sent twice creates one key, and after ten seconds shows no secret again."),
            "tests/web/test_keys.py::test_a_reload_makes_no_second_key_and_shows_no_secret",
        ),
    },
    N_("How a key ends"): {
        "at-once": (
            N_("Once a revocation is answered, no worker accepts the key any more."),
            (
                "tests/assurance/test_everywhere_at_once.py"
                "::test_no_worker_and_no_machine_accepts_a_key_after_its_revocation"
            ),
        ),
        "for-good": (
            N_("A revoked key never comes back, not even in the database."),
            "tests/models/test_guards.py::test_a_revoked_key_stays_revoked",
        ),
        "role-falls": (
            N_("When the role of an account is lowered, all its keys are revoked permanently."),
            "tests/services/keys/test_revocation.py::test_each_cause_revokes_all_keys_of_the_account_and_no_other",
        ),
        "role-moves": (
            N_("A role that rises, or moves to another of the same level, revokes nothing."),
            "tests/services/keys/test_revocation.py::test_a_sideways_or_upward_move_revokes_nothing",
        ),
        "blocked": (
            N_("When an operator blocks an account, all its keys are revoked permanently."),
            "tests/services/keys/test_revocation.py::test_each_cause_revokes_all_keys_of_the_account_and_no_other",
        ),
        "locked": (
            N_("When its owner locks an account, all its keys are revoked permanently."),
            "tests/services/keys/test_revocation.py::test_each_cause_revokes_all_keys_of_the_account_and_no_other",
        ),
        "consent-withdrawn": (
            N_("When consent is withdrawn, all keys of the account are revoked permanently."),
            "tests/services/keys/test_revocation.py::test_each_cause_revokes_all_keys_of_the_account_and_no_other",
        ),
        "removed": (
            N_("When an account is removed, all its keys are revoked permanently."),
            "tests/services/keys/test_revocation.py::test_each_cause_revokes_all_keys_of_the_account_and_no_other",
        ),
        "excessive": (
            N_("When its usage is called excessive, all keys of an account are revoked permanently."),
            "tests/services/keys/test_revocation.py::test_each_cause_revokes_all_keys_of_the_account_and_no_other",
        ),
        "leaked": (
            N_("A secret that anybody reports as leaked opens nothing any more."),
            "tests/services/abuse/test_leaks.py::test_the_key_is_revoked_recorded_and_its_owner_told",
        ),
        "rotated": (
            N_(
                "A rotated key works for the time chosen, never past its expiry, and one new key replaces it."
            ),
            "tests/services/keys/test_rotation.py::test_both_work_during_the_overlap_and_only_the_new_one_after_it",
        ),
        "race": (
            N_("Of keys created while a role is lowered, none is left above the role."),
            "tests/services/test_races.py::test_no_living_key_is_left_above_the_role",
        ),
    },
    N_("What the doors do"): {
        "alike": (
            N_("Every door gives a key the same answer: the API, forward auth and introspection."),
            "tests/api/test_doors.py::test_the_end_of_a_key_is_the_same_at_every_door",
        ),
        "bound": (
            N_(
                "A key is refused outside its networks, at services that are none of its audiences, "
                "before its first moment, and after too long a rest."
            ),
            "tests/api/test_doors.py::test_conditions_hold_at_every_door",
        ),
        "levels": (
            N_("A key opens what its level reaches, and nothing above."),
            "tests/api/test_doors.py::test_forward_auth_holds_the_terms_of_the_gateway",
        ),
        "exact": (
            N_("A key makes as many calls as its limit says, in total of all workers, and not one more."),
            "tests/services/calls/test_limits.py::test_two_processes_and_their_threads_never_allow_more",
        ),
        "service-keys": (
            N_("A service key checks other keys, nothing else, and only admins create one."),
            "tests/api/test_doors.py::test_a_service_key_introspects_and_does_nothing_else",
        ),
        "excess-ladder": (
            N_("Excess ends keys only where an operator has set a rung for it, and at that rung."),
            "tests/services/abuse/test_excess.py::test_nothing_is_revoked_unless_an_operator_wants_it",
        ),
    },
    N_("Who comes in"): {
        "sessions": (
            N_(
                "When an account is blocked, locked or removed, its sessions end immediately and permanently."
            ),
            "tests/services/auth/test_sessions.py::test_a_session_of_a_shut_account_does_not_go_on",
        ),
        "links": (
            N_("A link in an email works once, in its time, for its own address, and is kept nowhere."),
            "tests/services/accounts/test_recovery.py::test_a_reset_link_does_not_outlive_a_new_address",
        ),
    },
    N_("What strangers can't do"): {
        "look-alike": (
            N_("To strangers all refusals look alike; whoever holds the secret is told why."),
            "tests/api/test_auth.py::test_to_strangers_all_refusals_look_alike",
        ),
        "harmless": (
            N_("A stranger can neither revoke a key, nor lock an account, nor use up a limit."),
            "tests/services/keys/test_revocation.py::test_a_stranger_causes_no_revocation_and_no_lock",
        ),
        "hidden": (
            N_("Whether an address has an account is told to nobody who does not have the password."),
            "tests/assurance/test_strangers.py::test_the_answer_and_its_time_are_the_same_for_known_and_unknown",
        ),
        "anothers": (
            N_("What belongs to somebody else looks as if it were not there."),
            "tests/assurance/test_crawl.py::test_what_is_anothers_looks_as_if_it_were_missing",
        ),
        "forged-forms": (
            N_("No other site can act in the name of who is signed in here."),
            "tests/assurance/test_csrf.py::test_every_form_without_its_token_is_refused_and_does_nothing",
        ),
        "other-hosts": (
            N_("The portal answers to its own name only, and believes no other."),
            "tests/http/test_request_guard.py::test_only_the_host_of_the_base_url_is_served",
        ),
    },
    N_("What is recorded"): {
        "recorded": (
            N_("Every act is recorded: who, what, when, from where, and of operators why."),
            "tests/assurance/test_audit_log.py::test_each_act_has_its_record",
        ),
        "append-only": (
            N_("Nothing in the audit log can be changed or removed, not even in the database."),
            "tests/models/test_guards.py::test_the_record_is_append_only",
        ),
        "together": (
            N_("An action, its audit event and its email are saved together, or not at all."),
            "tests/assurance/test_one_transaction.py::test_whatever_fails_nothing_is_half_done",
        ),
        "last-admin": (
            N_("An admin is always left."),
            "tests/services/test_races.py::test_two_admins_can_not_end_each_other",
        ),
    },
}
"""By subject and id: the sentence, and the test."""

CHAPTERS: dict[str, tuple[Promise, ...]] = {
    title: tuple(Promise(id_, *told) for id_, told in promises.items()) for title, promises in _TABLE.items()
}

PROMISES: dict[str, Promise] = {promise.id: promise for chapter in CHAPTERS.values() for promise in chapter}
"""All of them by their ids, in the order of the chapters."""

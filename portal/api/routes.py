"""Every route of the API, in one table. What is not in it does not exist.

Of each route the table says first what it is and does, then what is asked and told. Formatters, which
would give each word a line of its own, leave it alone.
"""

from __future__ import annotations

from portal.api import (
    accounts,
    apikeys,
    authorize,
    introspect,
    key_schemas,
    leak_schemas,
    leaks,
    schemas,
    signing,
    token_schemas,
    whoami,
)
from portal.api.route import Door, Route
from portal.permissions import N_, READ_ACCOUNT, READ_OTHERS, WRITE_ACCOUNT

# fmt: off

BODY = ("postBodyMissing", "bodyNotJson", "fieldInvalid", "unsupportedMediaType", "bodyTooLarge")
TOKEN = ("tokenMissing", "fieldInvalid", "unsupportedMediaType", "bodyTooLarge")
SIGN_UP = ("emailMissing", "emailInvalid", "emailUnreachable", "languageMissing", "unsupportedLanguage")
SIGN_IN = ("usernameMissing", "passwordMissing")
SIGN_IN_REFUSED = ("signInFailed", "accountBlocked", "accountLocked")
CREATION = (
    "nameMissing", "nameTooLong", "nameNotPrintable", "levelMissing", "levelNotNumeric", "invalidLevel",
    "expiresInMissing", "expiresInNotNumeric", "expiresInHigherThanMaximum", "keyLevelExceedsRoleLevel",
)
CONDITIONS = (
    "kindInvalid", "serviceKeyLevel", "networksInvalid", "networksTooLong", "audiencesInvalid",
    "audiencesTooLong", "serviceAudience", "notBeforeInvalid", "maxIdleInvalid", "environmentInvalid",
    "noteTooLong", "noteNotPrintable", "callsPerMinuteInvalid", "callsPerDayInvalid",
    "conditionsExceedKey", "tooManyKeys",
)
ROTATION = ("tooManyKeys", "keyLevelExceedsRoleLevel", "notBeforeInvalid", "conditionsExceedKey")
PROFILE = (
    "usernameMissing", "usernameInvalid", "usernameReserved", "usernameTaken", "bioTooLong",
    "bioNotPrintable", *SIGN_UP[3:], "consentRequired",
)
PASSWORD = (
    *SIGN_UP[:3], "passwordWrong", "passwordTooShort", "passwordTooLong", "passwordTooCommon",
    "passwordHasContext", "passwordTooSimple",
)


def _routes_of(door: Door) -> tuple[Route, ...]:
    """What a JWT and a key open alike."""
    is_jwt = door is Door.JWT
    return (
        Route("GET", f"/account/{door}", door, accounts.show, N_("Read the account"),
              level=READ_ACCOUNT, answer=schemas.AccountAnswer),
        Route("PATCH", f"/account/{door}", door, accounts.change, N_("Change the account"),
              level=WRITE_ACCOUNT, without_consent=True,
              body=schemas.OwnAccountChanges if is_jwt else schemas.AccountChanges,
              answer=schemas.AccountAnswer,
              errors=(*BODY, *PROFILE, *(PASSWORD if is_jwt else ()))),
        Route("POST", f"/available/username/{door}", door, accounts.find_name,
              N_("Has somebody this name? 404 when it is free"),
              level=WRITE_ACCOUNT, body=schemas.Name, answer=schemas.NameAnswer,
              errors=(*BODY, "usernameMissing", "usernameInvalid", "usernameFree")),
        Route("POST", f"/apikeys/{door}", door, apikeys.create, N_("Create a key"),
              status=201, level=WRITE_ACCOUNT, body=key_schemas.NewKey, answer=key_schemas.NewApiKeyAnswer,
              errors=(*BODY, *CREATION, *CONDITIONS)),
        Route("GET", f"/apikeys/{door}", door, apikeys.index,
              N_("List the keys; below level 2 a key sees itself, below 4 no notes"),
              query=key_schemas.KeyListQuery, answer=key_schemas.ApiKeysAnswer, errors=("fieldInvalid",)),
        Route("GET", f"/apikeys/<key>/{door}", door, apikeys.show, N_("Read a key"),
              level=WRITE_ACCOUNT, answer=key_schemas.OwnKeyAnswer, errors=("notFound",)),
        Route("POST", f"/apikeys/<key>/rotate/{door}", door, apikeys.rotate,
              N_("Rotate a key: a new one replaces it"),
              status=201, level=WRITE_ACCOUNT, body=key_schemas.Rotation, body_required=False,
              answer=key_schemas.RotatedAnswer,
              errors=(*BODY, "overlapInvalid", *ROTATION, "notFound", "alreadyRotated")),
        Route("DELETE", f"/apikeys/<key>/{door}", door, apikeys.remove,
              N_("Revoke a key; any key may revoke itself"),
              status=204, ends_itself=door is Door.KEY, errors=("notFound",)),
    )


FORWARD_AUTH = tuple(
    Route(method, "/authorize", Door.VISITOR, authorize.authorize,
          N_("Forward auth: may this visitor pass?"),
          status=204, query=authorize.TermsQuery,
          errors=("invalidLevel", "fieldInvalid", "audiencesInvalid", "methodMissing"))
    for method in authorize.METHODS
)
"""One route for each method: gateways ask with any."""

ROUTES: tuple[Route, ...] = (
    Route("POST", "/signup", Door.OPEN, signing.sign_up, N_("Ask for an account"),
          status=201, body=schemas.SignUp, answer=schemas.SignUpAnswer,
          errors=(*BODY, *SIGN_UP, "beingSetUp")),
    Route("POST", "/confirm/signup/<token>", Door.OPEN, signing.confirm,
          N_("Confirm the email, with the token of the link in it"),
          body=schemas.Confirmation, answer=schemas.SignedInAnswer,
          errors=(*BODY, "consentRequired", "tokenInvalid")),
    Route("POST", "/signin", Door.OPEN, signing.sign_in, N_("Sign in"),
          body=schemas.SignIn, answer=schemas.SignedInAnswer,
          errors=(*BODY, *SIGN_IN, *SIGN_IN_REFUSED)),
    Route("POST", "/leaks", Door.OPEN, leaks.report,
          N_("Report leaked secrets; the answer is the same whatever they are"),
          status=202, body=leak_schemas.LeakReport, answer=schemas.Success,
          errors=(*BODY, "secretsMissing", "secretsTooMany")),
    Route("POST", "/leaks/github", Door.OPEN, leaks.receive,
          N_("Take what GitHub's secret scanning has found and signed"),
          headers=(leaks.IDENTIFIER, leaks.SIGNATURE), body=leak_schemas.GithubReports,
          answer=leak_schemas.GithubVerdicts,
          errors=("notFound", "signatureInvalid", "bodyNotJson", "fieldInvalid", "bodyTooLarge")),
    Route("GET", "/whoami/jwt", Door.JWT, whoami.show_account, N_("Whose JWT is it?"),
          without_consent=True, answer=schemas.AccountAnswer),
    Route("GET", "/whoami/key", Door.KEY, whoami.show_key, N_("Is this key good, and for what?"),
          answer=key_schemas.ApiKeyAnswer),
    *_routes_of(Door.JWT),
    *_routes_of(Door.KEY),
    Route("POST", "/introspect", Door.KEY, introspect.introspect, N_("Introspect a token (RFC 7662)"),
          level=READ_OTHERS, introspects=True, is_form=True, body=token_schemas.IntrospectedToken,
          answer=token_schemas.IntrospectionAnswer, errors=TOKEN),
    Route("POST", "/introspect/batch", Door.KEY, introspect.introspect_many,
          N_("Introspect up to 100 tokens"),
          level=READ_OTHERS, introspects=True, body=token_schemas.Tokens,
          answer=token_schemas.IntrospectedAnswer, errors=(*BODY, "tokenMissing")),
    Route("POST", "/revoke", Door.KEY, introspect.revoke, N_("Revoke a token (RFC 7009)"),
          ends_itself=True, is_form=True, body=token_schemas.Token, answer=schemas.Success,
          errors=(*TOKEN, "insufficientAccessLevel")),
    *FORWARD_AUTH,
)

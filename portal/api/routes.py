"""Every route of the API, in one table. What is not in it does not exist."""

from __future__ import annotations

from portal.api import accounts, apikeys, authorize, introspect, leaks, signing, whoami
from portal.api.key_schemas import (
    ApiKeyAnswer,
    ApiKeysAnswer,
    NewApiKeyAnswer,
    NewKey,
    OwnKeyAnswer,
    RotatedAnswer,
    Rotation,
)
from portal.api.leak_schemas import GithubReports, GithubVerdicts, LeakReport
from portal.api.route import Door, Route
from portal.api.schemas import (
    AccountAnswer,
    AccountChanges,
    Confirmation,
    IntrospectedAnswer,
    IntrospectedToken,
    IntrospectionAnswer,
    Name,
    NameAnswer,
    OwnAccountChanges,
    SignedInAnswer,
    SignIn,
    SignUp,
    SignUpAnswer,
    Success,
    Token,
    Tokens,
)
from portal.permissions import N_, READ_ACCOUNT, READ_OTHERS, WRITE_ACCOUNT

BODY = ("postBodyMissing", "bodyNotJson", "fieldInvalid", "unsupportedMediaType", "bodyTooLarge")
SIGN_UP = ("emailMissing", "emailInvalid", "emailUnreachable", "languageMissing", "unsupportedLanguage")
SIGN_IN = ("usernameMissing", "passwordMissing")
SIGN_IN_REFUSED = ("signInFailed", "accountBlocked", "accountLocked")
CREATION = (
    "nameMissing",
    "nameTooLong",
    "nameNotPrintable",
    "levelMissing",
    "levelNotNumeric",
    "invalidLevel",
    "expiresInMissing",
    "expiresInNotNumeric",
    "expiresInHigherThanMaximum",
    "keyLevelExceedsRoleLevel",
)
CONDITIONS = (
    "kindInvalid",
    "serviceKeyLevel",
    "networksInvalid",
    "networksTooLong",
    "audiencesInvalid",
    "audiencesTooLong",
    "serviceAudience",
    "notBeforeInvalid",
    "maxIdleInvalid",
    "environmentInvalid",
    "noteTooLong",
    "noteNotPrintable",
    "callsPerMinuteInvalid",
    "callsPerDayInvalid",
    "conditionsExceedKey",
    "tooManyKeys",
)
ROTATION = ("tooManyKeys", "keyLevelExceedsRoleLevel", "notBeforeInvalid", "conditionsExceedKey")
PROFILE = (
    "usernameMissing",
    "usernameInvalid",
    "usernameReserved",
    "usernameTaken",
    "bioTooLong",
    "bioNotPrintable",
    *SIGN_UP[3:],
    "consentRequired",
)
PASSWORD = (
    "emailMissing",
    "emailInvalid",
    "emailUnreachable",
    "passwordWrong",
    "passwordTooShort",
    "passwordTooLong",
    "passwordTooCommon",
    "passwordHasContext",
    "passwordTooSimple",
)


def _routes_of(door: Door) -> tuple[Route, ...]:
    """What a JWT and a key open alike."""
    return (
        Route(
            "GET",
            f"/account/{door}",
            door,
            accounts.show,
            N_("Read the account"),
            level=READ_ACCOUNT,
            answer=AccountAnswer,
        ),
        Route(
            "PATCH",
            f"/account/{door}",
            door,
            accounts.change,
            N_("Change the account"),
            level=WRITE_ACCOUNT,
            answer=AccountAnswer,
            body=OwnAccountChanges if door is Door.JWT else AccountChanges,
            errors=(*BODY, *PROFILE, *(PASSWORD if door is Door.JWT else ())),
            without_consent=True,
        ),
        Route(
            "POST",
            f"/available/username/{door}",
            door,
            accounts.find_name,
            N_("Has somebody this name? 404 when it is free"),
            level=WRITE_ACCOUNT,
            answer=NameAnswer,
            body=Name,
            errors=(*BODY, "usernameMissing", "usernameInvalid", "usernameFree"),
        ),
        Route(
            "POST",
            f"/apikeys/{door}",
            door,
            apikeys.create,
            N_("Make a key"),
            status=201,
            level=WRITE_ACCOUNT,
            answer=NewApiKeyAnswer,
            body=NewKey,
            errors=(*BODY, *CREATION, *CONDITIONS),
        ),
        Route(
            "GET",
            f"/apikeys/{door}",
            door,
            apikeys.index,
            N_("List the keys; below level 2 a key sees itself, below 4 no notes"),
            answer=ApiKeysAnswer,
            errors=("fieldInvalid",),
        ),
        Route(
            "GET",
            f"/apikeys/<key>/{door}",
            door,
            apikeys.show,
            N_("Read a key"),
            level=WRITE_ACCOUNT,
            answer=OwnKeyAnswer,
            errors=("notFound",),
        ),
        Route(
            "POST",
            f"/apikeys/<key>/rotate/{door}",
            door,
            apikeys.rotate,
            N_("Rotate a key: make its successor"),
            status=201,
            level=WRITE_ACCOUNT,
            answer=RotatedAnswer,
            body=Rotation,
            body_required=False,
            errors=(*BODY, "overlapInvalid", *ROTATION, "notFound", "alreadyRotated"),
        ),
        Route(
            "DELETE",
            f"/apikeys/<key>/{door}",
            door,
            apikeys.remove,
            N_("Revoke a key; any key may revoke itself"),
            status=204,
            ends_itself=door is Door.KEY,
            errors=("notFound",),
        ),
    )


FORWARD_AUTH = tuple(
    Route(
        method,
        "/authorize",
        Door.VISITOR,
        authorize.authorize,
        N_("Forward auth: may this visitor pass?"),
        status=204,
        errors=("invalidLevel", "fieldInvalid", "audiencesInvalid", "methodMissing"),
    )
    for method in authorize.METHODS
)
"""One route for each method: gateways ask with any."""

TOKEN = ("tokenMissing", "fieldInvalid", "unsupportedMediaType", "bodyTooLarge")

ROUTES: tuple[Route, ...] = (
    Route(
        "POST",
        "/signup",
        Door.OPEN,
        signing.sign_up,
        N_("Ask for an account"),
        status=201,
        answer=SignUpAnswer,
        body=SignUp,
        errors=(*BODY, *SIGN_UP, "beingSetUp"),
    ),
    Route(
        "POST",
        "/confirm/signup/<token>",
        Door.OPEN,
        signing.confirm,
        N_("Confirm the address, with the token of the mailed link"),
        answer=SignedInAnswer,
        body=Confirmation,
        errors=(*BODY, "consentRequired", "tokenInvalid"),
    ),
    Route(
        "POST",
        "/signin",
        Door.OPEN,
        signing.sign_in,
        N_("Sign in"),
        answer=SignedInAnswer,
        body=SignIn,
        errors=(*BODY, *SIGN_IN, *SIGN_IN_REFUSED),
    ),
    Route(
        "POST",
        "/leaks",
        Door.OPEN,
        leaks.report,
        N_("Report leaked secrets; the answer is the same whatever they are"),
        status=202,
        answer=Success,
        body=LeakReport,
        errors=(*BODY, "secretsMissing", "secretsTooMany"),
    ),
    Route(
        "POST",
        "/leaks/github",
        Door.OPEN,
        leaks.receive,
        N_("Take what GitHub's secret scanning has found and signed"),
        answer=GithubVerdicts,
        body=GithubReports,
        headers=(leaks.IDENTIFIER, leaks.SIGNATURE),
        errors=("notFound", "signatureInvalid", "bodyNotJson", "fieldInvalid", "bodyTooLarge"),
    ),
    Route(
        "GET",
        "/whoami/jwt",
        Door.JWT,
        whoami.show_account,
        N_("Whose JWT is it?"),
        answer=AccountAnswer,
        without_consent=True,
    ),
    Route(
        "GET",
        "/whoami/key",
        Door.KEY,
        whoami.show_key,
        N_("Is this key good, and for what?"),
        answer=ApiKeyAnswer,
    ),
    *_routes_of(Door.JWT),
    *_routes_of(Door.KEY),
    Route(
        "POST",
        "/introspect",
        Door.KEY,
        introspect.introspect,
        N_("Introspect a token (RFC 7662)"),
        level=READ_OTHERS,
        introspects=True,
        answer=IntrospectionAnswer,
        body=IntrospectedToken,
        is_form=True,
        errors=TOKEN,
    ),
    Route(
        "POST",
        "/introspect/batch",
        Door.KEY,
        introspect.introspect_many,
        N_("Introspect up to 100 tokens"),
        level=READ_OTHERS,
        introspects=True,
        answer=IntrospectedAnswer,
        body=Tokens,
        errors=(*BODY, "tokenMissing"),
    ),
    Route(
        "POST",
        "/revoke",
        Door.KEY,
        introspect.revoke,
        N_("Revoke a token (RFC 7009)"),
        ends_itself=True,
        answer=Success,
        body=Token,
        is_form=True,
        errors=(*TOKEN, "insufficientAccessLevel"),
    ),
    *FORWARD_AUTH,
)

"""The codes that routes of the API may answer with, by what is asked of them."""

from __future__ import annotations

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

"""The sentence for each code of an error: what went wrong, then what to do.

Pages show it beside the field, the API beside the code.
"""

from __future__ import annotations

from typing import Any

from flask_babel import gettext

from portal.extensions import settings
from portal.permissions import N_

SENTENCES: dict[str, str] = {
    # sign-up, sign-in, profile
    "postBodyMissing": N_("The request has no body. Send a JSON object."),
    "emailMissing": N_("The email is missing. Give the one that you read."),
    "emailInvalid": N_("No email can be sent to this address. Check how it is written."),
    "emailUnreachable": N_(
        "No mail can be sent from here to letters such as é or д before the @. Give another address."
    ),
    "emailTaken": N_("There is an account with this address. Choose another address."),
    "languageMissing": N_("The language is missing. Give one of: en, de, es, fr, nl."),
    "unsupportedLanguage": N_("This language is not known. Give one of: en, de, es, fr, nl."),
    "usernameMissing": N_("The name is missing. Give your name, email or number."),
    "usernameInvalid": N_(
        "This name won't do. Use 2 to 40 letters, digits, dots, underscores or hyphens, "
        "with one letter at least."
    ),
    "usernameReserved": N_("This name reads like an office of the portal. Choose another one."),
    "usernameFree": N_("Nobody has this name. You can take it in your profile."),
    "usernameTaken": N_("Somebody has this name already. Choose another one."),
    "bioTooLong": N_("This is too long. Shorten it to %(maximum)s characters."),
    "bioNotPrintable": N_("This holds %(character)s, a character that can't be shown here. Remove it."),
    "passwordMissing": N_("The password is missing. Give your password."),
    "passwordWrong": N_("This is not your current password. Try again, or reset it."),
    "passwordTooShort": N_(
        "This password is too short. Use %(limit)s characters or more; a few words are easy to remember."
    ),
    "passwordTooLong": N_("This password is too long. Use at most %(limit)s characters."),
    "passwordTooCommon": N_("This password is on the lists that guessers try first. Choose another one."),
    "passwordHasContext": N_(
        "This password is mostly your name, your address or the name of the portal. Choose another one."
    ),
    "passwordTooSimple": N_("This password repeats itself. Choose another one."),
    "consentRequired": N_("Without your consent no account can be kept. Give 1 or 2."),
    "beingSetUp": N_(
        "This portal is being set up. Nobody can sign up until it has an admin; come back later."
    ),
    "signInFailed": N_("Name or password is wrong. Try again, or reset your password."),
    "mfaTokenRequired": N_("A code of your second factor is needed. Send it as token."),
    "tokenMissing": N_("The token is missing. Send it as the form field token."),
    "tokenInvalid": N_("This link is wrong, was used, or is too old. Ask for a new one."),
    # keys
    "nameMissing": N_("The name is missing. Say what will use the key."),
    "nameTooLong": N_("This name is too long. Shorten it to %(maximum)s characters."),
    "nameNotPrintable": N_("The name holds %(character)s, a character that can't be shown here. Remove it."),
    "levelMissing": N_("The level is missing. Give a number from 0 to 9."),
    "levelNotNumeric": N_("The level is not a number. Give a number from 0 to 9."),
    "invalidLevel": N_("There is no such level. Give a whole number from 0 to 9."),
    "expiresInMissing": N_("The time to live is missing. Give expiresIn in seconds."),
    "expiresInNotNumeric": N_(
        "The time to live won't do. Give expiresIn as a whole number of seconds above 0."
    ),
    "expiresInHigherThanMaximum": N_("No key lives longer than %(days)s days. Choose an earlier end."),
    "keyLevelExceedsRoleLevel": N_(
        "This level is above what you may give. Choose level %(highest)s or lower."
    ),
    "callsPerMinuteInvalid": N_(
        "These calls in a minute won't do. Give a whole number from 1 to %(maximum)s, or none."
    ),
    "callsPerDayInvalid": N_(
        "These calls in a day won't do. Give a whole number from 1 to %(maximum)s, or none."
    ),
    "networksInvalid": N_("“%(value)s” is not a network. Write it like 192.0.2.0/24 or 2001:db8::/32."),
    "networksTooLong": N_("These are too many networks. Shorten them to %(maximum)s characters in all."),
    "audiencesInvalid": N_(
        "“%(value)s” can't be an audience. Use a name of lower-case letters, digits, dots, hyphens and "
        "underscores, such as orders; at most 40 characters."
    ),
    "audiencesTooLong": N_("These are too many audiences. Shorten them to %(maximum)s characters in all."),
    "serviceAudience": N_("A service key has one audience, its own, or none. Name one."),
    "tooManyKeys": N_(
        "This account has %(most)s live keys, and no more are allowed. Revoke one that nobody needs."
    ),
    "kindInvalid": N_("There is no such kind of key. Give account or service, or none."),
    "serviceKeyLevel": N_("A service key has no level of its own. Leave the level out, or give 0."),
    "notBeforeInvalid": N_(
        "This moment won't do. Give a time before the key's end, as 2026-11-24T08:00:00Z, or none."
    ),
    "maxIdleInvalid": N_("This rest won't do. Give whole seconds from 3600 to 31536000, or none."),
    "environmentInvalid": N_("There is no such environment. Give live or test, or none."),
    "noteTooLong": N_("This note is too long. Shorten it to %(maximum)s characters."),
    "noteNotPrintable": N_("The note holds %(character)s, a character that can't be shown here. Remove it."),
    "conditionsExceedKey": N_(
        "A key makes none that is bound to less than itself. "
        "Keep within its networks, audiences, rest and calls."
    ),
    "alreadyMade": N_(
        "This form has created this key already, and its secret was shown once. "
        "If it is lost, rotate the key for a new one."
    ),
    "alreadySent": N_("This form was sent a moment ago, and what it asks for is done. It was done once."),
    "alreadyRotated": N_("This key was rotated already, and has its successor."),
    "overlapInvalid": N_("There is no such overlap. Give 0, 3600, 86400 or 604800 seconds."),
    "dateMissing": N_("The date is missing. Choose the day on which the key ends."),
    "dateInvalid": N_("This is not a date to come. Choose a day from tomorrow on."),
    # operators
    "reasonMissing": N_("The reason is missing. Say why; the record keeps it."),
    "reasonTooLong": N_("The reason is too long. Shorten it to %(maximum)s characters."),
    "reasonNotPrintable": N_(
        "The reason holds %(character)s, a character that can't be shown here. Remove it."
    ),
    "unblockFirst": N_("This account is blocked. Unblock it first."),
    "roleInvalid": N_("There is no such role."),
    "lastAdmin": N_("This is the last admin. Make another one first."),
    # leaks
    "secretsMissing": N_("There are no secrets. Give secrets as a list of texts."),
    "secretsTooMany": N_("These are too many. Send at most %(maximum)s at once."),
    "textMissing": N_("There is nothing to look at. Paste the secret, or the text around it."),
    "signatureInvalid": N_("The signature does not fit the body. Sign the bytes that are sent."),
    # doors
    "authenticationFailed": N_("Key and secret, or token, were not accepted. Check both and try again."),
    "apikeyExpired": N_("This key has expired. Make a new one, or rotate it."),
    "apikeyRevoked": N_("This key was revoked for good. Make a new one."),
    "apikeyNotYetValid": N_("This key is not valid yet. Wait for the moment that was set for it."),
    "addressNotAllowed": N_(
        "This key may not be used from this address. Use it from one of its networks, or make another key."
    ),
    "audienceNotAllowed": N_("This key is not meant for this service. Use one that is, or make another key."),
    "insufficientAccessLevel": N_(
        "You may not do this. Use a key or an account of a higher level, or sign in for what no key may do."
    ),
    "accountBlocked": N_("This account is blocked. Write to the people who run this portal."),
    "accountLocked": N_("This account is locked by its owner. The mail that was sent says how to open it."),
    "consentLacking": N_("The owner's consent is lacking. Give it first."),
    "notFound": N_("There is nothing here. Check the address."),
    "methodMissing": N_(
        "The method of the visitor's request is missing. Have the gateway add method=… to its question."
    ),
    "methodNotPermitted": N_("This method is not open here. Use one of those that the gateway lets through."),
    "methodNotAllowed": N_("This method does nothing here. Allow names those that do."),
    "notAcceptable": N_("Only application/json is spoken here. Accept it."),
    "bodyTooLarge": N_("The body is too large. Send less."),
    "unsupportedMediaType": N_(
        "The body is of the wrong kind. Send JSON in UTF-8, as application/json; "
        "to introspection and revocation, send a form."
    ),
    "bodyNotJson": N_("The body is not a JSON object as it should be. Check how it is written."),
    "fieldInvalid": N_("The field %(field)s is of the wrong kind. Check it in the documentation."),
    "credentialsInUrl": N_(
        "Credentials don't belong into a URL, where logs keep them. Send them in the "
        "Authorization header, and revoke the ones that you sent."
    ),
    "tooManyRequests": N_("Too many tries or calls. Wait as long as Retry-After says, then try again."),
    "badRequest": N_("The request can't be understood. Check how it is written."),
    "requestTimeout": N_("The request took too long to arrive. Nothing was done. Send it again."),
    "busy": N_("The portal is busy. Try again in a moment."),
    "unavailable": N_("The portal can't reach its database. Try again in a moment."),
    "internalError": N_("Something went wrong on our side. It was written down; try again."),
}


TO_THE_SUPPORT: dict[str, str] = {
    "accountBlocked": N_("This account is blocked. Write to %(contact)s."),
}
"""Where PORTAL_SUPPORT_CONTACT says whom to write to."""


def sentence(code: str, details: dict[str, Any] | None = None) -> str:
    """The sentence of a code, in the reader's language."""
    if code in TO_THE_SUPPORT and settings.support_contact:
        return str(gettext(TO_THE_SUPPORT[code])) % {"contact": settings.support_contact}
    text: str = gettext(SENTENCES[code])
    return text % details if details else text

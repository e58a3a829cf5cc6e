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
    "emailMissing": N_("Enter your email."),
    "emailInvalid": N_("This email isn't valid. Check its spelling."),
    "emailUnreachable": N_(
        "This portal can't send email to addresses with letters such as é or д before the @. Enter "
        "another one."
    ),
    "emailTaken": N_("This email belongs to an account already. Enter another one."),
    "languageMissing": N_("The language is missing. Choose one of: en, de, es, fr, nl."),
    "unsupportedLanguage": N_("This language isn't supported. Choose one of: en, de, es, fr, nl."),
    "usernameMissing": N_("Enter your name, email or account number."),
    "usernameInvalid": N_(
        "This name isn't valid. Use 2 to 40 letters, digits, dots, underscores or hyphens, with at "
        "least one letter."
    ),
    "usernameReserved": N_("This name is reserved. Choose another one."),
    "usernameFree": N_("This name is free. You can take it in your profile."),
    "usernameTaken": N_("This name is taken. Choose another one."),
    "bioTooLong": N_("This text is too long. Shorten it to %(maximum)s characters."),
    "bioNotPrintable": N_("This text contains %(character)s, which can't be shown. Remove it."),
    "passwordMissing": N_("Enter your password."),
    "passwordWrong": N_("This isn't your current password. Try again, or reset it."),
    "passwordTooShort": N_(
        "This password is too short. Use at least %(limit)s characters; a few words are easy to remember."
    ),
    "passwordTooLong": N_("This password is too long. Use at most %(limit)s characters."),
    "passwordTooCommon": N_("This password is one of the first that attackers try. Choose another one."),
    "passwordHasContext": N_(
        "This password is too close to your name, your email or the name of this portal. Choose another one."
    ),
    "passwordTooSimple": N_("This password repeats itself. Choose another one."),
    "consentRequired": N_("An account needs your consent. Send 1 or 2 as consent."),
    "beingSetUp": N_("This portal is being set up. Sign up once its first admin exists."),
    "signInFailed": N_("Wrong name or password. Try again, or reset your password."),
    "mfaTokenRequired": N_("Two-step sign-in is on. Send the code as token."),
    "tokenMissing": N_("The token is missing. Send it as the form field token."),
    "tokenInvalid": N_("This link is used, expired or incomplete. Request a new one."),
    # keys
    "nameMissing": N_("Enter a name that says what will use the key."),
    "nameTooLong": N_("This name is too long. Shorten it to %(maximum)s characters."),
    "nameNotPrintable": N_("The name contains %(character)s, which can't be shown. Remove it."),
    "levelMissing": N_("The level is missing. Choose a whole number from 0 to 9."),
    "levelNotNumeric": N_("The level isn't a number. Choose a whole number from 0 to 9."),
    "invalidLevel": N_("This level doesn't exist. Choose a whole number from 0 to 9."),
    "expiresInMissing": N_("The expiry is missing. Send expiresIn, in seconds."),
    "expiresInNotNumeric": N_("The expiry isn't valid. Send expiresIn as a whole number of seconds above 0."),
    "expiresInHigherThanMaximum": N_("Keys expire after %(days)s days at most. Choose an earlier date."),
    "keyLevelExceedsRoleLevel": N_("You can't grant this level. Choose level %(highest)s or lower."),
    "callsPerMinuteInvalid": N_(
        "This limit isn't valid. Enter a whole number of calls per minute from 1 to %(maximum)s, or "
        "leave it out."
    ),
    "callsPerDayInvalid": N_(
        "This limit isn't valid. Enter a whole number of calls per day from 1 to %(maximum)s, or leave "
        "it out."
    ),
    "networksInvalid": N_(
        "“%(value)s” isn't a valid address. Write one like 192.0.2.7, 192.0.2.0/24 or 2001:db8::/32."
    ),
    "networksTooLong": N_("There are too many addresses. Shorten the list to %(maximum)s characters."),
    "audiencesInvalid": N_(
        "“%(value)s” isn't a valid audience. Use up to 40 lower-case letters, digits, dots, hyphens and "
        "underscores, as in orders."
    ),
    "audiencesTooLong": N_("There are too many audiences. Shorten the list to %(maximum)s characters."),
    "serviceAudience": N_("A service key has one audience or none. Enter only one."),
    "tooManyKeys": N_("This account has %(most)s live keys, the most allowed. Revoke one you don't need."),
    "kindInvalid": N_("This kind of key doesn't exist. Choose account or service, or leave it out."),
    "serviceKeyLevel": N_("Service keys have no level. Leave it out, or send 0."),
    "notBeforeInvalid": N_(
        "The start isn't valid. Choose a time before the key expires, such as 2026-11-24T08:00:00Z, or "
        "leave it out."
    ),
    "maxIdleInvalid": N_("This time isn't valid. Choose 3600 to 31536000 whole seconds, or leave it out."),
    "environmentInvalid": N_("This environment doesn't exist. Choose live or test, or leave it out."),
    "noteTooLong": N_("This note is too long. Shorten it to %(maximum)s characters."),
    "noteNotPrintable": N_("The note contains %(character)s, which can't be shown. Remove it."),
    "conditionsExceedKey": N_(
        "A key can't create one with fewer restrictions than its own. Keep to its addresses, audiences "
        "and limits."
    ),
    "alreadyMade": N_(
        "This form has already created this key and shown its secret. If you lost the secret, rotate "
        "the key to get a new one."
    ),
    "alreadySent": N_("You sent this form a moment ago, and it was done once. There is nothing left to do."),
    "alreadyRotated": N_("This key has been rotated already. Use the new one."),
    "overlapInvalid": N_("This time isn't offered. Choose 0, 3600, 86400 or 604800 seconds."),
    "dateMissing": N_("Enter the date on which the key expires."),
    "dateInvalid": N_("This date isn't valid. Choose tomorrow or later."),
    # operators
    "reasonMissing": N_("Enter a reason for the audit log."),
    "reasonTooLong": N_("The reason is too long. Shorten it to %(maximum)s characters."),
    "reasonNotPrintable": N_("The reason contains %(character)s, which can't be shown. Remove it."),
    "unblockFirst": N_("This account is blocked. Unblock it first."),
    "roleInvalid": N_("This role doesn't exist. Choose one from the list."),
    "lastAdmin": N_("This is the last admin. Give somebody else the role first."),
    # leaks
    "secretsMissing": N_("There are no secrets. Send secrets as a list of strings."),
    "secretsTooMany": N_("There are too many secrets. Send at most %(maximum)s at a time."),
    "textMissing": N_("Paste the secret, or the text around it."),
    "signatureInvalid": N_("The signature doesn't match the body. Sign the exact bytes you send."),
    # doors
    "authenticationFailed": N_("Authentication failed. Check the key and secret, or the token."),
    "apikeyExpired": N_("This key has expired. Rotate it, or create a new one."),
    "apikeyRevoked": N_("This key has been revoked permanently. Create a new one."),
    "apikeyNotYetValid": N_("This key isn't valid yet. Wait until its start."),
    "addressNotAllowed": N_(
        "Address not allowed. Call from one of the key's allowed addresses, or create another key."
    ),
    "audienceNotAllowed": N_("This key isn't for this service. Use another key."),
    "insufficientAccessLevel": N_(
        "Level too low. Use a key or an account with a higher level, or sign in for what no key can do."
    ),
    "accountBlocked": N_("This account is blocked. Write to the people who run this portal."),
    "accountLocked": N_("The owner has locked this account. The link to unlock it is in their email."),
    "consentLacking": N_("The owner hasn't given consent. Give it on the consent page first."),
    "notFound": N_("There is nothing here. Check the address."),
    "methodMissing": N_("The method of the visitor's request is missing. Let the gateway send it as method."),
    "methodNotPermitted": N_("This method isn't allowed here. Use one that the gateway allows."),
    "methodNotAllowed": N_("This method isn't supported here. Use one listed in Allow."),
    "notAcceptable": N_("This API only answers in JSON. Accept application/json."),
    "bodyTooLarge": N_("The body is too large. Send less."),
    "unsupportedMediaType": N_(
        "The content type isn't supported. Send JSON in UTF-8, as application/json; for introspection "
        "and revocation, send a form."
    ),
    "bodyNotJson": N_("The body isn't a JSON object. Check its syntax."),
    "fieldInvalid": N_("The field %(field)s has the wrong type. See the documentation."),
    "credentialsInUrl": N_(
        "Credentials don't belong in a URL, where logs keep them. Send them in the Authorization "
        "header, and revoke the ones you sent."
    ),
    "tooManyRequests": N_("Too many requests. Wait as long as Retry-After says, then try again."),
    "badRequest": N_("This request isn't valid. Check its syntax."),
    "requestTimeout": N_("The request took too long to arrive, so nothing was done. Send it again."),
    "busy": N_("The portal is busy. Try again in a moment."),
    "unavailable": N_("The portal can't reach its database. Try again in a moment."),
    "internalError": N_("Something went wrong on our side, and we logged it. Try again."),
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

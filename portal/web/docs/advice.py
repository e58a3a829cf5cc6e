"""What to do about an error, where one sentence of the answer is too short for it."""

from __future__ import annotations

from portal.permissions import N_

LIKELY = {
    "authenticationFailed": N_("Check the key id and the secret"),
    "apikeyExpired": N_("Rotate the key, or create one"),
    "apikeyRevoked": N_("Create a key"),
    "apikeyNotYetValid": N_("Wait for the time it's valid from"),
    "addressNotAllowed": N_("Call from an allowed address"),
    "insufficientAccessLevel": N_("Use a key with a higher level"),
    "consentLacking": N_("Let the owner sign in and give consent"),
    "tooManyRequests": N_("Wait as long as Retry-After says"),
}
"""Those that most callers meet, by their order of status, each with what to do in a few words."""

ADVICE = {
    "authenticationFailed": N_(
        "Everyone who doesn't hold the right secret gets this, whatever the reason: an unknown key, a "
        "wrong secret, a token that has ended. Check that both parts arrive whole (a line break at the "
        "end of a variable is a usual cause), that they belong together, and that they are from this "
        "portal. After a rotation, check that the new secret is in use."
    ),
    "apikeyExpired": N_(
        "The key reached its end, or was unused for longer than it may be. It doesn't come back: create a"
        " key and store its secret. Next time, rotate it before it ends: owners get an email in time."
    ),
    "apikeyRevoked": N_(
        "Its owner or an operator ended it, its secret leaked, or it was rotated and its old secret is "
        "over. The key's page says which. Create a key, or use the new secret if it was rotated."
    ),
    "apikeyNotYetValid": N_(
        "The key was created with a time that it's valid from. Nobody can change that: wait, or create a "
        "key without it."
    ),
    "addressNotAllowed": N_(
        "The key's restrictions don't list the address that the call came from. The key's page shows "
        "recent refusals with their addresses. Behind a proxy, a VPN or a CI runner, the address that "
        "counts is the one the portal sees. Restrictions can't be changed: create a key that allows the "
        "address."
    ),
    "audienceNotAllowed": N_(
        "The key names the services that it's good for, and this one isn't among them. Use another key "
        "for this service."
    ),
    "insufficientAccessLevel": N_(
        "What counts is the lower of the key's level and the level of its owner's role at this moment. "
        "The route's reference says which level it asks for. A level can't be raised: create a key with a"
        " higher one, up to the level of the owner's role."
    ),
    "methodNotPermitted": N_(
        "The gateway in front of the service lets only some methods through. Ask those who run it."
    ),
    "accountBlocked": N_(
        "An operator blocked the account of the key's owner, and all its keys were revoked. Only the "
        "people who run this portal can undo the block; the keys don't come back."
    ),
    "accountLocked": N_(
        "The owner locked the account, and all its keys were revoked. The owner opens it again through "
        "the link in the email, or by asking for a new one; the keys don't come back."
    ),
    "consentLacking": N_(
        "Without the owner's consent to process the data, nothing else is answered. The owner gives it in"
        " the portal, under Data & consent, or a token of theirs does by changing the account. "
        "Withdrawing consent has revoked all keys; create new ones."
    ),
    "tooManyRequests": N_(
        "Retry-After says how many seconds to wait; then it works. RateLimit tells what is left before it"
        " comes to this. A key may have limits lower than its owner's role: its page shows them."
    ),
    "credentialsInUrl": N_(
        "The secret was in the URL, so logs between you and the portal may have it. Revoke that key and "
        "send the next secret in a header."
    ),
    "keyLevelExceedsRoleLevel": N_(
        "An account gives at most the level of its role, and a key at most its own level."
    ),
    "tooManyKeys": N_("The list of keys can show those that are unused for 90 days: start with them."),
    "alreadyRotated": N_("Use the new key. To replace it as well, rotate the new one."),
    "conditionsExceedKey": N_(
        "A key that creates keys hands on its restrictions: name the same ones, or tighter ones."
    ),
    "expiresInHigherThanMaximum": N_(
        "The role may set a shorter life than a year. Rotation starts a new life."
    ),
    "notFound": N_(
        "A key or an account of somebody else looks the same as one that isn't there, so check whose it "
        "is, too."
    ),
    "methodNotAllowed": N_("Check the route in the reference; the Allow header lists what it takes."),
    "mfaTokenRequired": N_("The account has two-step sign-in: send the code of the moment as well."),
    "internalError": N_("If it stays, tell the people who run this portal the requestId of the answer."),
    "unavailable": N_("Wait as long as Retry-After says, then try again with growing pauses."),
    "busy": N_("Wait as long as Retry-After says, then try again with growing pauses."),
    "unsupportedMediaType": N_("The Content-Type header is missing or names something else."),
    "notAcceptable": N_("Leave the Accept header out, or accept application/json."),
    "bodyNotJson": N_("A JSON object begins with a brace; arrays, numbers and texts alone aren't taken."),
}
"""More of it, by the code; it follows the sentence that the answer itself carries."""

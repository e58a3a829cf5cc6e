"""What can go wrong with a rule. Each error has the code that the wire gives it."""

from __future__ import annotations


class RuleError(Exception):
    """A rule says no; ``code`` is the word for it on the wire."""

    code = "error"

    def __init__(self, code: str | None = None, **details: object) -> None:
        self.code = code or type(self).code
        self.details = details
        super().__init__(self.code)


class InvalidInput(RuleError, ValueError):
    """Something that was given can't be used; ``field`` names it.

    A ValueError too, so that models which read bodies take it for what a field's rule says.
    """

    def __init__(self, code: str, field: str, **details: object) -> None:
        super().__init__(code, field=field, **details)
        self.field = field


class NotFound(RuleError):
    """It is not there, or not the actor's: the two look alike."""

    code = "notFound"


class Forbidden(RuleError):
    """The actor may not do this."""

    code = "insufficientAccessLevel"


class NotAdmitted(RuleError):
    """The right of who acts has ended since they were let in; ``code`` is what the door says then."""

    code = "authenticationFailed"


class ConsentLacking(RuleError):
    """The owner has not agreed, or no longer agrees, that data is processed."""

    code = "consentLacking"


class AccountBlocked(RuleError):
    """An operator has blocked the account."""

    code = "accountBlocked"


class AccountLocked(RuleError):
    """The owner has locked the account."""

    code = "accountLocked"


class SignInFailed(RuleError):
    """Name or password is wrong; which one is not told."""

    code = "signInFailed"


class TokenInvalid(RuleError):
    """The mailed link is wrong, used or too old."""

    code = "tokenInvalid"


class BeingSetUp(RuleError):
    """There is no admin yet, so nobody can sign up."""

    code = "beingSetUp"


class LastAdmin(RuleError):
    """The last admin can't be removed, demoted or blocked."""

    code = "lastAdmin"


class Slowed(RuleError):
    """A limit says no; it may be done in ``retry_after`` seconds."""

    code = "tooManyRequests"

    def __init__(self, retry_after: int) -> None:
        super().__init__()
        self.retry_after = retry_after


class TooManyKeys(RuleError):
    """The account has as many live keys as it may have; ``most`` says how many."""

    code = "tooManyKeys"


class AlreadySent(RuleError):
    """This form was sent a moment ago, and what it asks for is done."""

    code = "alreadySent"


class AlreadyMade(RuleError):
    """This form has made its key already; its secret is not shown again."""

    code = "alreadyMade"

    def __init__(self, key_id: object) -> None:
        super().__init__(key_id=key_id)
        self.key_id = key_id


class AlreadyRotated(AlreadyMade):
    """This key has a successor already, and gets no second one."""

    code = "alreadyRotated"

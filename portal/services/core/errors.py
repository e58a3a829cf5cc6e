"""What can go wrong with a rule. Each error has the code that the wire gives it."""

from __future__ import annotations


class RuleError(Exception):
    """A rule says no; ``code`` is the word for it on the wire."""

    code = "error"

    def __init_subclass__(cls, *, code: str = "") -> None:
        super().__init_subclass__()
        cls.code = code or cls.code

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


class NotFound(RuleError, code="notFound"):
    """It is not there, or not the actor's: the two look alike."""


class Forbidden(RuleError, code="insufficientAccessLevel"):
    """The actor may not do this."""


class NotAdmitted(RuleError, code="authenticationFailed"):
    """The right of who acts has ended since they were let in; ``code`` is what the door says then."""


class ConsentLacking(RuleError, code="consentLacking"):
    """The owner has not agreed, or no longer agrees, that data is processed."""


class AccountBlocked(RuleError, code="accountBlocked"):
    """An operator has blocked the account."""


class AccountLocked(RuleError, code="accountLocked"):
    """The owner has locked the account."""


class SignInFailed(RuleError, code="signInFailed"):
    """Name or password is wrong; which one is not told."""


class TokenInvalid(RuleError, code="tokenInvalid"):
    """The mailed link is wrong, used or too old."""


class BeingSetUp(RuleError, code="beingSetUp"):
    """There is no admin yet, so nobody can sign up."""


class LastAdmin(RuleError, code="lastAdmin"):
    """The last admin can't be removed, demoted or blocked."""


class Slowed(RuleError, code="tooManyRequests"):
    """A limit says no; it may be done in ``retry_after`` seconds."""

    def __init__(self, retry_after: int) -> None:
        super().__init__()
        self.retry_after = retry_after


class TooManyKeys(RuleError, code="tooManyKeys"):
    """The account has as many live keys as it may have; ``most`` says how many."""


class AlreadySent(RuleError, code="alreadySent"):
    """This form was sent a moment ago, and what it asks for is done."""


class AlreadyCreated(RuleError, code="alreadyMade"):
    """This form has made its key already; its secret is not shown again."""

    def __init__(self, key_id: object) -> None:
        super().__init__(key_id=key_id)
        self.key_id = key_id


class AlreadyRotated(AlreadyCreated, code="alreadyRotated"):
    """This key has a successor already, and gets no second one."""

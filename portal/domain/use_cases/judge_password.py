"""Judge a password while it is typed."""

from collections.abc import Sequence

from portal.domain.context import Context, Visitor
from portal.domain.errors import Failure
from portal.domain.passwords.policy import refuse_unfit


def judge_password(context: Context, visitor: Visitor, password: str, personal: Sequence[str | None]) -> bool:
    """Raise Refused (PASSWORD_REFUSED with the reason) for a password that would be refused when it is sent.

    Returns whether it is strong.

    By the same policy, on what was typed beside it and the name of who is signed in (`personal`) alone: nothing is
    hashed, stored, recorded, or compared with what is known of another customer, so that it tells nobody anything.
    """
    return refuse_unfit(
        password,
        Failure.PASSWORD_REFUSED,
        min_length=context.rules.password_min_length,
        personal=(*personal, visitor.organisation_name),
        breached=context.breached,
    )

"""Judge a password while the customer types it."""

from collections.abc import Sequence

from portal.domain.context import Context, Visitor
from portal.domain.errors import Failure
from portal.domain.passwords.policy import check_new_password


def judge_password(context: Context, visitor: Visitor, password: str, personal: Sequence[str | None]) -> bool:
    """Raise Refused (PASSWORD_REFUSED with the reason) for a password that the form would refuse.

    Returns whether it is strong. Uses the same policy, with the other fields of the form and the signed-in customer's
    names as `personal`. Nothing is hashed, stored, recorded or compared with another customer's data, so the answer
    reveals nothing to an attacker.
    """
    return check_new_password(
        password,
        Failure.PASSWORD_REFUSED,
        min_length=context.rules.password_min_length,
        personal=(*personal, visitor.organisation_name),
        breached=context.breached,
    )

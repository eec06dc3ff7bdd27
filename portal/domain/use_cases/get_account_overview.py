"""Get what the overview of the account shows."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import bindparam, select, true

from portal.domain import address_changes
from portal.domain.address_changes import PendingChange
from portal.domain.contact_details import CustomerDeleted
from portal.domain.context import Context
from portal.domain.field_rules import ASKED, PROFILE_FIELDS, FieldRule, Rules
from portal.domain.identities import Channel, Customer
from portal.storage.models import Account, Contact, Identity, Passkey, SecondStep


@dataclass(frozen=True)
class SignIn:
    """A sign-in: when, from which address and with which browser."""

    occurred_at: datetime
    ip: str | None
    user_agent: str | None


@dataclass(frozen=True)
class AccountOverview:
    """The data of the overview."""

    password_set_at: datetime | None
    """None for a customer without a password."""
    missing: list[str]
    """The empty fields that the organisation requires or that are worth asking for."""
    has_second_step: bool
    has_passkey: bool
    pending_change: PendingChange | None
    """The change of address that is not confirmed yet."""
    last_sign_in: SignIn | None
    """The one before this session, as far back as sessions are kept."""


_last_sign_in = (
    select(Identity.c.created_at.label("occurred_at"), Identity.c.ip, Identity.c.user_agent)
    .where(Identity.c.contact_id == bindparam("contact_id"), Identity.c.created_at < bindparam("signed_in_at"))
    .where(Identity.c.channel != Channel.API)
    .order_by(Identity.c.created_at.desc(), Identity.c.id.desc())
    .limit(1)
    .subquery("last_sign_in")
)
_pending_change = address_changes.LAST_PENDING.subquery("pending_change")
_overview = (
    select(
        *(Contact.c[name] for name in sorted(PROFILE_FIELDS)),
        Account.c.password_set_at,
        SecondStep.c.contact_id.is_not(None).label("has_second_step"),
        select(Passkey.c.id).where(Passkey.c.contact_id == Contact.c.id).exists().label("has_passkey"),
        _last_sign_in,
        _pending_change.c.new_email,
        _pending_change.c.identity_id.label("requested_by"),
    )
    .outerjoin(Account, Account.c.contact_id == Contact.c.id)
    .outerjoin(SecondStep, SecondStep.c.contact_id == Contact.c.id)
    .outerjoin(_last_sign_in, true())
    .outerjoin(_pending_change, true())
    .where(Contact.c.id == bindparam("contact_id"))
)


_WANTED = "phone"
"""A field that the overview asks for even if it is optional: the shop calls by phone."""


def get_account_overview(context: Context, customer: Customer, rules: Rules) -> AccountOverview:
    """Return the data of the overview, by one statement; raises CustomerDeleted."""
    parameters = {"contact_id": customer.id, "signed_in_at": customer.signed_in_at, "now": context.clock()}
    with context.database.read() as connection:
        row = connection.execute(_overview, parameters).one_or_none()
    if row is None:
        raise CustomerDeleted
    wanted = {name for name, rule in rules.items() if rule is FieldRule.REQUIRED or (name == _WANTED and rule in ASKED)}
    is_requested_here = row.requested_by == customer.identity_id
    return AccountOverview(
        missing=sorted(name for name in wanted if not getattr(row, name)),
        password_set_at=row.password_set_at,
        has_second_step=row.has_second_step,
        has_passkey=row.has_passkey,
        pending_change=PendingChange(row.new_email, is_requested_here) if row.new_email else None,
        last_sign_in=SignIn(row.occurred_at, row.ip, row.user_agent) if row.occurred_at else None,
    )

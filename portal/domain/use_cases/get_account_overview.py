"""Get what the overview of the account shows."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import bindparam, select

from portal.domain import accounts, address_changes, passkeys, second_step
from portal.domain.address_changes import PendingChange
from portal.domain.contact_details import ContactDetails, get_contact_details
from portal.domain.context import Context
from portal.domain.field_rules import ASKED, FieldRule, Rules
from portal.domain.identities import Channel, Customer
from portal.storage.models import Identity


@dataclass(frozen=True)
class SignIn:
    """A sign-in: when, from which address and with which browser."""

    occurred_at: datetime
    ip: str | None
    user_agent: str | None


@dataclass(frozen=True)
class AccountOverview:
    """The data of the overview."""

    details: ContactDetails
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
    select(Identity.created_at.label("occurred_at"), Identity.ip, Identity.user_agent)
    .where(Identity.contact_id == bindparam("contact_id"), Identity.id < bindparam("identity_id"))
    .where(Identity.channel != Channel.API)
    .order_by(Identity.id.desc())
    .limit(1)
)


_WANTED = "phone"
"""A field that the overview asks for even if it is optional: the shop calls by phone."""


def get_account_overview(context: Context, customer: Customer, rules: Rules) -> AccountOverview:
    """Return the data of the overview; raises CustomerDeleted."""
    with context.database.read() as connection:
        last = connection.execute(
            _last_sign_in, {"contact_id": customer.id, "identity_id": customer.identity_id}
        ).one_or_none()
        details = get_contact_details(connection, customer.id)
        wanted = {
            name for name, rule in rules.items() if rule is FieldRule.REQUIRED or (name == _WANTED and rule in ASKED)
        }
        return AccountOverview(
            details=details,
            missing=sorted(name for name in wanted if not getattr(details, name)),
            password_set_at=accounts.password_set_at(connection, customer.id),
            has_second_step=second_step.is_on(connection, customer.id),
            has_passkey=bool(passkeys.list_descriptors(connection, customer.id)),
            pending_change=address_changes.find_pending(connection, customer, context.clock()),
            last_sign_in=SignIn(**last._asdict()) if last else None,
        )

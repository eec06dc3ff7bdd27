"""Get how a customer signs in."""

from dataclasses import dataclass
from datetime import datetime

from portal.domain import accounts, passkeys, second_step, trusted_browsers
from portal.domain.context import Context
from portal.domain.identities import Customer
from portal.domain.passkeys import Passkey
from portal.domain.second_step import SecondStepStatus


@dataclass(frozen=True)
class Security:
    """What protects an account."""

    password_set_at: datetime | None
    """None for a customer without a password, who signs in by email or with a passkey."""
    second_step: SecondStepStatus | None
    trusted_browsers: int
    """Browsers that sign in without the second step."""
    passkeys: tuple[Passkey, ...]
    """The newest first."""

    @property
    def has_password(self) -> bool:
        """Whether there is a password."""
        return self.password_set_at is not None


def get_security(context: Context, customer: Customer) -> Security:
    """Return what protects a customer's account."""
    with context.database.read() as connection:
        return Security(
            password_set_at=accounts.password_set_at(connection, customer.id),
            second_step=second_step.find_status(connection, customer.id),
            trusted_browsers=trusted_browsers.count(connection, customer.id, context.clock()),
            passkeys=tuple(passkeys.list_passkeys(connection, customer.id)),
        )

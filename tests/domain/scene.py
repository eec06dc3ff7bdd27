"""Scene: the use cases called as one customer or shop would, for tests of the domain."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import bcrypt
import pytest
from limits import parse as parse_limit
from sqlalchemy import Executable, Table, func, insert, select

from portal.domain import devices, identities
from portal.domain.context import Context, Visitor
from portal.domain.errors import Failure, Refused
from portal.domain.identities import Customer
from portal.domain.one_time_links import OpenLink
from portal.domain.operations import ban
from portal.domain.outbox import MailState, Notice
from portal.domain.passwords.hashing import new_salt
from portal.domain.sign_ins import SignIn
from portal.domain.tokens import Purpose, random_id
from portal.domain.use_cases import (
    change_password,
    close_account,
    end_session,
    log_in,
    log_in_by_email,
    log_out,
    magic_auth,
    register,
    register_by_api,
    report_not_me,
    request_reset,
    resend_confirmation,
    set_new_password,
)
from portal.domain.use_cases.confirm_registration import confirm, get_confirmation
from portal.domain.use_cases.log_in import RegistrationPending
from portal.domain.use_cases.log_in_by_email import EmailSignIn
from portal.domain.use_cases.register import RegistrationRequest
from portal.domain.use_cases.register_by_api import ConfirmedRegistration
from portal.domain.values.email import parse_email
from portal.storage.models import Account, Contact, Link, Organisation, OutboxMail

ADA = "ada@example.com"
PASSWORD = "violet harbour kettle 41"
SECOND_PASSWORD = "gravel mitten orchard 87"
WRONG_PASSWORD = "cinder ballot marrow 63"


@dataclass(frozen=True)
class Mail:
    """A sent email, with the token in its link."""

    notice: Notice
    recipient: str
    token: str | None


def identity_of(begun: SignIn) -> str:
    """Return the identity of a sign-in that needs no second step."""
    assert isinstance(begun, str)
    return begun


@dataclass(frozen=True)
class Scene:
    """One visitor at one portal."""

    context: Context
    visitor: Visitor

    def elsewhere(self, ip: str) -> "Scene":
        """Return the scene with a visitor from another network."""
        return replace(self, visitor=replace(self.visitor, ip=ip))

    def via_api(self, ip: str | None = None) -> "Scene":
        """Return the scene of a shop's server at the same portal, which reports a customer's IP address or not."""
        return replace(self, visitor=replace(self.visitor, ip=ip, locale=None, via_api=True))

    def in_browser(self, device: str | None) -> "Scene":
        """Return the scene of a browser with a device cookie, or without."""
        return replace(self, visitor=replace(self.visitor, device=device))

    def in_known_browser(self, email: str = ADA, password: str = PASSWORD) -> "Scene":
        """Return the scene of a browser in which a customer signs in."""
        return self.in_browser(self.remember(self.log_in(email, password)))

    def remember(self, identity: str) -> str | None:
        """Make this browser known by a new identity; return the value of its device cookie."""
        return devices.remember_device(self.context, self.visitor, identity)

    def at_another_organisation(self) -> "Scene":
        """Return the same visitor's scene at a second organisation of the portal."""
        values = {"slug": "second", "name": "Second shop", "created_at": self.context.clock()}
        with self.context.database.write() as connection:
            second = connection.execute(insert(Organisation).returning(Organisation.c.id), values).scalar_one()
        visitor = replace(self.visitor, organisation_id=second, organisation_name="Second shop")
        return replace(self, visitor=visitor)

    def with_rules(self, **rules: Any) -> "Scene":
        """Return the scene with other limits and lifetimes."""
        return replace(self, context=replace(self.context, rules=replace(self.context.rules, **rules)))

    def without_limits(self) -> "Scene":
        """Return the scene with limits that no test reaches."""
        names = ("login_limit_account", "login_limit_network", "register_limit_network")
        mails = ("mail_limit_address", "mail_limit_network")
        return self.with_rules(**dict.fromkeys([*names, *mails], parse_limit("100000 per hour")))

    def register(self, email: str = ADA, password: str = PASSWORD, **typed: Any) -> str:
        application = RegistrationRequest(parse_email(email), password, **typed)
        return register.register(self.context, self.visitor, application)

    def resend(self, registration_id: str) -> str | None:
        return resend_confirmation.resend(self.context, self.visitor, registration_id)

    def register_by_api(self, email: str = ADA, password: str = PASSWORD, **typed: Any) -> None:
        application = RegistrationRequest(parse_email(email), password, **typed)
        register_by_api.register_by_api(self.context, self.visitor, application)

    def confirm_by_api(self, token: str | None = None) -> ConfirmedRegistration:
        """Confirm a registration as the shop does, by a token; by default that of the last email."""
        return register_by_api.confirm_by_api(self.context, self.visitor, token or self.token(Notice.VERIFY))

    def magic_auth(self, email: str = ADA, **known: str | None) -> str:
        return magic_auth.magic_auth(self.context, self.visitor, parse_email(email), **known)

    def confirm(
        self, token: str, *, browser: str | None = None, password: str | None = None, replacing: str | None = None
    ) -> str:
        """Open a verification link; `browser` is the registration that this browser remembers."""
        found = get_confirmation(self.context, self.visitor, token, registration=browser)
        return identity_of(confirm(self.context, self.visitor, found, password, remember=False, replacing=replacing))

    def join(self, email: str = ADA, password: str = PASSWORD, **typed: Any) -> str:
        """Register and confirm in one browser; return the identity."""
        public_id = self.register(email, password, **typed)
        return self.confirm(self.token(Notice.VERIFY), browser=public_id)

    def add_guest(self, email: str = ADA, **known: Any) -> int:
        """Create a contact without an account, as an order does."""
        address, now = parse_email(email), self.context.clock()
        values = {
            "organisation_id": self.visitor.organisation_id,
            "email": address.email,
            "email_key": address.key,
            "cu_ref_no": random_id(16),
            "password_salt": new_salt(),
            "confirmed_at": now,
            "created_at": now,
        }
        with self.context.database.write() as connection:
            return connection.execute(insert(Contact).returning(Contact.c.id), {**values, **known}).scalar_one()

    def add_imported(self, email: str = ADA, password: str = PASSWORD) -> None:
        """Create a customer whose password hash was imported."""
        contact_id, now = self.add_guest(email), self.context.clock()
        password_hash = bcrypt.hashpw(password.encode(), bcrypt.gensalt(4)).decode()
        values = {"contact_id": contact_id, "password_hash": password_hash, "password_set_at": now, "created_at": now}
        self.change_row(insert(Account).values(values))

    def ban(self, email: str = ADA, duration: timedelta | None = None) -> None:
        ban.ban(self.context, self.visitor.organisation_id, parse_email(email), "chargebacks", duration)

    def close(self, identity: str) -> bool:
        """Close the account of a signed-in customer."""
        return close_account.close_account(self.context, self.visitor, self.get(identity))

    def keep(self, token: str | None = None) -> None:
        """Use a link that keeps a closed account; by default that of the email about the closing."""
        link = close_account.get_keep_link(self.context, self.visitor, token or self.token(Notice.CLOSED))
        close_account.keep_account(self.context, self.visitor, link)

    def log_in(
        self, email: str = ADA, password: str = PASSWORD, *, remember: bool = False, replacing: str | None = None
    ) -> str:
        return identity_of(self.begin_log_in(email, password, remember=remember, replacing=replacing))

    def begin_log_in(
        self, email: str = ADA, password: str = PASSWORD, *, remember: bool = False, replacing: str | None = None
    ) -> SignIn:
        address = parse_email(email)
        return log_in.log_in(self.context, self.visitor, address, password, remember=remember, replacing=replacing)

    def fail_to_log_in(self, email: str = ADA, times: int = 1) -> None:
        """Try wrong passwords, whatever the failure is."""
        for _ in range(times):
            with pytest.raises(Refused):
                self.log_in(email, WRONG_PASSWORD)

    def log_out(self, identity: str) -> None:
        log_out.log_out(self.context, self.visitor, identity)

    def who(self, identity: str) -> Customer | None:
        return identities.find(self.context, self.visitor.organisation_id, identity)

    def is_signed_in(self, identity: str) -> bool:
        return self.who(identity) is not None

    def get(self, identity: str) -> Customer:
        customer = self.who(identity)
        assert customer is not None
        return customer

    def request_reset(self, email: str = ADA, lifetime: timedelta | None = None) -> None:
        request_reset.request_reset(self.context, self.visitor, parse_email(email), lifetime)

    def ask_reset(self, email: str = ADA, lifetime: timedelta | None = None) -> str:
        """Request a reset link; return the token that was emailed."""
        self.request_reset(email, lifetime)
        return self.token(Notice.RESET)

    def reset(self, token: str, password: str = SECOND_PASSWORD) -> bool:
        return set_new_password.set_new_password(self.context, self.visitor, token, password)

    def use_sign_in_link(self, email: str = ADA) -> EmailSignIn:
        """Request a sign-in email, and open its link."""
        log_in_by_email.request_sign_in(self.context, self.visitor, parse_email(email))
        link = log_in_by_email.get_sign_in_link(self.context, self.visitor, self.token(Notice.SIGN_IN))
        return log_in_by_email.log_in_by_email(self.context, self.visitor, link, remember=False, replacing=None)

    def log_in_by_email(self, email: str = ADA) -> str:
        return identity_of(self.use_sign_in_link(email).sign_in)

    def change(self, identity: str, current: str, password: str, *, remember: bool = False) -> str:
        customer = self.get(identity)
        return change_password.change_password(
            self.context, self.visitor, customer, current, password, remember=remember
        )

    def end_others(self, identity: str) -> None:
        end_session.end_other_sessions(self.context, self.visitor, self.get(identity))

    def open_not_me(self, token: str) -> OpenLink:
        """Open the link of a notice, without pressing its button."""
        return report_not_me.get_not_me_link(self.context, self.visitor, token)

    def report_not_me(self, token: str) -> str:
        """Report that an event was not the customer's; return the public id of the link that sets a new password."""
        return report_not_me.report_not_me(self.context, self.visitor, self.open_not_me(token))

    def mails(self, notice: Notice | None = None) -> list[Mail]:
        """What goes out, oldest first.

        The renderer (portal/mail) lives outside the domain. As it does, this signs the link that a queued mail names;
        it is the one place in these tests where a token does not come out of a mail that was really sent.
        """
        rows = self.rows(
            select(OutboxMail.c.notice, OutboxMail.c.recipient, Link.c.purpose, Link.c.public_id)
            .outerjoin(Link, Link.c.id == OutboxMail.c.link_id)
            .where(OutboxMail.c.state == MailState.QUEUED)
            .order_by(OutboxMail.c.id)
        )
        mails = [
            Mail(Notice(row.notice), row.recipient, row.public_id and self._sign(row.purpose, row.public_id))
            for row in rows
        ]
        return [mail for mail in mails if notice in (None, mail.notice)]

    def token(self, notice: Notice) -> str:
        """Return the token in the newest email of a kind."""
        token = self.mails(notice)[-1].token
        assert token is not None
        return token

    def rows(self, statement: Executable) -> list[Any]:
        with self.context.database.read() as connection:
            return list(connection.execute(statement))

    def count(self, table: Table[Any]) -> int:
        """Count the rows of a table."""
        return int(self.rows(select(func.count()).select_from(table))[0][0])

    def change_row(self, statement: Executable) -> None:
        """Change the database as no use case does."""
        with self.context.database.write() as connection:
            connection.execute(statement)

    def _sign(self, purpose: str, public_id: str) -> str:
        return self.context.signer.token(Purpose(purpose), public_id)


@contextmanager
def refused(failure: Failure) -> Iterator[pytest.ExceptionInfo[Refused]]:
    """Check that the block is refused with this failure."""
    with pytest.raises(Refused) as caught:
        yield caught
    assert caught.value.failure is failure


def pending_registration(caught: pytest.ExceptionInfo[Refused]) -> str | None:
    """Return the public id of the registration whose password was right at a refused sign-in."""
    return caught.value.registration if isinstance(caught.value, RegistrationPending) else None

"""Sign a customer in by an emailed link or its code; either proves the mailbox."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from portal.domain import one_time_links, sign_ins
from portal.domain.audit_log import EventKind
from portal.domain.context import Context, Visitor
from portal.domain.identities import NewIdentity
from portal.domain.link_codes import get_open_link_by_code
from portal.domain.link_requests import email_link
from portal.domain.mailbox_proof import redeem
from portal.domain.one_time_links import OpenLink
from portal.domain.sign_ins import FirstStep, SignIn
from portal.domain.tokens import Purpose
from portal.domain.values.email import Address
from portal.storage.database import retried


@dataclass(frozen=True)
class EmailSignIn:
    """The result of a sign-in by an emailed link or code."""

    sign_in: SignIn = field(repr=False)
    dropped_registration: bool
    """Whether it ended a pending registration, and so the password that was chosen for it."""


def request_sign_in(context: Context, visitor: Visitor, address: Address) -> str:
    """Email a link and a code to a known contact, with or without an account; return the public id for the browser.

    The answer is the same for every address (link_requests.py). Raises Refused(TOO_MANY_MAILS).
    """
    return email_link(context, visitor, address, Purpose.SIGN_IN)


def get_sign_in_link(context: Context, visitor: Visitor, token: str) -> OpenLink:
    """Return the unused sign-in link of a token. Raises Refused."""
    return one_time_links.get_open_link(context, visitor, Purpose.SIGN_IN, token)


def get_sign_in_link_by_code(context: Context, visitor: Visitor, requests: Sequence[str], code: str) -> OpenLink:
    """Count an attempt to enter a code, and return its link out of those this browser requested. Raises Refused."""
    return get_open_link_by_code(context, visitor, Purpose.SIGN_IN, requests, code)


@retried
def log_in_by_email(
    context: Context, visitor: Visitor, link: OpenLink, *, remember: bool, replacing: str | None
) -> EmailSignIn:
    """Begin the sign-in of the owner of the mailbox (sign_ins.py); a new identity ends the one it is `replacing`.

    Of any number of parallel uses of link and code one succeeds, and ends the customer's other open sign-in links. This
    proves the mailbox (mailbox_proof.py). Raises Refused (LINK_ENDED, LINK_EXPIRED).
    """
    with redeem(context, visitor, link) as redeemed:
        connection, contact_id, now = redeemed.connection, redeemed.contact.id, redeemed.now
        one_time_links.end_all(connection, contact_id, now, Purpose.SIGN_IN)
        new = NewIdentity(contact_id, remember, replacing, is_proof=True)
        first = FirstStep(redeemed.contact, EventKind.SIGN_IN_BY_EMAIL, new)
        sign_in = sign_ins.begin(connection, context, visitor, first, now)
    return EmailSignIn(sign_in, redeemed.dropped_registration)

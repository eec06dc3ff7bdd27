"""Signing in by mail: a link, and a code beside it, are one proof of the mailbox."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from portal.domain import identities, one_time_links
from portal.domain.context import Context, Visitor
from portal.domain.link_requests import email_link
from portal.domain.mailbox_proof import redeem
from portal.domain.one_time_links import OpenLink
from portal.domain.tokens import Purpose
from portal.domain.values.email import Address
from portal.storage.database import retried


@dataclass(frozen=True)
class EmailSignIn:
    """What a sign-in by a mailed link or code has led to."""

    identity: str = field(repr=False)
    dropped_registration: bool
    """Whether it ended a pending registration, and so the password that was chosen there."""


def request_sign_in(context: Context, visitor: Visitor, address: Address) -> str:
    """Mail a link and a code to a known contact, with or without an account; returns what the browser remembers of it.

    The answer is the same for every address (link_requests.py). Raises Refused(TOO_MANY_MAILS).
    """
    return email_link(
        context,
        visitor,
        address,
        Purpose.SIGN_IN,
        lifetime=context.rules.magic_lifetime,
    )


def get_sign_in_link(context: Context, visitor: Visitor, token: str) -> OpenLink:
    """The sign-in link of a token, unused. Raises Refused."""
    return one_time_links.get_open_link(context, visitor, Purpose.SIGN_IN, token)


def get_sign_in_link_by_code(context: Context, visitor: Visitor, requests: Sequence[str], code: str) -> OpenLink:
    """The sign-in link whose code was typed, of those this browser asked for; counts the try. Raises Refused."""
    return one_time_links.get_open_link_by_code(context, visitor, Purpose.SIGN_IN, requests, code)


@retried
def log_in_by_email(
    context: Context, visitor: Visitor, link: OpenLink, *, remember: bool, replacing: str | None
) -> EmailSignIn:
    """Sign in whoever has the mailbox by a new identity; the one so far (`replacing`) ends.

    Of any number of parallel uses of link and code one succeeds, and every other open one of the customer ends with
    it. The mailbox is proven (mailbox_proof.py says what that changes). Raises Refused (LINK_ENDED, LINK_EXPIRED).
    """
    with redeem(context, visitor, link) as redeemed:
        connection, contact_id, now = redeemed.connection, redeemed.contact.id, redeemed.now
        one_time_links.end_all(connection, contact_id, now, Purpose.SIGN_IN)
        identity = identities.start(
            connection,
            context.rules,
            visitor,
            contact_id=contact_id,
            remember=remember,
            now=now,
            replacing=replacing,
            is_proof=True,
        )
    return EmailSignIn(identity, redeemed.dropped_registration)

"""A customer with data in every table that holds customer data, for tests of export and deletion."""

from dataclasses import dataclass, replace

import pyotp
from sqlalchemy import select, update

from portal.domain.use_cases import hand_over
from portal.domain.use_cases.rename_passkey import rename_passkey
from portal.domain.use_cases.request_address_change import request_address_change
from portal.domain.use_cases.set_up_two_step import begin_set_up, set_up_two_step
from portal.domain.values.email import parse_email
from portal.storage.models import Contact
from tests.domain.passkey_customer import add
from tests.domain.scene import PASSWORD, SECOND_PASSWORD, Scene
from tests.passkeys import Authenticator

EMAIL = "jana.novakova+shop@gmail.com"
KEY = "jananovakova@gmail.com"
NEW_EMAIL = "jana.after.the.wedding@example.org"
FRIEND = "petr.dvorak@example.com"
DETAILS = {
    "name": "Jana Novákobová",
    "first_name": "Janička",
    "last_name": "Nováčková",
    "phone": "+420 777123456",
    "company_name": "Sklo Nováková",
    "company_registration_number": "05103118",
    "tax_identification_number": "CZ9609040727",
    "street_address": "Dlouhá 1505",
    "city": "Kladno",
    "city_part": "Kročehlavy",
    "state_region": "Středočeský kraj",
    "postal_code": "272 01",
    "country": "CZ",
    "locale": "cs-CZ",
}
GROUPS = ("sklárny", "velkoodběratelé")
IP, USER_AGENT = "203.0.113.77", "Netscape/4.08 (Jana's own)"
RETURN_URL = "https://shop.example/jana"
BAN_REASON = "Jana never paid"
FRIENDS_IP = "198.51.100.5"
PASSKEY_NAME = "Jana's blue key"
NONCE = "janas-page-made-this-one-up"


@dataclass(frozen=True)
class FullCustomer:
    """The ids and tokens of the customer."""

    contact_id: int
    cu_ref_no: str
    referral: str
    """The reference number of the customer who referred this one."""
    identity: str
    """An identity that has not ended."""
    reset: str
    """An unused token from an email."""

    @property
    def traces(self) -> tuple[str, ...]:
        """Each of them identifies this customer wherever it is stored."""
        texts = [text for name, text in DETAILS.items() if name not in ("country", "locale")]
        return (
            EMAIL,
            KEY,
            NEW_EMAIL,
            self.cu_ref_no,
            *texts,
            *GROUPS,
            IP,
            USER_AGENT,
            RETURN_URL,
            BAN_REASON,
            PASSKEY_NAME,
            NONCE,
        )


def create_full_customer(portal: Scene) -> FullCustomer:
    """Create a customer with data in every table that holds customer data."""
    everybody = portal.without_limits()
    jana = replace(everybody, visitor=replace(everybody.visitor, ip=IP, user_agent=USER_AGENT))
    friend = everybody.elsewhere(FRIENDS_IP)
    friend.join(FRIEND)
    referral = reference_of(friend, FRIEND)
    identity = jana.join(
        EMAIL, PASSWORD, **DETAILS, groups=GROUPS, newsletter=True, referral=referral, return_url=RETURN_URL
    )
    cu_ref_no = reference_of(jana, EMAIL)
    friend.join("referred@example.com", referral=cu_ref_no)
    friend.register("waiting@example.com", referral=cu_ref_no)
    jana.log_out(identity)
    jana.reset(jana.ask_reset(EMAIL))
    jana.fail_to_log_in(EMAIL)
    jana.register(EMAIL)  # which tells her by email that she has an account already
    identity = jana.log_in(EMAIL, SECOND_PASSWORD, remember=True)
    jana.remember(identity)
    request_address_change(jana.context, jana.visitor, jana.get(identity), parse_email(NEW_EMAIL))
    identity = set_up_two_step_of(jana, identity)
    passkey = add(jana, identity, Authenticator())
    assert rename_passkey(jana.context, jana.visitor, jana.get(identity), passkey.id, PASSKEY_NAME)
    assert not isinstance(jana.begin_log_in(EMAIL, SECOND_PASSWORD), str)
    hand_over.hand_over(jana.context, jana.get(identity), NONCE)
    ((contact_id,),) = jana.rows(select(Contact.c.id).where(Contact.c.email == EMAIL))
    jana.change_row(update(Contact).where(Contact.c.id == contact_id).values(ban_reason=BAN_REASON))
    return FullCustomer(contact_id, cu_ref_no, referral, identity, jana.ask_reset(EMAIL))


def set_up_two_step_of(scene: Scene, identity: str) -> str:
    """Turn two-step verification on in a session; return the session's new identity."""
    context, visitor, customer = scene.context, scene.visitor, scene.get(identity)
    secret = begin_set_up(context, visitor, customer.id, customer.email, sealed=None).secret
    on = set_up_two_step(context, visitor, customer, secret, pyotp.TOTP(secret).at(context.clock()))
    assert on is not None
    assert on.identity is not None
    return on.identity


def reference_of(scene: Scene, email: str) -> str:
    """Return the reference number of a customer."""
    return str(scene.rows(select(Contact.c.cu_ref_no).where(Contact.c.email == email))[0][0])

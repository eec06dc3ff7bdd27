"""Two organisations on one portal share nothing, even for the same address."""

from collections.abc import Callable

import pytest
from sqlalchemy import select

from portal.domain import identities
from portal.domain.errors import Failure, Refused
from portal.domain.operations import customers
from portal.domain.operations.customers import UnknownCustomer
from portal.domain.outbox import Notice
from portal.domain.tokens import Purpose
from portal.domain.use_cases import log_in_by_email
from portal.domain.use_cases.confirm_registration import get_confirmation, get_confirmation_by_code
from portal.domain.use_cases.register import return_url_of
from portal.domain.use_cases.resend_confirmation import resend
from portal.domain.use_cases.set_new_password import get_reset_link
from portal.domain.values.email import parse_email
from portal.storage.models import Account, Contact, ContactGroup, Event, Identity, Registration
from tests.domain.scene import ADA, PASSWORD, SECOND_PASSWORD, WRONG_PASSWORD, Scene, refused


def test_the_same_address_is_a_separate_customer_in_each_organisation(first: Scene, second: Scene) -> None:
    one = first.get(first.join(first_name="Ada"))
    other = second.get(second.join(ADA, SECOND_PASSWORD, first_name="Adela"))
    assert one.id != other.id
    assert one.cu_ref_no != other.cu_ref_no
    assert (one.first_name, other.first_name) == ("Ada", "Adela")
    for scene, right, wrong in ((first, PASSWORD, SECOND_PASSWORD), (second, SECOND_PASSWORD, PASSWORD)):
        assert scene.log_in(ADA, right)
        with refused(Failure.WRONG_PASSWORD):
            scene.log_in(ADA, wrong)


@pytest.mark.parametrize("known_in_both", [True, False])
def test_an_identity_is_unknown_to_another_organisation(first: Scene, second: Scene, known_in_both: bool) -> None:
    identity = first.join()
    if known_in_both:
        second.join(ADA, SECOND_PASSWORD)
    assert not second.is_signed_in(identity)
    assert identities.find(second.context, second.visitor.organisation_id, identity) is None
    second.log_out(identity)
    if known_in_both:
        second.log_in(ADA, SECOND_PASSWORD, replacing=identity)
    assert first.is_signed_in(identity)


def sign_in_link(scene: Scene) -> str:
    log_in_by_email.request_sign_in(scene.context, scene.visitor, parse_email(ADA))
    return scene.token(Notice.SIGN_IN)


def verification_link(scene: Scene) -> str:
    scene.register()
    return scene.token(Notice.VERIFY)


def reset_link(scene: Scene) -> str:
    scene.add_guest()
    return scene.ask_reset()


def sign_in_link_of_a_guest(scene: Scene) -> str:
    scene.add_guest()
    return sign_in_link(scene)


def get_sign_in_link(scene: Scene, token: str) -> object:
    return log_in_by_email.get_sign_in_link(scene.context, scene.visitor, token)


def confirm_elsewhere(scene: Scene, token: str) -> object:
    return get_confirmation(scene.context, scene.visitor, token, registration=None)


def confirm_through_the_shop(scene: Scene, token: str) -> object:
    return scene.confirm_by_api(token)


def look_at_the_reset(scene: Scene, token: str) -> object:
    return get_reset_link(scene.context, scene.visitor, token)


def set_a_password(scene: Scene, token: str) -> None:
    scene.reset(token)


@pytest.mark.parametrize("known_in_both", [True, False])
@pytest.mark.parametrize(
    ("have_mailed", "use"),
    [
        (verification_link, confirm_elsewhere),
        (verification_link, confirm_through_the_shop),
        (reset_link, look_at_the_reset),
        (reset_link, set_a_password),
        (sign_in_link_of_a_guest, get_sign_in_link),
    ],
)
def test_a_link_is_refused_by_another_organisation_and_stays_valid(
    first: Scene,
    second: Scene,
    have_mailed: Callable[[Scene], str],
    use: Callable[[Scene, str], object],
    known_in_both: bool,
) -> None:
    token = have_mailed(first)
    if known_in_both:
        second.add_guest()
    with refused(Failure.NO_SUCH_LINK):
        use(second, token)
    use(first, token)


def test_a_code_is_refused_by_another_organisation(first: Scene, second: Scene) -> None:
    registration = first.register()
    token = first.token(Notice.VERIFY)
    public_id = first.context.signer.public_id(Purpose.VERIFY, token)
    code = first.context.signer.code(Purpose.VERIFY, public_id)
    with pytest.raises(Refused):
        get_confirmation_by_code(second.context, second.visitor, registration, code)
    assert get_confirmation_by_code(first.context, first.visitor, registration, code).email == ADA


def test_a_wrong_code_is_not_recorded_with_a_customer_of_another_organisation(first: Scene, second: Scene) -> None:
    first.add_guest()
    public_id = log_in_by_email.request_sign_in(first.context, first.visitor, parse_email(ADA))
    with refused(Failure.WRONG_CODE):
        log_in_by_email.get_sign_in_link_by_code(second.context, second.visitor, [public_id], "no code")
    events = select(Event.c.contact_id).where(Event.c.organisation_id == second.visitor.organisation_id)
    assert second.rows(events) == [(None,)]


def test_a_sign_in_code_is_refused_by_another_organisation(first: Scene, second: Scene) -> None:
    first.add_guest()
    second.add_guest()
    public_id = log_in_by_email.request_sign_in(first.context, first.visitor, parse_email(ADA))
    code = first.context.signer.code(Purpose.SIGN_IN, public_id)
    with pytest.raises(Refused):
        log_in_by_email.get_sign_in_link_by_code(second.context, second.visitor, [public_id], code)
    assert log_in_by_email.get_sign_in_link_by_code(first.context, first.visitor, [public_id], code).email == ADA


def test_a_registration_is_unknown_to_another_organisation(first: Scene, second: Scene) -> None:
    public_id = first.register(return_url="https://shop.example.com/")
    mails = len(first.mails())
    assert resend(second.context, second.visitor, public_id) is None
    assert return_url_of(second.context, second.visitor, public_id) is None
    assert len(first.mails()) == mails
    with refused(Failure.UNKNOWN_CONTACT):
        second.log_in()
    second.register_by_api()  # another organisation's registration is not blocked by the pending one
    first.confirm_by_api(first.mails(Notice.VERIFY)[0].token)
    second.confirm_by_api()
    assert (second.count(Account), second.count(Registration)) == (2, 2)


def test_an_address_with_an_account_can_register_at_another_organisation(first: Scene, second: Scene) -> None:
    first.join()
    with refused(Failure.ALREADY_REGISTERED):
        first.register_by_api()
    second.register_by_api(ADA, SECOND_PASSWORD)
    second.confirm_by_api()
    assert second.log_in(ADA, SECOND_PASSWORD)


def test_a_ban_does_not_apply_to_another_organisation(first: Scene, second: Scene) -> None:
    first.join()
    identity = second.join(ADA, SECOND_PASSWORD)
    token = second.ask_reset()
    first.ban()
    with refused(Failure.BANNED):
        first.magic_auth()
    assert second.is_signed_in(identity)
    assert second.is_signed_in(second.magic_auth())
    second.reset(token, WRONG_PASSWORD)


def test_a_password_change_ends_no_session_of_another_organisation(first: Scene, second: Scene) -> None:
    first.join()
    identity = second.join(ADA, SECOND_PASSWORD)
    first.reset(first.ask_reset(), SECOND_PASSWORD)  # nor is it one that was used before
    assert second.is_signed_in(identity)


def test_magic_auth_signs_in_at_its_own_organisation_only(first: Scene, second: Scene) -> None:
    known = first.get(first.join(first_name="Ada"))
    stranger = second.get(second.magic_auth())
    assert (stranger.id != known.id, stranger.first_name) == (True, None)


def referred_by_registration(scene: Scene, referral: str) -> None:
    scene.register_by_api("eve@example.com", referral=referral)
    scene.confirm_by_api()


def referred_by_the_shops_word(scene: Scene, referral: str) -> None:
    scene.magic_auth("eve@example.com", referral=referral)


@pytest.mark.parametrize("refer", [referred_by_registration, referred_by_the_shops_word])
def test_a_referral_by_a_customer_of_another_organisation_is_ignored(
    first: Scene, second: Scene, refer: Callable[[Scene, str], None]
) -> None:
    referrer = first.get(first.join())
    refer(second, referrer.cu_ref_no)
    refer(first, referrer.cu_ref_no)
    found = first.rows(
        select(Contact.c.organisation_id, Contact.c.referred_by_id).where(Contact.c.email == "eve@example.com")
    )
    assert set(found) == {(second.visitor.organisation_id, None), (first.visitor.organisation_id, referrer.id)}


def test_groups_belong_to_one_organisation(first: Scene, second: Scene) -> None:
    first.register_by_api(groups=("gold",))
    first.confirm_by_api()
    second.register_by_api(groups=("silver",))
    second.confirm_by_api()
    groups = select(Contact.c.organisation_id, ContactGroup.c.name).join(
        Contact, Contact.c.id == ContactGroup.c.contact_id
    )
    assert set(first.rows(groups)) == {
        (first.visitor.organisation_id, "gold"),
        (second.visitor.organisation_id, "silver"),
    }


def test_commands_show_customers_of_the_named_organisation_only(first: Scene, second: Scene) -> None:
    first.join("first@example.com")
    second.join("second@example.com")
    with first.context.database.read() as connection:
        for scene, own, foreign in (
            (first, "first@example.com", "second@example.com"),
            (second, "second@example.com", "first@example.com"),
        ):
            organisation_id = scene.visitor.organisation_id
            assert [one.email for one in customers.list_customers(connection, organisation_id)] == [own]
            assert customers.list_customers(connection, organisation_id, foreign) == []
            with pytest.raises(UnknownCustomer):
                customers.get_customer(connection, organisation_id, parse_email(foreign))


def test_an_event_is_recorded_with_the_organisation_where_it_happened(first: Scene, second: Scene) -> None:
    first.magic_auth()
    second.magic_auth()
    second.fail_to_log_in()
    rows = select(Event.c.organisation_id, Contact.c.organisation_id).outerjoin(
        Contact, Contact.c.id == Event.c.contact_id
    )
    assert all(where == whose for where, whose in first.rows(rows))
    assert first.count(Identity) == 2

"""Check new passwords as the domain does."""

from collections.abc import Sequence

from portal.domain.errors import Failure
from portal.domain.passwords.breached import BreachedPasswords
from portal.domain.passwords.policy import check_new_password
from tests.domain.scene import refused

PERSONAL = ("jana.novotna-svobodova@example.com", "Jana", "Novotn\u00e1 Svobodov\u00e1", "Hedgehog Books")


EIGHT_EMOJI = "\U0001f984\U0001f34b\U0001f6f6\U0001f9c2\U0001f3b7\U0001f9ed\U0001fa81\U0001f407"


def check(
    password: str,
    failure: Failure = Failure.PASSWORD_REFUSED,
    *,
    min_length: int = 8,
    personal: Sequence[str | None] = PERSONAL,
) -> bool:
    return check_new_password(
        password, failure, min_length=min_length, personal=personal, breached=BreachedPasswords(None)
    )


def reason_against(password: str) -> str:
    with refused(Failure.PASSWORD_REFUSED) as refusal:
        check(password)
    assert refusal.value.field == "password"
    return refusal.value.in_english

"""Parallel uses and changes of passkeys."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial

import pytest

from portal.domain.errors import Failure, Refused
from portal.domain.passkey_check import UnknownPasskey
from portal.domain.passkeys import MAX_PASSKEYS, Passkey
from portal.domain.use_cases.add_passkey import request_new_passkey
from portal.domain.use_cases.remove_passkey import remove_passkey
from portal.storage.models import Contact, Identity
from portal.storage.models import Passkey as PasskeyRow
from portal.storage.models import PendingSignIn as PendingSignInRow
from tests.domain.instrumentation import in_parallel
from tests.domain.passkey_customer import PARTY, add, ask, finish, finish_adding, passkeys_of
from tests.domain.scene import ADA, Scene, refused
from tests.passkeys import Authenticator


@pytest.mark.differs_on_postgresql
def test_a_customer_has_at_most_twenty(scene: Scene, identity: str) -> None:
    for _ in range(MAX_PASSKEYS - 2):
        add(scene, identity, Authenticator())
    requests = [request_new_passkey(scene.context, scene.get(identity), PARTY) for _ in range(4)]
    works = [
        partial(finish_adding, scene, identity, request, Authenticator().create(request.options))
        for request in requests
    ]
    outcomes = in_parallel(works)
    assert sum(isinstance(outcome, Passkey) for outcome in outcomes) == 1
    failures = {outcome.failure for outcome in outcomes if isinstance(outcome, Refused)}
    assert (failures, scene.count(PasskeyRow)) == ({Failure.TOO_MANY_PASSKEYS}, MAX_PASSKEYS)
    with refused(Failure.TOO_MANY_PASSKEYS):
        request_new_passkey(scene.context, scene.get(identity), PARTY)


@pytest.mark.differs_on_postgresql
def test_two_first_passkeys_at_once_have_one_user_handle(scene: Scene) -> None:
    identities = scene.join(), scene.log_in()
    works = []
    for identity in identities:
        request = request_new_passkey(scene.context, scene.get(identity), PARTY)
        works.append(partial(finish_adding, scene, identity, request, Authenticator().create(request.options)))
    outcomes = in_parallel(works)
    assert sum(isinstance(outcome, Passkey) for outcome in outcomes) == 1
    failures = [outcome.failure for outcome in outcomes if isinstance(outcome, Refused)]
    assert (failures, scene.count(PasskeyRow)) == ([Failure.PASSKEY_NOT_ADDED], 1)


@pytest.mark.differs_on_postgresql
def test_one_credential_is_added_once(scene: Scene) -> None:
    """Two customers, one of whom has copied the response of the other's authenticator."""
    works, key = [], Authenticator()
    for email in (ADA, "grace@example.com"):
        identity = scene.join(email)
        request = request_new_passkey(scene.context, scene.get(identity), PARTY)
        if not key.credentials:
            key.create(request.options)
        credential = key.describe(key.credentials[0], request.options["challenge"])
        works.append(partial(finish_adding, scene, identity, request, credential))
    outcomes = in_parallel(works)
    assert sum(isinstance(outcome, Passkey) for outcome in outcomes) == 1
    assert [one.failure for one in outcomes if isinstance(one, Refused)] == [Failure.PASSKEY_NOT_ADDED]


@pytest.mark.differs_on_postgresql
def test_one_answer_signs_in_once(scene: Scene, identity: str, phone: Authenticator) -> None:
    request = ask(scene)
    answer = phone.get(request.options)
    before = scene.count(Identity)
    outcomes = in_parallel([partial(finish, scene, request, answer)] * 4)
    assert sum(isinstance(outcome, str) for outcome in outcomes) == 1
    failures = [outcome.failure for outcome in outcomes if isinstance(outcome, Refused)]
    assert (failures, scene.count(Identity)) == ([Failure.PASSKEY_EXPIRED] * 3, before + 1)


@pytest.mark.differs_on_postgresql
def test_a_passkey_removed_while_it_signs_in_has_one_outcome(scene: Scene, identity: str, phone: Authenticator) -> None:
    (one,) = passkeys_of(scene, identity)
    request = ask(scene)
    signing_in = partial(finish, scene, request, phone.get(request.options))
    removing = partial(remove_passkey, scene.context, scene.visitor, scene.get(identity), one.id)
    works: list[Callable[[], object]] = [signing_in, removing]
    signed_in, removed = in_parallel(works)
    assert isinstance(removed, Passkey)
    assert isinstance(signed_in, str | UnknownPasskey)
    assert scene.count(PasskeyRow) == 0
    assert scene.count(PendingSignInRow) == 0


@pytest.mark.differs_on_postgresql
def test_a_customer_erased_while_a_passkey_signs_in_has_one_outcome(
    scene: Scene, identity: str, phone: Authenticator
) -> None:
    at_once = scene.with_rules(deletion_grace=timedelta(0))
    request = ask(scene)
    works: list[Callable[[], object]] = [
        partial(finish, scene, request, phone.get(request.options)),
        partial(at_once.close, identity),
    ]
    signed_in, closed = in_parallel(works)
    assert closed is True
    assert isinstance(signed_in, str | Refused)
    assert (scene.count(PasskeyRow), scene.count(Contact)) == (0, 0)

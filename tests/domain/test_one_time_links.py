"""One-time links and their tokens: unguessable, for one purpose, used once."""

from dataclasses import replace

import pytest
from limits import parse as parse_limit
from sqlalchemy import select, update

from portal.domain.errors import Failure
from portal.domain.one_time_links import get_open_link
from portal.domain.outbox import Notice
from portal.domain.tokens import LinkSigner, Purpose, random_id
from portal.storage.models import Contact, Link
from tests.conftest import SECRET_KEY
from tests.domain.instrumentation import statements_of
from tests.domain.scene import ADA, SECOND_PASSWORD, Scene, refused

UNREADABLE = {
    "empty": "",
    "no signature": "A" * 32,
    "empty signature": "A" * 32 + ".",
    "invented signature": "A" * 32 + "." + "b" * 43,
    "4000 characters": "A" * 4000,
    "non-ASCII": "\u017elu\u0165ou\u010dk\u00fd" * 4,
    "non-ASCII digits": "\u0661" * 32 + "." + "b" * 43,
    "half a pair": "\ud800",
    "NUL": "\x00" * 32,
    "white space": " ",
    "many dots": "." * 100,
}


def test_tokens_are_unique_and_unpredictable(scene: Scene) -> None:
    tokens = [scene.context.signer.token(Purpose.RESET, random_id()) for _ in range(2000)]
    assert len(set(tokens)) == 2000
    for part in zip(*(token.split(".") for token in tokens), strict=True):
        assert len(set(part)) == 2000
        for column in zip(*part, strict=True):
            assert len(set(column)) > 10  # the last of a base64 text has 16 values
    assert {len(token.partition(".")[0]) for token in tokens} == {32}


def test_emailed_tokens_contain_new_random_ids(scene: Scene) -> None:
    scene = scene.without_limits()
    scene.join()
    tokens = [scene.ask_reset() for _ in range(50)]
    assert len({token.partition(".")[0] for token in tokens}) == 50


def test_a_token_is_refused_for_another_purpose(scene: Scene) -> None:
    public_id = scene.register()
    tokens = {Purpose.VERIFY: scene.token(Notice.VERIFY), Purpose.RESET: scene.ask_reset()}
    for of, token in tokens.items():
        for under in Purpose:
            if of is under:
                assert get_open_link(scene.context, scene.visitor, under, token).email == ADA
            else:
                with refused(Failure.NO_SUCH_LINK):
                    scene.context.signer.public_id(under, token)
    with refused(Failure.NO_SUCH_LINK):
        scene.reset(tokens[Purpose.VERIFY])
    with refused(Failure.NO_SUCH_LINK):
        scene.confirm(tokens[Purpose.RESET], browser=public_id)


def test_a_link_signed_for_another_purpose_than_its_row_is_refused(scene: Scene) -> None:
    scene.register()
    [link] = scene.rows(select(Link))
    with refused(Failure.NO_SUCH_LINK):
        scene.reset(scene.context.signer.token(Purpose.RESET, link.public_id))


@pytest.mark.parametrize("token", UNREADABLE.values(), ids=list(UNREADABLE))
def test_a_token_that_was_never_issued_is_refused_without_a_query(scene: Scene, token: str) -> None:
    with statements_of(scene.context.database.engine) as statements:
        for use in (scene.reset, scene.confirm):
            with refused(Failure.NO_SUCH_LINK):
                use(token)
    assert statements == []


def test_a_text_longer_than_any_token_is_refused_even_with_a_valid_signature(scene: Scene) -> None:
    token = scene.context.signer.token(Purpose.RESET, "A" * 4000)
    with statements_of(scene.context.database.engine) as statements, refused(Failure.NO_SUCH_LINK):
        scene.reset(token)
    assert statements == []


def test_a_truncated_or_altered_token_is_refused(scene: Scene) -> None:
    scene = scene.without_limits()
    scene.join()
    token = scene.ask_reset()
    changed = [token[:place] + ("A" if token[place] != "A" else "B") + token[place + 1 :] for place in range(70)]
    for wrong in [*changed, token[:-1], token[1:], token + "A", token.swapcase(), f" {token}", f"{token}\n"]:
        with refused(Failure.NO_SUCH_LINK):
            scene.reset(wrong)
    scene.reset(token)


def test_a_used_link_is_refused(scene: Scene) -> None:
    scene.join()
    token = scene.ask_reset()
    scene.reset(token)
    with refused(Failure.LINK_ENDED):
        get_open_link(scene.context, scene.visitor, Purpose.RESET, token)


def test_a_link_of_a_banned_customer_is_refused(scene: Scene) -> None:
    scene.join()
    token = scene.ask_reset()
    scene.change_row(update(Contact).values(banned_at=scene.context.clock()))
    with refused(Failure.LINK_ENDED):
        get_open_link(scene.context, scene.visitor, Purpose.RESET, token)


def test_wrong_tokens_are_limited_and_a_valid_one_still_works(scene: Scene) -> None:
    scene = scene.with_rules(login_limit_network=parse_limit("10 per hour"))
    scene.register()
    token = scene.ask_reset()
    for number in range(10):
        with refused(Failure.NO_SUCH_LINK):
            scene.reset(f"{'A' * 32}.{number}")
    for use in (scene.reset, scene.confirm):
        with refused(Failure.TOO_MANY_LOGINS) as refusal:
            use("A" * 32)
        assert refusal.value.retry_after
    with refused(Failure.NO_SUCH_LINK):
        scene.elsewhere("198.51.100.9").reset("A" * 32)
    scene.reset(token)


def test_links_signed_with_a_fallback_key_stay_valid(scene: Scene) -> None:
    scene.join()
    token = scene.ask_reset()
    new_key = "another key, as long and as random as the first"
    without = replace(scene, context=replace(scene.context, signer=LinkSigner([new_key])))
    with refused(Failure.NO_SUCH_LINK):
        without.reset(token)
    rotated = replace(scene, context=replace(scene.context, signer=LinkSigner([SECRET_KEY, new_key])))
    rotated.reset(token)
    with refused(Failure.NO_SUCH_LINK):
        scene.reset(rotated.ask_reset(), SECOND_PASSWORD)

"""How long a field may be, and that this is checked before work that grows with it."""

import pytest

from portal.storage.models import STRING_LENGTH
from tests.api.fields.bodies import ENDPOINTS, FREE, FULL, LINES
from tests.api.shop import Shop
from tests.domain.instrumentation import normalised_lengths
from tests.web.conftest import Site


@pytest.mark.parametrize("length", [256, 2500])
def test_a_value_longer_than_its_column_is_refused(shop: Shop, length: int) -> None:
    longer = dict.fromkeys(LINES, "x" * length)
    assert shop.post("register-account", **{**FULL, **longer}).fields.keys() == set(LINES)


def test_length_is_checked_before_any_pattern(shop: Shop) -> None:
    for field in LINES:
        found = shop.post("register-account", **{**FULL, field: "1 " * 25_000}).fields
        assert found == {field: ["This may have at most 255 characters."]}


def test_free_texts_may_have_255_characters_of_any_script(site: Site, shop: Shop) -> None:
    longest = dict.fromkeys(FREE, "ř" * 255)
    assert shop.post("register-account", **{**FULL, **longest}).json == {"success": True}
    (stored,) = site.rows()["registration"]
    assert stored["street_address"] == stored["postal_code"] == "ř" * 255


@pytest.mark.parametrize("endpoint", ["login", "register-account", "set-new-password"])
def test_a_password_may_have_256_characters_and_is_refused_past_that(shop: Shop, endpoint: str) -> None:
    assert shop.post(endpoint, **{**ENDPOINTS[endpoint], "password": "ř" * 257}).fields.keys() == {"password"}
    assert shop.post(endpoint, **{**ENDPOINTS[endpoint], "password": "pass word \ud800"}).fields.keys() == {"password"}
    assert shop.post(endpoint, **{**ENDPOINTS[endpoint], "password": "ř" * 256}).status == 200


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_length_is_checked_before_normalisation(shop: Shop, endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    lengths = normalised_lengths(monkeypatch)
    for field in [name for name, good in ENDPOINTS[endpoint].items() if isinstance(good, str)]:
        for shape in ("{}", "a@{}.cz", "https://{}.cz/"):
            marks = shape.format("\u0316\u0301" * 5_000)
            assert shop.post(endpoint, **{**ENDPOINTS[endpoint], field: marks}).fields.keys() == {field}
    assert max(lengths, default=0) <= STRING_LENGTH

"""Customer reference numbers."""

from portal.domain.values.customer_reference import is_customer_reference


def test_a_customer_reference_number_is_16_alphanumerics() -> None:
    assert is_customer_reference("1cGIHvFoQDGLAbcA")
    for text in ("", "1cGIHvFoQDGLAbc", "1cGIHvFoQDGLAbcAA", "1cGIHvFoQDGLAbc-", "1cGIHvFoQDGLAbcA\n", "\u0661" * 16):
        assert not is_customer_reference(text)

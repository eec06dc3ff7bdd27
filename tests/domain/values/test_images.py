"""The type of a logo is detected by its content."""

import pytest

from portal.domain.values.images import COVER_MAX_BYTES, MAX_BYTES, cover_type, media_type

SVG = b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1"><path d="M0 0h1v1z"/></svg>'
PUBLIC = b'"-//W3C//DTD SVG 1.1//EN" "http://www.w3.org/Graphics/SVG/1.1/DTD/svg11.dtd"'


@pytest.mark.parametrize(
    ("logo", "name"),
    [
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 20, "image/png"),
        (b"\xff\xd8\xff\xe0" + b"\0" * 20, "image/jpeg"),
        (b"RIFF\x10\0\0\0WEBPVP8 ", "image/webp"),
        (SVG, "image/svg+xml"),
        (b'\xef\xbb\xbf<?xml version="1.0"?>\n<!-- by hand -->\n' + SVG, "image/svg+xml"),
        (b"<!DOCTYPE svg PUBLIC " + PUBLIC + b">" + SVG, "image/svg+xml"),
        (b'<s:svg xmlns:s="http://www.w3.org/2000/svg"/>', "image/svg+xml"),
        (b"\x89PNG\r\n\x1a\n".ljust(MAX_BYTES, b"\0"), "image/png"),
    ],
    ids=lambda value: ascii(value[:30]),
)
def test_the_image_type_is_detected_from_the_bytes(logo: bytes, name: str) -> None:
    assert media_type(logo) == name


@pytest.mark.parametrize(
    "logo",
    [
        b"GIF89a",
        b"hello",
        b"\0",
        b"\x89PNG",
        b"RIFF\x10\0\0\0WAVEfmt ",
        b"<html><svg xmlns='http://www.w3.org/2000/svg'/></html>",
        b"<svg/>",
        b"<svg xmlns='http://www.w3.org/2000/svg'>",
        SVG + b"<p>more</p>",
        b'<!DOCTYPE svg [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>' + SVG,
    ],
    ids=ascii,
)
def test_a_file_that_is_not_an_image_is_refused(logo: bytes) -> None:
    with pytest.raises(ValueError, match="not a PNG, JPEG, WebP or SVG"):
        media_type(logo)


def test_an_image_that_is_too_large_is_refused() -> None:
    with pytest.raises(ValueError, match="larger than 256 KiB"):
        media_type(b"\x89PNG\r\n\x1a\n".ljust(MAX_BYTES + 1, b"\0"))


@pytest.mark.parametrize(
    ("cover", "name"),
    [
        (b"\x89PNG\r\n\x1a\n", "image/png"),
        (b"RIFF\x10\0\0\0WEBPVP8 ", "image/webp"),
        (b"\xff\xd8\xff\xe0".ljust(COVER_MAX_BYTES, b"\0"), "image/jpeg"),
    ],
    ids=lambda value: ascii(value[:30]),
)
def test_a_cover_may_be_a_photo(cover: bytes, name: str) -> None:
    assert cover_type(cover) == name


@pytest.mark.parametrize("cover", [SVG, b"GIF89a", b"hello"], ids=ascii)
def test_an_svg_cover_is_refused(cover: bytes) -> None:
    with pytest.raises(ValueError, match="not a PNG, JPEG or WebP image"):
        cover_type(cover)


def test_a_cover_that_is_too_large_is_refused() -> None:
    with pytest.raises(ValueError, match="larger than 200 KiB"):
        cover_type(b"\x89PNG\r\n\x1a\n".ljust(COVER_MAX_BYTES + 1, b"\0"))

"""Detect the media types of logos and covers by their content, not by their file names."""

from xml.parsers.expat import ExpatError, ParserCreate

MAX_BYTES = 256 * 1024
COVER_MAX_BYTES = 200 * 1024
_SVG_ROOT = "http://www.w3.org/2000/svg svg"
_SIGNATURES = (
    ("image/png", 0, b"\x89PNG\r\n\x1a\n"),
    ("image/jpeg", 0, b"\xff\xd8\xff"),
    ("image/webp", 8, b"WEBP"),
)


def media_type(logo: bytes) -> str:
    """Return the media type of a logo; raises ValueError, with a sentence for the operator.

    An SVG may contain a script, so it must only be used as an image, where browsers run no scripts.
    """
    if len(logo) > MAX_BYTES:
        raise ValueError(f"The logo is larger than {MAX_BYTES // 1024} KiB.")
    name = _photo_type(logo) or ("image/svg+xml" if _is_svg(logo) else None)
    if name is None:
        raise ValueError("The logo is not a PNG, JPEG, WebP or SVG image.")
    return name


def cover_type(cover: bytes) -> str:
    """Return the media type of a cover; raises ValueError, with a sentence for the operator."""
    if len(cover) > COVER_MAX_BYTES:
        raise ValueError(f"The cover is larger than {COVER_MAX_BYTES // 1024} KiB.")
    name = _photo_type(cover)
    if name is None:
        raise ValueError("The cover is not a PNG, JPEG or WebP image.")
    return name


def _photo_type(picture: bytes) -> str | None:
    return next((name for name, start, signature in _SIGNATURES if picture.startswith(signature, start)), None)


class _NotSvg(Exception):
    pass


def _is_svg(text: bytes) -> bool:
    """Return whether it is a complete XML document with an SVG root and no entities, which could grow endlessly."""
    roots: list[str] = []

    def begin(name: str, _attributes: dict[str, str]) -> None:
        if not roots and name != _SVG_ROOT:
            raise _NotSvg
        roots.append(name)

    def declare(_name: str, _system: str | None, _public: str | None, has_internal_subset: bool) -> None:
        if has_internal_subset:
            raise _NotSvg

    parser = ParserCreate(namespace_separator=" ")
    parser.StartElementHandler = begin
    parser.StartDoctypeDeclHandler = declare
    try:
        parser.Parse(text, True)
    except (ExpatError, _NotSvg):
        return False
    return True

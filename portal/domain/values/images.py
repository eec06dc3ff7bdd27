"""Detect the media type of a logo by its content, not by its file name."""

from xml.parsers.expat import ExpatError, ParserCreate

MAX_BYTES = 256 * 1024
_SVG_ROOT = "http://www.w3.org/2000/svg svg"
_SIGNATURES = (
    ("image/png", 0, b"\x89PNG\r\n\x1a\n"),
    ("image/jpeg", 0, b"\xff\xd8\xff"),
    ("image/webp", 8, b"WEBP"),
)


def media_type(logo: bytes) -> str:
    """Return the media type of an image; raises ValueError, with a sentence for the operator.

    An SVG may contain a script, so it must only be used as an image, where browsers run no scripts.
    """
    if len(logo) > MAX_BYTES:
        raise ValueError(f"The logo is larger than {MAX_BYTES // 1024} KiB.")
    for name, start, signature in _SIGNATURES:
        if logo.startswith(signature, start):
            return name
    if _is_svg(logo):
        return "image/svg+xml"
    raise ValueError("The logo is not a PNG, JPEG, WebP or SVG image.")


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

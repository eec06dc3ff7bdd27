"""Write a small GeoIP database in MaxMind's format (MaxMind DB File Format Specification 2.0)."""

import struct
from collections.abc import Mapping
from ipaddress import ip_network
from pathlib import Path
from typing import Any

_MARKER = b"\xab\xcd\xefMaxMind.com"
_SEPARATOR = bytes(16)
_STRING, _UINT16, _UINT32, _MAP, _UINT64, _ARRAY = 2, 5, 6, 7, 9, 11


def write_mmdb(path: Path, places: Mapping[str, object]) -> Path:
    """A database of IPv6 networks and, under ::/96, IPv4 networks, with the data of each."""
    data = b""
    tree: list[list[int | bytes | None]] = [[None, None]]
    for network, place in places.items():
        _put(tree, network, struct.pack(">I", len(data)))
        data += _encoded(place)
    nodes = b"".join(_record(side, len(tree)) for node in tree for side in node)
    metadata = {
        "binary_format_major_version": (_UINT16, 2),
        "binary_format_minor_version": (_UINT16, 0),
        "build_epoch": (_UINT64, 1_772_366_400),
        "database_type": "Portal-Test",
        "description": {"en": "made-up places"},
        "ip_version": (_UINT16, 6),
        "languages": ["en"],
        "node_count": len(tree),
        "record_size": (_UINT16, 32),
    }
    path.write_bytes(nodes + _SEPARATOR + data + _MARKER + _encoded(metadata))
    return path


def _put(tree: list[list[int | bytes | None]], network: str, offset: bytes) -> None:
    """Let the bits of a network lead to the data at an offset."""
    parsed = ip_network(network)
    length = parsed.prefixlen + (96 if parsed.version == 4 else 0)
    bits = f"{int(parsed.network_address):0128b}"[:length]
    node = 0
    for bit in bits[:-1]:
        following = tree[node][int(bit)]
        if following is None:
            tree.append([None, None])
            following = tree[node][int(bit)] = len(tree) - 1
        assert isinstance(following, int), "one network lies in another"
        node = following
    tree[node][int(bits[-1])] = offset


def _record(side: int | bytes | None, node_count: int) -> bytes:
    if isinstance(side, bytes):
        return struct.pack(">I", int.from_bytes(side) + node_count + len(_SEPARATOR))
    return struct.pack(">I", node_count if side is None else side)


def _encoded(value: Any) -> bytes:
    if isinstance(value, str):
        text = value.encode()
        return _head(_STRING, len(text)) + text
    if isinstance(value, dict):
        return _head(_MAP, len(value)) + b"".join(_encoded(key) + _encoded(value[key]) for key in value)
    if isinstance(value, list):
        return _head(_ARRAY, len(value)) + b"".join(map(_encoded, value))
    kind, number = value if isinstance(value, tuple) else (_UINT32, value)
    digits: bytes = number.to_bytes((number.bit_length() + 7) // 8)
    return _head(kind, len(digits)) + digits


def _head(kind: int, size: int) -> bytes:
    assert size < 29 + 256, "longer values take another form"
    short, rest = (size, b"") if size < 29 else (29, bytes([size - 29]))
    return (bytes([kind << 5 | short]) if kind < 8 else bytes([short, kind - 7])) + rest

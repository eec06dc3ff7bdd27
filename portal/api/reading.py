"""Parse queries and bodies strictly, so that no other parser reads a request differently.

Python's own parser accepts NaN, takes the last of two fields with the same name, and recurses until its stack ends.
"""

import json
from collections import Counter
from typing import NoReturn

from flask import Request
from werkzeug.exceptions import UnsupportedMediaType

from portal.api.answers import bad_request, validation_failed
from portal.domain.values.text import is_plain

_NAME_SHOWN = 80
_UTF_8 = frozenset({"utf-8", "utf8"})
"""The charset's name, and how many write it."""
_NOT_JSON = "The body is not JSON in UTF-8, as RFC 8259 has it."


def read_query(request: Request) -> dict[str, str]:
    """Return the query; a repeated parameter raises PlatformError (400)."""
    query = {}
    for name, values in request.args.lists():
        if len(values) > 1:
            raise bad_request("The same query parameter was sent more than once.")
        query[name] = values[0]
    return query


def read_body(request: Request) -> dict[str, object]:
    """Parse the JSON object of the body. Raises PlatformError, UnsupportedMediaType, RequestEntityTooLarge."""
    charset = request.mimetype_params.get("charset", "utf-8").lower()
    if request.mimetype != "application/json" or charset not in _UTF_8:
        raise UnsupportedMediaType
    body = request.get_data(cache=False)
    try:
        found = json.loads(body.decode(), object_pairs_hook=_object, parse_constant=_refuse_constant)
    except RecursionError:
        raise bad_request("The JSON is nested too deep.") from None
    except ValueError:  # neither UTF-8 nor JSON, or a number with thousands of digits
        raise bad_request(_NOT_JSON) from None
    if not isinstance(found, dict):
        raise bad_request("The body must be a JSON object.")
    return found


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        repeated = Counter(name for name, _ in pairs).most_common(1)[0][0]
        if len(repeated) > _NAME_SHOWN or not is_plain(repeated):
            raise bad_request("A field was sent more than once.")
        raise validation_failed({repeated: ["This field was sent more than once."]})
    return found


def _refuse_constant(_name: str) -> NoReturn:
    raise bad_request(_NOT_JSON)  # NaN and Infinity

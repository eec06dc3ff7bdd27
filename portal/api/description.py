"""The OpenAPI 3.1 description of the API, from the endpoints and what they have in common."""

from functools import lru_cache

from flask import Flask
from flask_smorest import Api

from portal.api.endpoints import Endpoints
from portal.api.platform_responses import PLATFORM_ERROR, RATE_HEADERS, response_components
from portal.api.responses import Json

_ABOUT = """\
Sign-in, registration and password reset for the customers of one organisation, asked by the server of its shop.

Every request needs an API key, best as `Authorization: Bearer KEY`; `?apiKey=KEY` and a field `apiKey` in the JSON body
are taken too. The key decides which organisation is meant, and which endpoints it may use. It is a secret of your
server: never give it to a browser.

What an endpoint documents is answered with HTTP 200: look at `success`, and at `errorCode` where that is false.
Anything else is a platform error, with a status of its own.

Fields that are not described are ignored. Nothing is coerced: `"true"` is no boolean, and a number is no string. An
optional field that is null, or a text that is empty, counts as not given.
"""
_SECURITY: Json = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "The API key. To be preferred."},
    "query": {
        "type": "apiKey",
        "in": "query",
        "name": "apiKey",
        "description": "The API key, where no header can be set. Addresses end up in logs: the portal's own does not"
        " keep it, others on the way may.",
    },
}


@lru_cache(maxsize=8)
def describe(endpoints: Endpoints, base_url: str) -> Json:
    """Return the description of an API at an address; created on first use, since most processes never need it."""
    described = Flask(__name__, static_folder=None)
    described.config.update(
        API_TITLE="Customer portal",
        API_VERSION="v1",
        OPENAPI_VERSION="3.1.0",
        API_SPEC_OPTIONS={
            "info": {"summary": "The customers of a shop or service.", "description": _ABOUT},
            "servers": [{"url": base_url}],
            "security": [{name: []} for name in _SECURITY],
            "tags": [{"name": "customer", "description": "Customers and their identities."}],
        },
    )
    api = _PlainApi(described)
    components = api.spec.components
    for name, scheme in _SECURITY.items():
        components.security_scheme(name, scheme)
    for name, header in RATE_HEADERS.items():
        components.header(name, header)
    components.schema("PlatformError", PLATFORM_ERROR)
    for name, response in response_components().items():
        components.response(name, response)
    api.register_blueprint(endpoints)
    description: Json = api.spec.to_dict()
    for unused in ("Error", "PaginationMetadata"):  # flask-smorest always adds them
        del description["components"]["schemas"][unused]
    return description


class _PlainApi(Api):
    DEFAULT_ERROR_RESPONSE_NAME = None  # type: ignore[assignment] # flask-smorest's documented value for none

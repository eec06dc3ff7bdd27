"""A shop's server that uses the API."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from werkzeug.datastructures import Headers
from werkzeug.test import Client
from werkzeug.wrappers import Response

from portal.domain import api_keys
from portal.domain.api_keys import KeyKind
from tests.web.conftest import Site

ADDRESS = "/api/v1/customer/"
NETWORK = "198.51.100.7"


class Answer:
    """A response of the API, always JSON."""

    def __init__(self, response: Response, *, method: str = "POST") -> None:
        self.status = response.status_code
        self.headers: Headers = response.headers
        assert response.mimetype == "application/json", (self.status, response.mimetype)
        self.json: Any = None if method == "HEAD" else json.loads(response.get_data())

    @property
    def code(self) -> str:
        """The error code of a documented failure or a platform error."""
        if "error" in self.json:
            code: str = self.json["error"]["code"]
            return code
        assert self.status == 200
        assert self.json["success"] is False
        return str(self.json["errorCode"])

    @property
    def fields(self) -> dict[str, list[str]]:
        """The messages about invalid fields."""
        assert (self.status, self.code) == (422, "VALIDATION_FAILED"), self.json
        fields: dict[str, list[str]] = self.json["error"]["fields"]
        return fields


@dataclass
class Shop:
    """A shop's server with an API key."""

    site: Site
    key: str | None
    client: Client = field(init=False)

    def __post_init__(self) -> None:
        self.client = Client(self.site.app, use_cookies=False)

    def ask(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        data: bytes | str | None = None,
        query: Mapping[str, Any] | str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send a request with a JSON body, or with `data` as it is."""
        sent = {"Content-Type": "application/json"} if body is not None or data is not None else {}
        if self.key is not None:
            sent["Authorization"] = f"Bearer {self.key}"
        response = self.client.open(
            path if path.startswith("/") else ADDRESS + path,
            method=method,
            data=json.dumps(body) if body is not None else data,
            query_string=query,
            headers={**sent, **(headers or {})},
            environ_base={"REMOTE_ADDR": NETWORK},
            base_url=self.site.settings.base_url,
        )
        return Answer(response, method=method)

    def post(self, endpoint: str, **body: Any) -> Answer:
        return self.ask("POST", endpoint, body=body)

    def identity(self, answer: Answer) -> str:
        """The identity that a sign-in gave."""
        assert answer.json.keys() == {"success", "identityId"}, answer.json
        return str(answer.json["identityId"])

    def account(self, identity: str) -> dict[str, Any]:
        """Return the account of an identity."""
        answer = self.ask("GET", "get-account-info", query={"identityId": identity})
        assert answer.status == 200
        found: dict[str, Any] = answer.json
        return found


def new_key(site: Site, kind: KeyKind = KeyKind.PRODUCTION, *, organisation_id: int = 1, **options: Any) -> str:
    """A key of an organisation."""
    return api_keys.create(site.context, organisation_id, kind, **options)[1]


def new_shop(site: Site, **options: Any) -> Shop:
    """A server with a key of its own."""
    return Shop(site, new_key(site, **options))

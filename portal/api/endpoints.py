"""What all endpoints have in common: a checked key, a request read strictly, and their place in the description."""

from collections.abc import Callable
from typing import Any, NoReturn, TypeVar

from flask import Request, Response, g
from flask_smorest.blueprint import Blueprint
from marshmallow import EXCLUDE, Schema, ValidationError
from webargs.flaskparser import FlaskParser

from portal.api.answers import validation_failed
from portal.api.keys import keyed
from portal.domain.api_keys import Scope

SCOPE = "x-scope"
"""Where the description of an endpoint says which scope it needs."""
View = TypeVar("View", bound=Callable[..., Response])


class StrictParser(FlaskParser):
    """Takes what keys.py has read; fields that nobody asked for are dropped."""

    DEFAULT_UNKNOWN_BY_LOCATION = {"json": EXCLUDE, "query": EXCLUDE}

    def load_json(self, _req: Request, _schema: Schema) -> Any:
        """The body, as an object."""
        return g.body

    def load_querystring(self, _req: Request, _schema: Schema) -> Any:
        """The query, each parameter once."""
        return g.query

    def handle_error(self, error: ValidationError, *_arguments: Any, **_options: Any) -> NoReturn:
        """Refuse the request and name each field."""
        fields: dict[str, Any] = next(iter(error.normalized_messages().values()))
        raise validation_failed({name: _sentences(messages) for name, messages in fields.items()}) from None


class Endpoints(Blueprint):
    """Views that get the fields of their request as arguments, and answer a caller with the right key."""

    ARGUMENTS_PARSER = StrictParser()

    def post(self, path: str, schema: type[Schema], scope: Scope) -> Callable[[View], View]:  # type: ignore[override] # more than Flask's own shortcut
        """An endpoint that takes JSON."""
        return self._endpoint("POST", path, schema, scope)

    def get(self, path: str, schema: type[Schema], scope: Scope) -> Callable[[View], View]:  # type: ignore[override]
        """An endpoint that takes query parameters."""
        return self._endpoint("GET", path, schema, scope)

    def _endpoint(self, method: str, path: str, schema: type[Schema], scope: Scope) -> Callable[[View], View]:
        def decorate(view: View) -> View:
            location = "json" if method == "POST" else "query"
            read = self.arguments(schema(), location=location, as_kwargs=True)(view)  # made once, not for each request
            described = self.doc(operationId=view.__name__, **{SCOPE: scope.value})(keyed(scope)(read))
            self.route(path, methods=[method])(described)
            return view

        return decorate


def _sentences(messages: Any) -> list[str]:
    """What is wrong with a field; of a list, with each entry."""
    if isinstance(messages, dict):
        return [f"Entry {entry}: {sentence}" for entry, found in messages.items() for sentence in found]
    return list(messages)

"""What all endpoints have in common: a checked key, a request read strictly, and their place in the description."""

from collections.abc import Callable, Sequence
from typing import Any, NoReturn, TypeVar

from flask import Request, Response, g
from flask_smorest.blueprint import Blueprint
from marshmallow import EXCLUDE, Schema, ValidationError
from webargs.flaskparser import FlaskParser

from portal.api.answers import validation_failed
from portal.api.keys import keyed
from portal.api.platform_responses import ANSWER, platform_responses
from portal.api.responses import Json, answer_schema, messages_of
from portal.domain.api_keys import Scope
from portal.domain.errors import Failure

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

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.failures: dict[str, Sequence[Failure]] = {}
        """What each endpoint, by the name of its view, tells by a code of its own."""

    def post(  # type: ignore[override] # more than Flask's own shortcut
        self, path: str, schema: type[Schema], scope: Scope, success: Json, failures: Sequence[Failure] = ()
    ) -> Callable[[View], View]:
        """Declare an endpoint that takes JSON. What it refuses with none of `failures` is told as the first of them."""
        return self._endpoint("POST", path, schema, scope, success, failures)

    def get(self, path: str, schema: type[Schema], scope: Scope, success: Json) -> Callable[[View], View]:  # type: ignore[override]
        """Declare an endpoint that takes query parameters."""
        return self._endpoint("GET", path, schema, scope, success, ())

    def _endpoint(
        self, method: str, path: str, schema: type[Schema], scope: Scope, success: Json, failures: Sequence[Failure]
    ) -> Callable[[View], View]:
        has_body = method == "POST"

        def decorate(view: View) -> View:
            self.failures[view.__name__] = failures
            location = "json" if has_body else "query"
            read = self.arguments(schema(), location=location, as_kwargs=True)(view)  # made once, not for each request
            answered = self.response(200, answer_schema(success, failures), **ANSWER)(keyed(scope)(read))
            described = self.doc(
                operationId=view.__name__,
                description=f"Needs a key with the scope `{scope}`." + _table(failures),
                responses=platform_responses(has_body=has_body),
                **{SCOPE: scope.value},
            )(answered)
            self.route(path, methods=[method])(described)
            return view

        return decorate


def _table(failures: Sequence[Failure]) -> str:
    if not failures:
        return ""
    rows = "".join(f"| {code} | {message} |\n" for code, message in messages_of(failures).items())
    return f"\n\n| errorCode | message |\n|---|---|\n{rows}"


def _sentences(messages: Any) -> list[str]:
    """What is wrong with a field; of a list, with each entry."""
    if isinstance(messages, dict):
        return [f"Entry {entry}: {sentence}" for entry, found in messages.items() for sentence in found]
    return list(messages)

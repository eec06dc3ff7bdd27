"""The declaration of endpoints: API key, strict parsing of the request, and OpenAPI description."""

from collections.abc import Callable, Sequence
from typing import Any, NoReturn, TypeVar

from flask import Request, Response, g
from flask_smorest.blueprint import Blueprint
from marshmallow import EXCLUDE, Schema, ValidationError
from webargs.flaskparser import FlaskParser

from portal.api.answers import validation_failed
from portal.api.keys import requires_key
from portal.api.platform_responses import ANSWER, platform_responses
from portal.api.responses import Json, answer_schema, messages_of
from portal.domain.api_keys import Scope
from portal.domain.errors import Failure

SCOPE = "x-scope"
"""The member of an endpoint's description with the scope that it needs."""
View = TypeVar("View", bound=Callable[..., Response])


class StrictParser(FlaskParser):
    """Loads the fields from what keys.py has parsed; unknown fields are ignored."""

    DEFAULT_UNKNOWN_BY_LOCATION = {"json": EXCLUDE, "query": EXCLUDE}

    def load_json(self, _req: Request, _schema: Schema) -> dict[str, object]:
        """Return the JSON object of the body."""
        body: dict[str, object] = g.body
        return body

    def load_querystring(self, _req: Request, _schema: Schema) -> dict[str, str]:
        """Return the query parameters."""
        query: dict[str, str] = g.query
        return query

    def handle_error(self, error: ValidationError, *_arguments: Any, **_options: Any) -> NoReturn:
        """Raise PlatformError (422) with the messages of each field."""
        fields: dict[str, object] = next(iter(error.normalized_messages().values()))
        raise validation_failed({name: _sentences(messages) for name, messages in fields.items()}) from None


class Endpoints(Blueprint):
    """A blueprint of views that get the fields of the request as arguments, for callers with a valid API key."""

    ARGUMENTS_PARSER = StrictParser()

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.failures: dict[str, Sequence[Failure]] = {}
        """The documented failures of each endpoint, by the name of its view."""

    def post(  # type: ignore[override] # more parameters than Flask's own
        self, path: str, schema: type[Schema], scope: Scope, success: Json, failures: Sequence[Failure] = ()
    ) -> Callable[[View], View]:
        """Declare an endpoint with a JSON body; a refusal that is not in `failures` gets the code of the first one."""
        return self._endpoint("POST", path, schema, scope, success, failures)

    def get(self, path: str, schema: type[Schema], scope: Scope, success: Json) -> Callable[[View], View]:  # type: ignore[override] # likewise
        """Declare an endpoint with query parameters."""
        return self._endpoint("GET", path, schema, scope, success, ())

    def _endpoint(
        self, method: str, path: str, schema: type[Schema], scope: Scope, success: Json, failures: Sequence[Failure]
    ) -> Callable[[View], View]:
        has_body = method == "POST"

        def decorate(view: View) -> View:
            self.failures[view.__name__] = failures
            location = "json" if has_body else "query"
            # The schema is created once, not for each request.
            with_arguments = self.arguments(schema(), location=location, as_kwargs=True)(view)
            with_key = requires_key(scope)(with_arguments)
            with_response = self.response(200, answer_schema(success, failures), **ANSWER)(with_key)
            endpoint = self.doc(
                operationId=view.__name__,
                description=f"Needs a key with the scope `{scope}`." + _table(failures),
                responses=platform_responses(has_body=has_body),
                **{SCOPE: scope.value},
            )(with_response)
            self.route(path, methods=[method])(endpoint)
            return view

        return decorate


def _table(failures: Sequence[Failure]) -> str:
    if not failures:
        return ""
    rows = "".join(f"| {code} | {message} |\n" for code, message in messages_of(failures).items())
    return f"\n\n| errorCode | message |\n|---|---|\n{rows}"


def _sentences(messages: Any) -> list[str]:
    """Return the messages of a field; for a list, those of each entry."""
    if isinstance(messages, dict):
        return [f"Entry {entry}: {sentence}" for entry, found in messages.items() for sentence in found]
    return list(messages)

"""The description of the API as OpenAPI and as a page; both need no key."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

from flask import Blueprint, Response, render_template
from markupsafe import Markup, escape

from portal.api.description import describe
from portal.api.endpoints import Endpoints
from portal.api.responses import Json, messages_of

_CODE = re.compile(r"`([^`]+)`")
_BLANK_LINE = "\n\n"


@dataclass(frozen=True)
class Field:
    """A field of a request, as the page shows it."""

    name: str
    kind: str
    is_required: bool
    about: str


@dataclass(frozen=True)
class Endpoint:
    """An endpoint, as the page shows it."""

    name: str
    method: str
    path: str
    summary: str
    scope: str
    fields: list[Field]
    failures: dict[str, str]
    request: str
    answer: str


def pages(described: Endpoints, base_url: str) -> Blueprint:
    """Return a blueprint with the OpenAPI description as JSON, and as a page without scripts."""
    docs = Blueprint("docs", __name__, url_prefix="/api/v1")

    @docs.get("/openapi.json")
    def openapi() -> Response:
        text = json.dumps(describe(described, base_url), ensure_ascii=False)
        return Response(text, mimetype="application/json")

    @docs.get("/docs")
    def show() -> str:
        description = describe(described, base_url)
        return render_template(
            "api/docs.html",
            title=description["info"]["title"],
            paragraphs=description["info"]["description"].split(_BLANK_LINE),
            base_url=base_url,
            endpoints=list(_endpoints(described, description)),
            errors=_errors(description),
        )

    docs.add_app_template_filter(with_code)
    return docs


def with_code(text: str) -> Markup:
    """Return a text as HTML, with the parts between backticks as code."""
    return Markup(_CODE.sub(r"<code>\1</code>", str(escape(text))))  # noqa: S704 - escaped just before


def _endpoints(described: Endpoints, description: Json) -> Iterator[Endpoint]:
    for path, operations in description["paths"].items():
        for method, operation in operations.items():
            name = operation["operationId"]
            schema = _request_schema(description, operation)
            yield Endpoint(
                name=path.rpartition("/")[2],
                method=method.upper(),
                path=path,
                summary=operation["summary"],
                scope=operation["x-scope"],
                fields=_fields(schema),
                failures=messages_of(described.failures[name]),
                request=_as_json(_example(schema)),
                answer=_as_json(_example(_success_schema(operation))),
            )


def _request_schema(description: Json, operation: Json) -> Json:
    """Return the schema of the body, or an object schema of the query parameters."""
    if "requestBody" in operation:
        reference = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"]
        schema: Json = description["components"]["schemas"][reference.rpartition("/")[2]]
        return schema
    parameters = operation["parameters"]
    return {
        "properties": {each["name"]: {"description": each["description"], **each["schema"]} for each in parameters},
        "required": [each["name"] for each in parameters if each["required"]],
    }


def _success_schema(operation: Json) -> Json:
    """Return the schema of the response to a successful request."""
    schema: Json = operation["responses"]["200"]["content"]["application/json"]["schema"]
    failed = [each for each in schema.get("oneOf", ()) if "errorCode" in each["properties"]]
    succeeded: Json = schema["oneOf"][0] if failed else schema
    return succeeded


def _fields(schema: Json) -> list[Field]:
    return [
        Field(name, _kind(field), name in schema.get("required", []), field["description"])
        for name, field in schema["properties"].items()
    ]


def _kind(field: Json) -> str:
    kind = field["type"] if isinstance(field["type"], str) else field["type"][0]
    if kind == "array":
        return f"list of strings, at most {field['maxItems']}"
    return f"{kind}, at most {field['maxLength']} characters" if "maxLength" in field else str(kind)


def _example(schema: Json) -> object:
    """Return an example for a schema; of several alternatives the last, which has the most fields."""
    if "oneOf" in schema:
        return _example(schema["oneOf"][-1])
    if "const" in schema:
        return schema["const"]
    if "properties" in schema:
        return {name: _example(field) for name, field in schema["properties"].items()}
    defaults = {"boolean": False, "number": 0}
    return schema["examples"][0] if "examples" in schema else defaults.get(schema["type"], "")


def _as_json(example: object) -> str:
    return json.dumps(example, ensure_ascii=False, indent=2)


def _errors(description: Json) -> list[tuple[str, str, list[str]]]:
    """List each status of a platform error with its description and codes."""
    responses = description["components"]["responses"]
    operation = next(each for path in description["paths"].values() for each in path.values() if "requestBody" in each)
    named = {
        status: responses[answer["$ref"].rpartition("/")[2]]
        for status, answer in operation["responses"].items()
        if "$ref" in answer
    }
    return [
        (status, answer["description"], list(answer["content"]["application/json"]["examples"]))
        for status, answer in sorted(named.items())
    ]

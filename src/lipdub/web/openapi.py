"""The document of the API (OpenAPI 3.1), made from the table of operations and the types that check requests."""

from collections.abc import Sequence
from typing import Any

import lipdub
from lipdub.web.api import shapes
from lipdub.web.json_body import schema_of
from lipdub.web.operations import Operation

_PROBLEMS = {
    400: "It cannot be read", 401: "The key is missing or wrong", 403: "It comes from another site",
    404: "There is no such thing", 408: "Nothing came for a minute", 409: "Something else works on it",
    412: "It was changed in another window", 413: "It is too large", 415: "That type is not taken",
    422: "It cannot be used; `field` says which part", 429: "There are too many already",
    501: "A package is not installed", 507: "It cannot be written",
}  # fmt: skip
_ALWAYS = (401, 403)

_PROBLEM_SCHEMA: dict[str, Any] = {
    "type": "object",
    "description": "A problem document (RFC 9457).",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string", "description": "The class of the problem, as urn:lipdub:..."},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "What happened, in a sentence"},
        "remedy": {"type": "string", "description": "What can be done"},
        "field": {"type": "string", "description": "The part of the request that it is about"},
        "line": {"type": "string"},
        "file": {"type": "string"},
        "reference": {"type": "string", "description": "Where the log tells more, for a mistake of ours"},
        "job": {"$ref": "#/components/schemas/JobShown"},
        "present": {"type": "object", "description": "What holds now, where a change came too late"},
    },
}


def document(operations: Sequence[Operation]) -> dict[str, Any]:
    """The document of ``operations``."""
    kinds = [kind for each in operations for kind in (each.body, each.query, each.answer) if kind is not None]
    found, components = schema_of([*kinds, shapes.JobShown])
    schemas = dict(zip(map(_key, kinds), found, strict=False))
    components["Problem"] = _PROBLEM_SCHEMA
    paths: dict[str, dict[str, Any]] = {}
    for each in operations:
        paths.setdefault(each.path, {})[each.method.lower()] = _operation(each, schemas, components)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "lipdub studio",
            "version": lipdub.__version__,
            "description": "Dubs of existing video: projects, languages, lines, takes and jobs. Times are seconds from"
            " where players start the source. Every request has the key, as X-Api-Key.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "security": [{"key": []}],
        "paths": dict(sorted(paths.items())),
        "components": {
            "schemas": dict(sorted(components.items())),
            "securitySchemes": {"key": {"type": "apiKey", "in": "header", "name": "X-Api-Key"}},
        },
    }


def _key(kind: Any) -> str:
    return repr(kind)


def _operation(each: Operation, schemas: dict[str, Any], components: dict[str, Any]) -> dict[str, Any]:
    told: dict[str, Any] = {
        "operationId": each.name,
        "summary": each.summary,
        "tags": [_tag(each.path)],
        "responses": _responses(each, schemas),
    }
    parameters = [_path_part(name) for name in each.parts]
    if each.query is not None:
        parameters += _query(_resolved(schemas[_key(each.query)], components))
    if 412 in each.errors:
        parameters.append(_header("If-Match", 'The revision that the change is based on: "REVISION"'))
    if each.repeatable:
        parameters.append(_header("Idempotency-Key", "The same key and request give the same answer, for a day"))
    if each.name == "send_upload":
        parameters.append({**_header("Upload-Offset", "From which byte on"), "required": True})
    if parameters:
        told["parameters"] = parameters
    content = {}
    if each.body is not None:
        content["application/json"] = {"schema": schemas[_key(each.body)]}
    for kind in each.takes:
        schema = _FORM if kind == "multipart/form-data" else {"type": "string", "format": "binary"}
        content[kind] = {"schema": schema}
    if content:
        told["requestBody"] = {"required": True, "content": content}
    return told


_FORM: dict[str, Any] = {
    "type": "object",
    "required": ["video", "consent"],
    "properties": {
        "video": {"type": "string", "format": "binary"},
        "script": {"type": "string", "format": "binary", "description": "What is said: SRT, VTT, ASS, JSON, text"},
        "audio": {"type": "string", "format": "binary", "description": "A finished dub track"},
        "to": {"type": "string", "description": "The language, e.g. es"},
        "name": {"type": "string"},
        "consent": {"type": "string", "enum": ["true", "false"], "description": "The people in it agreed"},
    },
}


def _responses(each: Operation, schemas: dict[str, Any]) -> dict[str, Any]:
    done: dict[str, Any] = {"description": "Done" if each.status != 202 else "A job does it"}
    if each.answer is not None:
        done["content"] = {"application/json": {"schema": schemas[_key(each.answer)]}}
    elif each.answers:
        done["content"] = {kind: {"schema": {"type": "string", "format": "binary"}} for kind in each.answers}
    statuses = {*_ALWAYS, *each.errors}
    if each.parts:
        statuses.add(404)
    if each.body is not None or each.query is not None:
        statuses |= {400, 422}
    problem = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    refused = {str(code): {"description": _PROBLEMS[code], "content": problem} for code in sorted(statuses)}
    return {str(each.status): done, **refused}


def _path_part(name: str) -> dict[str, Any]:
    words = {"p": "project", "l": "language", "s": "line", "n": "number of a take"}
    return {
        "name": name, "in": "path", "required": True, "schema": {"type": "string"},
        "description": f"The {words.get(name, name)}",
    }  # fmt: skip


def _header(name: str, text: str) -> dict[str, Any]:
    return {"name": name, "in": "header", "required": False, "schema": {"type": "string"}, "description": text}


def _query(schema: dict[str, Any]) -> list[dict[str, Any]]:
    needed = schema.get("required", [])
    return [
        {"name": name, "in": "query", "required": name in needed, "schema": kind}
        for name, kind in schema["properties"].items()
    ]


def _resolved(schema: dict[str, Any], components: dict[str, Any]) -> dict[str, Any]:
    return components[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema


def _tag(path: str) -> str:
    parts = [part for part in path.split("/")[2:] if part and not part.startswith("{")]
    return parts[1] if len(parts) > 1 and parts[0] == "projects" and parts[1] != "demo" else (parts or ["studio"])[0]

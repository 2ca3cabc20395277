"""The page ``/docs``: the API's document as plain HTML, without scripts and without anything from elsewhere."""

import json
from html import escape
from typing import Any

_STYLE = "/docs.css"

CSS = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { margin: 2rem auto; max-width: 60rem; padding: 0 1rem; }
code, pre { font: 14px/1.5 ui-monospace, monospace; }
pre { overflow-x: auto; padding: .6rem; border: 1px solid #8884; border-radius: 6px; }
details { border-top: 1px solid #8884; padding: .5rem 0; }
summary { cursor: pointer; }
.method { display: inline-block; min-width: 4.5rem; font-weight: 700; }
table { border-collapse: collapse; }
td, th { text-align: left; padding: .2rem .8rem .2rem 0; vertical-align: top; }
"""


def docs_page(document: dict[str, Any]) -> str:
    """The page for a document of the API."""
    parts = [
        '<!doctype html><html lang="en"><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width"><title>lipdub studio: API</title>',
        f'<link rel="stylesheet" href="{_STYLE}"><h1>lipdub studio: API</h1>',
        f"<p>{escape(document['info']['description'])} The same for programs: "
        '<a href="/openapi.json">openapi.json</a>.</p>',
    ]
    by_tag: dict[str, list[str]] = {}
    for path, methods in document["paths"].items():
        for method, told in methods.items():
            by_tag.setdefault(told["tags"][0], []).append(_operation(path, method, told))
    for tag, told in by_tag.items():
        parts += [f"<h2>{escape(tag)}</h2>", *told]
    parts.append("<h2>What goes in and comes out</h2>")
    for name, schema in document["components"]["schemas"].items():
        parts.append(_schema(name, schema))
    return "\n".join([*parts, "</html>"])


def _operation(path: str, method: str, told: dict[str, Any]) -> str:
    rows = [
        f"<tr><td><code>{escape(each['name'])}</code><td>{escape(each['in'])}"
        f"<td>{escape(each.get('description', ''))}</tr>"
        for each in told.get("parameters", [])
    ]
    sent = [
        f"<p>Takes <code>{escape(kind)}</code> {_name(content['schema'])}</p>"
        for kind, content in told.get("requestBody", {}).get("content", {}).items()
    ]
    answers = [
        f"<tr><td>{escape(code)}<td>{escape(each['description'])}"
        f"<td>{' '.join(_name(content['schema']) for content in each.get('content', {}).values())}</tr>"
        for code, each in told["responses"].items()
    ]
    verb = f'<span class="method">{escape(method.upper())}</span>'
    return (
        f'<details id="{escape(told["operationId"])}"><summary><code>{verb} {escape(path)}</code><br>'
        f"{escape(told['summary'])}</summary>"
        f"<table>{''.join(rows)}</table>{''.join(sent)}<table>{''.join(answers)}</table></details>"
    )


def _schema(name: str, schema: dict[str, Any]) -> str:
    shown = json.dumps(schema, indent=1, ensure_ascii=False)
    summary = f"<summary><code>{escape(name)}</code></summary>"
    return f'<details id="{escape(name)}">{summary}<pre>{escape(shown)}</pre></details>'


def _name(schema: dict[str, Any]) -> str:
    reference = schema.get("$ref", "")
    if not reference:
        return f"<code>{escape(str(schema.get('type', '')))}</code>"
    name = reference.rpartition("/")[2]
    return f'<a href="#{escape(name)}"><code>{escape(name)}</code></a>'

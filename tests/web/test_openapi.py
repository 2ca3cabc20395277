"""The API's document fits the API: every call is in it, every reference leads somewhere, answers are as it says."""

import re
from pathlib import Path
from typing import Any

from lipdub.web.json_body import typed
from lipdub.web.page_files import page_files


def test_the_document_is_whole(asked: Any) -> None:
    told = asked.get("/openapi.json").json()
    assert told["openapi"].startswith("3.1")
    names = [method["operationId"] for path in told["paths"].values() for method in path.values()]
    assert len(names) == len(set(names))
    schemas = told["components"]["schemas"]

    def references(value: Any) -> Any:
        if isinstance(value, dict):
            if "$ref" in value:
                yield value["$ref"]
            for each in value.values():
                yield from references(each)
        elif isinstance(value, list):
            for each in value:
                yield from references(each)

    used = set(references(told))
    assert used
    assert all(each.removeprefix("#/components/schemas/") in schemas for each in used)
    for path, methods in told["paths"].items():
        for method in methods.values():
            parts = {each["name"] for each in method.get("parameters", []) if each["in"] == "path"}
            assert parts == set(re.findall(r"{(\w+)}", path)), path
            assert any(code.startswith("2") for code in method["responses"])
            assert "401" in method["responses"]


def test_every_route_is_described(asked: Any) -> None:
    described = {
        (method.upper(), path)
        for path, methods in asked.get("/openapi.json").json()["paths"].items()
        for method in methods
    }
    routes = {
        (method, route.path)
        for route in asked.app.app.routes
        for method in route.methods - {"HEAD"}
        if route.path.startswith(("/v1/", "/v2/"))
    }
    assert routes - described == set()
    assert described - routes - {("HEAD", "/v1/uploads/{upload}")} == set()


def test_answers_are_as_the_document_says(asked: Any, clip: Path) -> None:
    from lipdub.web.app import OPERATIONS

    es = asked.project(clip)
    by_name = {each.name: each for each in OPERATIONS}
    for name, path in (
        ("get_status", "/v1/status"),
        ("list_projects", "/v1/projects"),
        ("get_project", "/v1/projects/talk"),
        ("get_language", es),
        ("list_segments", f"{es}/segments"),
        ("get_stale", f"{es}/stale"),
        ("list_takes", f"{es}/segments/1/takes"),
        ("list_people", "/v1/projects/talk/people"),
        ("get_ranges", "/v1/projects/talk/ranges"),
    ):
        answer = asked.get(path)
        assert answer.status_code == by_name[name].status, answer.text
        typed(answer.json(), by_name[name].answer)
    edit = {"edits": [{"op": "split", "segment": "1", "at": 0.5}]}
    typed(asked.client.post(f"{es}/edits", json=edit).json(), by_name["edit"].answer)
    typed(asked.client.post(f"{es}/render").json(), by_name["render"].answer)


def test_problems_are_as_the_document_says(asked: Any, clip: Path) -> None:
    es = asked.project(clip)
    schema = asked.get("/openapi.json").json()["components"]["schemas"]["Problem"]
    for answer in (
        asked.get("/v1/projects/none"),
        asked.get(f"{es}/segments?filter=x"),
        asked.client.post(f"{es}/edits", json={"edits": 5}),
        asked.get("/v1/jobs/none"),
        asked.client.put("/v1/status"),
        asked.get("/nothing/here"),
        asked.client.post("/v2/generate", json={}),
        asked.get("/v1/projects/none/media"),
        asked.get("/v1/projects/talk/faces?at=x"),
    ):
        assert 400 <= answer.status_code < 500, answer.text
        assert answer.headers["content-type"] == "application/problem+json", answer.url
        problem = answer.json()
        assert set(problem) <= set(schema["properties"])
        assert set(schema["required"]) <= set(problem)
        assert problem["status"] == answer.status_code
        assert problem["detail"].endswith((".", "?", "”")), problem["detail"]


def test_the_page_of_the_document_needs_nothing_from_elsewhere(asked: Any) -> None:
    page = asked.get("/docs").text
    assert "<script" not in page
    assert " style=" not in page
    assert not re.findall(r"(?:src|href)=\"(?!/|#)", page)
    assert asked.get("/docs.css").headers["content-type"].startswith("text/css")
    for name in asked.get("/openapi.json").json()["components"]["schemas"]:
        assert f'id="{name}"' in page


def test_the_files_of_the_page_are_served(asked: Any) -> None:
    for name, file in page_files().items():
        answer = asked.get(f"/{name}")
        assert (answer.status_code, answer.content) == (200, file.content)
        assert asked.get(f"/{name}", headers={"If-None-Match": answer.headers["etag"]}).status_code == 304
    for name in ("..%2fguard.py", "%2e%2e/guard.py", "vendor", "/etc/passwd", "vendor/..%2f..%2fkeys.py", "a%00b"):
        assert asked.get(f"/{name}").status_code == 404

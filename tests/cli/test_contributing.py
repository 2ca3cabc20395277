"""CONTRIBUTING and the glossary name only what exists, and the glossary lists every class of the timeline."""

import ast
import re
from pathlib import Path

import pytest
from documented import ROOT

SOURCE = ROOT / "src"
GLOSSARY = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


def quoted(text: str) -> list[str]:
    """What stands between backticks."""
    return re.findall(r"`([^`\n]+)`", text)


def module_file(dotted: str) -> Path | None:
    """The file of a module or package, or None."""
    path = SOURCE.joinpath(*dotted.split("."))
    return next((file for file in (path.with_suffix(".py"), path / "__init__.py") if file.exists()), None)


def names_in(file: Path) -> set[str]:
    """Names of the classes, functions and constants of a module, without importing it."""
    names = set()
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            names.add(node.name)
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        names |= {name.id for target in targets if target for name in ast.walk(target) if isinstance(name, ast.Name)}
    return names


@pytest.mark.parametrize("dotted", sorted(name for name in set(quoted(GLOSSARY)) if name.startswith("lipdub.")))
def test_names_in_the_glossary_exist(dotted: str) -> None:
    if module_file(dotted) is not None:
        return
    module, _, name = dotted.rpartition(".")
    file = module_file(module)
    assert file is not None, f"there is no module {module}"
    assert name in names_in(file), f"{module} has no {name}"


def test_the_glossary_lists_every_class_of_the_timeline() -> None:
    for file in sorted((SOURCE / "lipdub" / "timeline").glob("*.py")):
        for node in ast.parse(file.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                assert f"`lipdub.timeline.{file.stem}.{node.name}`" in GLOSSARY, f"{file.stem}.{node.name} is missing"


@pytest.mark.parametrize(
    "path", sorted({text for text in quoted(CONTRIBUTING) if re.fullmatch(r"[\w./-]*/[\w./-]*", text)})
)
def test_paths_in_contributing_exist(path: str) -> None:
    assert any((root / path).exists() for root in (ROOT, SOURCE / "lipdub")), path

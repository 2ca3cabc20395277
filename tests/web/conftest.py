"""A studio with a project of two lines, and clients of it."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lipdub.demo.media_files import write_synthetic_clip
from lipdub.studio.project.project_folder import ProjectFolder
from lipdub.timeline.language_plan import LanguagePlan, PlannedLine
from lipdub.timeline.lines import Line
from lipdub.timeline.project import InputFile, Project
from lipdub.timeline.time import Span
from lipdub.web.limits import Limits
from lipdub.web.places import Places

pytest.importorskip("starlette", reason="the studio needs the extra 'studio'")
pytest.importorskip("httpx", reason="the API is asked with httpx")

KEY = "test-key-of-the-studio-0123456789"
LINES = (("1", "0.2", "0.9", "Hola a todos."), ("2", "1", "2", "Buenos días."))


def write_project(folder: Path, source: Path, lines: tuple[tuple[str, str, str, str], ...] = LINES) -> Path:
    """A project with a Spanish plan of ``lines`` (id, start, end, text), of which nothing is made."""
    project = ProjectFolder(folder)
    folder.mkdir(parents=True)
    project.save(Project(InputFile(source.absolute(), "0" * 64), 50, consent={"how": "in a test"}, languages=("es",)))
    planned = tuple(
        PlannedLine(Line(text, Span(Fraction(start), Fraction(end)), "es", id=id)) for id, start, end, text in lines
    )
    project.save_plan(LanguagePlan("es", planned, source_language="en", originals={"1": "Hello all."}), Fraction(0))
    return folder


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clip of two seconds, 64 x 48, 25 frames a second."""
    path = tmp_path_factory.mktemp("clip") / "talk.mp4"
    pictures = [np.full((48, 64, 3), 4 * n, np.uint8) for n in range(50)]
    write_synthetic_clip(path, pictures, Fraction(25))
    return path


@dataclass(frozen=True)
class Asked:
    """A studio, and how to ask it."""

    places: Places
    studio: Any
    app: Any
    client: Any

    def get(self, path: str, **more: Any) -> Any:
        """The answer to GET."""
        return self.client.get(path, **more)

    def project(self, clip: Path, name: str = "talk", **more: Any) -> str:
        """The address of a language of a project that lies in the studio's folder."""
        write_project(self.places.folder / name / f"{name}.lipdub", clip, **more)
        return f"/v1/projects/{name}/languages/es"


@pytest.fixture
def limits() -> Limits:
    """The limits of the studio; tests may have others."""
    return Limits()


@pytest.fixture
def asked(tmp_path: Path, limits: Limits) -> Iterator[Asked]:
    """A studio whose jobs nobody does."""
    from starlette.testclient import TestClient

    from lipdub.web.app import Access, make_app
    from lipdub.web.guard import Hosts
    from lipdub.web.keys import Key
    from lipdub.web.work import begin_work

    places = Places(tmp_path / "studio")
    places.make()
    with ExitStack() as stack:
        work = stack.enter_context(begin_work(places, limits, 0))
        app = make_app(work.studio, Access(Key(KEY, 8765), Hosts()), work.routes)
        client = stack.enter_context(
            TestClient(app, base_url="http://127.0.0.1:8765", headers={"X-Api-Key": KEY}, follow_redirects=False)
        )
        yield Asked(places, work.studio, app, client)

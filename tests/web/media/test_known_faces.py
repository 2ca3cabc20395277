"""Faces, people and shots of a project that was really planned, from its analysis; and the media of its film."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from importlib.resources import files
from pathlib import Path

import cv2
import numpy as np
import pytest

from lipdub import weights
from lipdub.demo.media_files import write_synthetic_clip
from lipdub.errors import InputError, WeightsError
from lipdub.studio.options import DubOptions, SpeechOptions
from lipdub.studio.project.open_project import open_project
from lipdub.studio.project.remembered_options import ProjectOptions
from lipdub.timeline.project import NamedPerson
from lipdub.timeline.time import Span
from lipdub.web.media.faces import faces_at, people_in, picture_of, shots_in
from lipdub.web.media.project_media import film_of, make_project_media, project_media
from lipdub.web.media.take_sound import take_sound

pytestmark = pytest.mark.slow

SCRIPT = "1\n00:00:01,200 --> 00:00:01,900\nBuenos días.\n\n2\n00:00:02,100 --> 00:00:02,900\nHablamos de pan.\n\n"


@pytest.fixture
def project(tmp_path: Path, own_cache: Path) -> Iterator[Path]:
    """A project with a film in Spanish of a portrait, left of the middle, that is seen from 1 s on."""
    try:
        for model in ("face-landmarks", "face-detector", "voice-activity"):
            weights.resolve(model)
    except WeightsError as missing:
        pytest.skip(str(missing))
    data = np.frombuffer((files("lipdub.demo") / "assets" / "portrait.jpg").read_bytes(), np.uint8)
    portrait = cv2.resize(cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1], (256, 256), interpolation=cv2.INTER_AREA)
    empty = np.full((256, 384, 3), (20, 60, 30), np.uint8)
    seen = np.concatenate([portrait, empty[:, :128]], axis=1)
    pictures = [empty] * 25 + [np.roll(seen, (i % 5) - 2, axis=1) for i in range(50)]
    write_synthetic_clip(tmp_path / "talk.mp4", pictures, Fraction(25))
    (tmp_path / "talk.es.srt").write_text(SCRIPT, "utf-8")
    options = DubOptions(language="es", workers="1", speech_features="light")
    given = ProjectOptions(options, SpeechOptions(script=tmp_path / "talk.es.srt"))
    open_project(tmp_path / "talk.lipdub", tmp_path / "talk.mp4").render("es", tmp_path / "talk.es.mp4", given)
    yield tmp_path / "talk.lipdub"
    shutil.rmtree(own_cache)


def test_what_the_analysis_found_is_shown(project: Path, own_cache: Path) -> None:
    assert people_in(project) == ()
    make_project_media(project)
    media = project_media(project)
    assert media.complete
    assert list(media.films) == ["es"]
    assert film_of(project, "es") == project.parent / "talk.es.mp4"
    assert shots_in(project) == (Span(Fraction(0), Fraction(3)),)

    [person] = people_in(project)
    assert person.id == "1"
    assert len(person.spans) == 1
    assert Fraction(9, 10) < person.spans[0].start < Fraction(3, 2)
    assert person.spans[0].end == 3
    assert picture_of(project, "1") == project / "people" / "1.jpg"
    assert faces_at(project, Fraction(1, 5)) == ()
    [face] = faces_at(project, Fraction(2))
    left, top, width, height = face.box
    assert face.person == "1"
    assert 0 < left < left + width < 2 / 3
    assert 0 < top < top + height < 1
    assert width * 384 > 60
    assert height * 256 > 80

    sound = take_sound(project, "es", "1", 1)
    assert sound is not None
    assert sound.read_bytes()[:4] == b"RIFF"

    opened = open_project(project)
    with opened.folder.editing():
        opened.folder.save(replace(opened.project, people=(NamedPerson("1", "Ana"),)))
    assert [(one.id, one.name) for one in people_in(project)] == [("1", "Ana")]

    shutil.rmtree(own_cache / "work")
    assert people_in(project) == ()
    assert faces_at(project, Fraction(2)) == ()
    with pytest.raises(InputError):
        people_in(project.parent / "another.lipdub")

"""Separation programs."""

import shlex
import sys
from pathlib import Path

import pytest

from lipdub.errors import OptionError, ServiceError
from lipdub.words_to_sound.separate import SeparationProgram, is_command

COPY = (
    "import shutil, sys, pathlib\n"
    "pathlib.Path(sys.argv[2]).parent.mkdir(parents=True, exist_ok=True)\n"
    "shutil.copy(*sys.argv[1:3])"
)


def command(code: str, *words: str) -> str:
    return " ".join([shlex.quote(sys.executable), "-c", shlex.quote(code), *words])


@pytest.fixture
def source(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "sound.wav").write_bytes(b"RIFF not really")
    return tmp_path / "in" / "sound.wav"


@pytest.mark.parametrize(
    "where",
    [
        "{output}",
        "{folder}/htdemucs/sound/no_vocals.wav",
        "{folder}/Instrumental.flac",
        "{folder}/sound_(Instrumental)_model.wav",
        "{folder}/other.wav",
    ],
)
def test_its_stem_is_found(source: Path, tmp_path: Path, where: str) -> None:
    separator = SeparationProgram.parse(command(COPY, "{input}", where))
    assert separator.separate(source, tmp_path).read_bytes() == source.read_bytes()


WRITE = "import sys, pathlib\n[(pathlib.Path(sys.argv[2]) / n).write_text(n) for n in sys.argv[3:]]"


@pytest.mark.parametrize(
    ("stems", "taken"),
    [
        (["vocals.wav", "no_vocals.wav", "minus_vocals.wav"], "no_vocals.wav"),
        (["a_(Vocals)_instrumental_model.wav", "a_(No Vocals)_x.wav"], "a_(No Vocals)_x.wav"),
        (["bass.wav", "no_vocals.wav", "other.wav"], "no_vocals.wav"),
        (["vocals.wav", "other.wav"], "other.wav"),
    ],
)
def test_the_stem_without_the_voice_is_taken(source: Path, tmp_path: Path, stems: list[str], taken: str) -> None:
    separator = SeparationProgram.parse(command(WRITE, "{input}", "{folder}", *map(shlex.quote, stems)))
    assert separator.separate(source, tmp_path).name == taken


@pytest.mark.parametrize("stems", [["bass.wav", "drums.wav", "other.wav", "vocals.wav"], ["effects.wav", "music.wav"]])
def test_parts_of_music_and_effects_are_refused(source: Path, tmp_path: Path, stems: list[str]) -> None:
    separator = SeparationProgram.parse(command(WRITE, "{input}", "{folder}", *stems))
    with pytest.raises(ServiceError, match=r"none of them is all that is not speech.*two stems"):
        separator.separate(source, tmp_path)


@pytest.mark.parametrize(
    "text", ["", "demucs", "demucs {input}", "demucs {input} {stem}", "'", "no-such-program-here {input} {output}"]
)
def test_invalid_commands_are_refused(text: str) -> None:
    with pytest.raises(OptionError):
        SeparationProgram.parse(text)


@pytest.mark.parametrize(
    ("text", "program"), [("bed", False), ("none", False), ("x:loud", False), ("a b", True), ("a{input}{output}", True)]
)
def test_programs_are_told_from_names(text: str, program: bool) -> None:
    assert is_command(text) == program


def test_errors_say_what_failed(source: Path, tmp_path: Path) -> None:
    failing = SeparationProgram.parse(command("import sys; sys.exit('no memory')", "{input}", "{output}"))
    with pytest.raises(ServiceError, match=r"exit 1.*no memory"):
        failing.separate(source, tmp_path / "a")
    silent = SeparationProgram.parse(command("pass", "{input}", "{output}"))
    with pytest.raises(ServiceError, match="wrote no sound"):
        silent.separate(source, tmp_path / "a")
    voices = SeparationProgram.parse(command(COPY, "{input}", "{folder}/vocals.wav"))
    with pytest.raises(ServiceError, match=r"vocals\.wav"):
        voices.separate(source, tmp_path / "b")
    slow = SeparationProgram(
        SeparationProgram.parse(command("import time; time.sleep(9)", "{input}", "{output}")).words, 0.2
    )
    with pytest.raises(ServiceError, match=r"within 0\.2 s"):
        slow.separate(source, tmp_path / "c")

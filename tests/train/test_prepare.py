"""From footage to pairs with latents, killed on the way; and from the pairs of others."""

import csv
import json
import sys
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest

from lipdub.demo.media_files import write_synthetic_clip
from lipdub.demo.speech_assets import load_speech
from lipdub.errors import InputError, NothingToDub, OptionError, OutputError
from lipdub.studio.caller import Caller
from lipdub.timeline.sound import Sound
from lipdub.train import prepare as preparing
from lipdub.train.pair_columns import COLUMNS, read_pairs
from lipdub.train.pair_media import write_pictures, write_stereo
from lipdub.train.precomputed import KINDS, LatentsMarker
from lipdub.train.prepare import PreparedPairs, prepare
from lipdub.train.prepare_options import PairLimits, PrepareOptions

GOLDEN = Path(__file__).parents[1] / "golden"
RATE = Fraction(25)
ANY = PairLimits(
    least_sync=-1.0, least_closures=0.0, most_flicker=9.0, most_seam=9.0, most_distance=9.0, least_changed=0.0
)
"""A portrait's own mouth does not follow the voice: what is measured is tested elsewhere."""

SMALL = PrepareOptions(
    size=128, frames=17, shortest=9, other="clips", speech_features="light", workers=1, consent=True, device="cpu"
)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Working files and consent of a test stay with the test; models are found where they were."""
    monkeypatch.setattr("lipdub.studio.session.default_root", lambda: tmp_path / "work")
    monkeypatch.setattr("lipdub.studio.preflight.consent._place", lambda: tmp_path / "home")
    return tmp_path


def swaying(face: np.ndarray, frames: int) -> list[np.ndarray]:
    return [np.ascontiguousarray(np.roll(face, (i % 5) - 2, axis=1)) for i in range(frames)]


def spoken(language: str, seconds: Fraction) -> Sound:
    voice = load_speech(language).sound
    return Sound(voice.samples[:, voice.rate // 2 :][:, : int(seconds * voice.rate)], voice.rate)


@pytest.fixture(scope="module")
def footage(face: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two clips of a portrait, one of them mirrored, each with a script beside it."""
    folder = tmp_path_factory.mktemp("footage")
    for name, picture, language in (("one", face, "en"), ("two", face[:, ::-1], "es")):
        sound = spoken(language, Fraction(6, 5))
        write_synthetic_clip(folder / f"{name}.mp4", swaying(picture, 30), RATE, sound)
        (folder / f"{name}.{language}.srt").write_text("1\n00:00:00,300 --> 00:00:00,700\nHello there.\n", "utf-8")
    return folder


@pytest.fixture
def theirs(face: np.ndarray, tmp_path: Path) -> Path:
    """A table of three pairs; the reference of the last is the picture itself."""
    folder = tmp_path / "theirs"
    folder.mkdir()
    other = face.copy()
    other[150:200, 96:160] = np.roll(face[150:200, 96:160], 6, axis=0)
    for name, picture in (("a", face), ("a.ref", other), ("b", face[:, ::-1]), ("b.ref", other[:, ::-1])):
        small = cv2.resize(picture, (128, 128), interpolation=cv2.INTER_AREA)
        write_pictures(folder / f"{name}.mp4", swaying(small, 17), RATE)
        write_stereo(folder / f"{name}.wav", spoken("en", 17 / RATE))
    table = folder / "dataset.csv"
    with table.open("w", newline="", encoding="utf-8") as file:
        out = csv.DictWriter(file, COLUMNS[:5])
        out.writeheader()
        for name, reference in (("a", "a.ref"), ("b", "b.ref"), ("b", "b")):
            values = (f"{name}.mp4", f"{name}.wav", "Someone speaks.", f"{reference}.mp4", f"{reference}.wav")
            out.writerow(dict(zip(COLUMNS, values, strict=False)))
    return table


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny checkpoint and its text encoder."""
    pytest.importorskip("torch")
    pytest.importorskip("diffusers")
    sys.path.insert(0, str(GOLDEN))
    try:
        import make_checkpoint
    finally:
        sys.path.remove(str(GOLDEN))
    folder = tmp_path_factory.mktemp("ltx")
    make_checkpoint.write(folder, json.loads((GOLDEN / "layout.json").read_text("utf-8")))
    return folder


def files_in(folder: Path) -> dict[str, tuple[int, bytes]]:
    every = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): (path.stat().st_mtime_ns, path.read_bytes()) for path in every}


def test_footage_becomes_pairs_and_a_second_run_changes_nothing(footage: Path, tmp_path: Path) -> None:
    output = tmp_path / "pairs"
    made = prepare(footage, output, SMALL, ANY)
    assert isinstance(made, PreparedPairs)
    assert len(made.training) + len(made.validation) == 2
    pairs = [p for side in ("train", "validation") if (output / f"{side}.jsonl").stat().st_size
             for p in read_pairs(output / f"{side}.jsonl")]  # fmt: skip
    assert {pair.id for pair in pairs} == {*made.training, *made.validation}
    assert all(pair.video_mask is not None for pair in pairs)
    assert any('is speaking in Spanish, saying: "Hello there."' in pair.caption for pair in pairs)
    card = json.loads((output / "data_card.json").read_text("utf-8"))
    assert (card["pairs"], card["languages"]) == (2, ["en", "es"])
    assert card["consent"] == {"stated by flag": 2}
    assert not (output / "work").exists()
    before = files_in(output / "media") | files_in(output / "items") | files_in(output / "clips")
    assert prepare(footage, output, SMALL, ANY) == made
    assert files_in(output / "media") | files_in(output / "items") | files_in(output / "clips") == before
    with pytest.raises(OutputError, match="another size"):
        prepare(footage, output, changed(size=64), ANY)


@pytest.mark.slow
def test_a_killed_run_goes_on_and_the_pairs_of_others_get_latents(
    theirs: Path, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output, options = tmp_path / "pairs", changed(weights=tiny)
    limits = replace(ANY, least_changed=0.05)
    measure, count = preparing.measure_pair, []

    def killed(*values: object) -> object:
        count.append(1)
        if len(count) == 2:
            raise KeyboardInterrupt
        return measure(*values)

    monkeypatch.setattr(preparing, "measure_pair", killed)
    with pytest.raises(KeyboardInterrupt):
        prepare(theirs, output, options, limits)
    before = files_in(output)
    assert any(name.startswith("items") for name in before)
    made = prepare(theirs, output, options, limits)
    after = files_in(output)
    assert {name: after[name] for name in before} == before, "what was finished stays as it is"
    assert len(count) == 4, "one of three pairs was measured already"
    assert len(made.training) + len(made.validation) == made.latents == 2, made.left_out
    assert [why for why in made.left_out.values() if "same mouth" in why]
    check_latents(output, made)

    lost = next((output / ".precomputed" / "latents").glob("*.pt"))
    lost.unlink()
    prepare(theirs, output, options, limits)
    again = files_in(output / ".precomputed")
    assert {n: v[1] for n, v in again.items()} == {n: v[1] for n, v in files_in_latents(after).items()}
    assert sum(again[name] != value for name, value in files_in_latents(after).items()) == 1, "only what was lost"


def changed(**values: object) -> PrepareOptions:
    return PrepareOptions(**{**vars(SMALL), **values})


def files_in_latents(files: dict[str, tuple[int, bytes]]) -> dict[str, tuple[int, bytes]]:
    prefix = ".precomputed/"
    return {name.removeprefix(prefix): value for name, value in files.items() if name.startswith(prefix)}


def check_latents(output: Path, made: PreparedPairs) -> None:
    import torch

    marker = LatentsMarker.read(output)
    assert marker is not None
    assert set(marker.split) == {*made.training, *made.validation}
    for name in marker.split:
        parts = {k: torch.load(output / ".precomputed" / k / f"{name}.pt", weights_only=True) for k in KINDS}
        assert parts["latents"]["latents"].shape == parts["reference_latents"]["latents"].shape
        assert parts["latents"]["latents"].shape[1:] == parts["video_masks"]["mask"].shape
        assert parts["audio_latents"]["latents"].shape[1] > 0
        assert parts["conditions"]["video_prompt_embeds"].shape[0] == 1024
        assert all(part["checkpoint"] == marker.checkpoint for part in parts.values())


def test_footage_without_a_face_is_told(tmp_path: Path, footage: Path) -> None:
    folder = tmp_path / "clips"
    folder.mkdir()
    voice = load_speech("en").sound
    blank = np.full((128, 128, 3), 120, np.uint8)
    write_synthetic_clip(folder / "wall.mp4", [blank] * 20, RATE, Sound(voice.samples[:, : voice.rate], voice.rate))
    (folder / "wall.en.srt").write_text("1\n00:00:00,100 --> 00:00:00,600\nHello.\n", "utf-8")
    with pytest.raises(NothingToDub, match="no face is in it"):
        prepare(folder, tmp_path / "pairs", SMALL, ANY)
    assert "no face" in (tmp_path / "pairs" / "rejected.jsonl").read_text("utf-8")


def test_what_cannot_be_prepared_is_refused_before_any_work(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no such folder"):
        prepare(tmp_path / "none", tmp_path / "pairs", SMALL)
    with pytest.raises(InputError, match="no clips"):
        prepare(tmp_path / "empty", tmp_path / "pairs", SMALL)
    (tmp_path / "clip.mp4").write_bytes(b"film")
    with pytest.raises(InputError, match="neither a folder nor a table"):
        prepare(tmp_path / "clip.mp4", tmp_path / "pairs", SMALL)
    with pytest.raises(OptionError, match="multiple of 64"):
        prepare(tmp_path / "empty", tmp_path / "pairs", PrepareOptions(size=100))
    with pytest.raises(OptionError, match="8 k"):
        prepare(tmp_path / "empty", tmp_path / "pairs", PrepareOptions(frames=100))


def test_consent_is_asked_for_each_clip_and_not_taken_from_a_dub(footage: Path, tmp_path: Path) -> None:
    asked = []

    def refuse(clip: str) -> None:
        asked.append(clip)
        raise OptionError("was not used", file=clip)

    options = changed(consent=False)
    with pytest.raises(OptionError, match="was not used"):
        prepare(footage, tmp_path / "pairs", options, ANY, Caller(ask_people=refuse))
    assert asked == [str(footage / "one.mp4")]

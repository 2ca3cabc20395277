"""A film made in shards, in any order and number, by machines that come and go, is the film of one ordinary run."""

import itertools
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import lipdub
from lipdub import weights
from lipdub.demo.media_files import write_synthetic_clip
from lipdub.disk.shared_lease import SharedLease
from lipdub.engines.fake import FakeEngine
from lipdub.engines.find import find
from lipdub.errors import InputError, MachineError, OptionError, OutputError
from lipdub.studio.film_work import FilmWork
from lipdub.studio.project.open_project import OpenProject
from lipdub.studio.project.sharded_film import ShardOptions
from lipdub.studio.project.shards import ShardDone
from lipdub.studio.session import Session
from lipdub.studio.shard import Shard
from lipdub.studio.workers.segment_run import make_run
from lipdub.studio.workers.shares import divided

FRAMES, RATE = 330, Fraction(25)
GIVEN = lipdub.DubOptions(
    speech_features="light", consent=True, face=("largest",), engine="fake", page=False, workers=1, overwrite=True
)
LINES = (("0.2", "1.4", "Uno."), ("3.0", "4.2", "Dos."), ("6.0", "7.2", "Tres."), ("9.0", "10.2", "Cuatro."))
PLAIN = lipdub.ProjectOptions(GIVEN, lipdub.SpeechOptions(asr_check=False, subtitles="none", voice=("nanotts",)))


@given(
    lengths=st.lists(st.integers(1, 500), max_size=60),
    cuts=st.sets(st.integers(1, 59)),
    count=st.integers(1, 12),
)
def test_every_number_is_in_one_share_and_no_share_is_far_above_the_mean(
    lengths: list[int], cuts: set[int], count: int
) -> None:
    borders = [0, *sorted(cut for cut in cuts if cut < len(lengths)), len(lengths)]
    runs = [list(range(a, b)) for a, b in itertools.pairwise(borders) if a < b]
    shares = divided(runs, dict(enumerate(lengths)), count)
    assert sorted(number for share in shares for number in share) == list(range(len(lengths)))
    loads = [sum(lengths[number] for number in share) for share in shares]
    longest = max((sum(lengths[number] for number in run) for run in runs), default=0)
    assert max(loads) <= sum(lengths) / count + longest
    assert divided(runs[::-1], dict(enumerate(lengths)), count) == shares


@pytest.fixture(scope="module")
def planned(
    models: None, portrait: np.ndarray, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Path, bytes]]:
    """A folder with a clip and a project that is planned in Spanish, and the bytes of its film by one ordinary run."""
    folder = tmp_path_factory.mktemp("shards")
    with pytest.MonkeyPatch.context() as patch:
        without_models(patch, folder / "cache")
        swaying = [np.roll(portrait[::2, ::2], (i % 5) - 2, axis=1) for i in range(5)]
        write_synthetic_clip(folder / "talk.mp4", [swaying[i % 5] for i in range(FRAMES)], RATE)
        rows = (f"{n}\n{stamp(a)} --> {stamp(b)}\n{text}\n\n" for n, (a, b, text) in enumerate(LINES, 1))
        (folder / "talk.es.srt").write_text("".join(rows), "utf-8")
        speech = replace(PLAIN.speech, script=folder / "talk.es.srt", to="es")
        lipdub.open_project(folder / "film.lipdub", folder / "talk.mp4").plan(None, replace(PLAIN, speech=speech))
        shutil.copytree(folder / "film.lipdub", folder / "plain.lipdub")
        lipdub.open_project(folder / "plain.lipdub").render("es", folder / "plain.mp4", PLAIN)
        yield folder, (folder / "plain.mp4").read_bytes()


def without_models(patch: pytest.MonkeyPatch, cache: Path) -> None:
    patch.setattr("lipdub.studio.session.default_root", lambda: cache)
    patch.setattr("lipdub.studio.tools.find", lambda name, setup: FakeEngine() if name == "fake" else find(name))


def stamp(seconds: str) -> str:
    return f"00:00:{int(Fraction(seconds)):02d},{int(Fraction(seconds) % 1 * 1000):03d}"


class Machine:
    """One machine: it sees the shared folder ``home``, and has a cache of its own."""

    def __init__(self, home: Path, cache: Path, patch: pytest.MonkeyPatch) -> None:
        self.home, self.cache, self.patch = home, cache, patch

    @property
    def project(self) -> OpenProject:
        without_models(self.patch, self.cache)
        return lipdub.open_project(self.home / "film.lipdub")

    def make(self, shard: str, *, prepare: bool = True, given: lipdub.ProjectOptions = PLAIN) -> ShardDone:
        done = self.project.make_shard("es", "film.mp4", ShardOptions(Shard.parse(shard), prepare), given)
        assert done is not None
        return done

    def assemble(self, name: str = "film.mp4", *, make: bool = True) -> bytes:
        self.report = self.project.assemble("es", self.home / name, PLAIN, make=make)
        return (self.home / name).read_bytes()


@pytest.fixture
def home(planned: tuple[Path, bytes], tmp_path: Path) -> Path:
    """A copy of the shared folder."""
    for name in ("talk.mp4", "film.lipdub"):
        source = planned[0] / name
        shutil.copytree(source, tmp_path / name) if source.is_dir() else shutil.copy2(source, tmp_path / name)
    manifest = tmp_path / "film.lipdub" / "project.json"
    told = json.loads(manifest.read_text("utf-8"))
    told["source"]["path"] = "/nowhere/talk.mp4"
    manifest.write_text(json.dumps(told), "utf-8")
    return tmp_path


@pytest.fixture
def machines(planned: tuple[Path, bytes], home: Path, monkeypatch: pytest.MonkeyPatch) -> list[Machine]:
    """The first one has analysed the clip before; the others have nothing."""
    caches = (planned[0] / "cache", home / "cache-1", home / "cache-2")
    return [Machine(home, cache, monkeypatch) for cache in caches]


def segments(home: Path) -> dict[str, int]:
    files = (home / "film.lipdub" / "segments" / "es").glob("*.segment")
    return {file.name: file.stat().st_mtime_ns for file in files}


@pytest.mark.parametrize("order", [("1/1",), ("2/2", "1/2"), ("3/3", "1/3", "2/3"), ("7/9", "1/2")])
def test_any_number_of_shards_in_any_order_give_the_film_of_one_run(
    machines: list[Machine], planned: tuple[Path, bytes], order: tuple[str, ...]
) -> None:
    done = [machine.make(shard) for machine, shard in zip(machines, order, strict=False)]
    assert len({each.preparation for each in done}) == 1, "it was prepared once"
    made = segments(machines[0].home)
    assert machines[-1].assemble() == planned[1]
    assert made.items() <= segments(machines[0].home).items(), "nothing was made again"
    assert not (machines[0].home / "film.lipdub" / "shards").exists()
    assert [line.state for line in machines[0].project.status().languages[0].lines] == ["made"] * 4
    shapes = machines[0].home / "film.lipdub" / "takes"
    plain = planned[0] / "plain.lipdub" / "takes"
    assert {str(f.relative_to(shapes)) for f in shapes.rglob("*.*")} == {
        str(f.relative_to(plain)) for f in plain.rglob("*.*")
    }


def test_every_shard_does_its_share_and_what_is_missing_is_told(
    machines: list[Machine], planned: tuple[Path, bytes]
) -> None:
    first = machines[0].make("1/3")
    third = machines[1].make("3/3")
    assert len(segments(machines[0].home)) == first.segments + third.segments
    with pytest.raises(InputError, match=r"parts of the film are missing; shards that left no sign.*: 2/3"):
        machines[2].assemble(make=False)
    told = json.loads((machines[0].home / "film.lipdub/shards/es/3-of-3.done.json").read_text("utf-8"))
    assert told["segments"] == third.segments
    assert machines[2].assemble() == planned[1]
    assert any("no sign that they ended: 2/3. They are made now" in note for note in machines[2].report.warnings)


def test_a_shard_that_was_killed_costs_its_unfinished_parts_only(
    machines: list[Machine], planned: tuple[Path, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    def killed(work: FilmWork, numbers: Sequence[int], session: Session) -> Iterator[int]:
        for done, number in enumerate(make_run(work, numbers, session)):
            yield number
            if done == 0:
                raise Killed

    with monkeypatch.context() as patch:
        patch.setattr("lipdub.studio.workers.pool.make_run", killed)
        with pytest.raises(Killed):
            machines[0].make("1/2")
    before = segments(machines[0].home)
    assert len(before) >= 1
    machines[1].make("1/2")
    machines[2].make("2/2")
    assert before.items() <= segments(machines[0].home).items()
    assert machines[0].assemble(make=False) == planned[1]


def test_one_run_makes_a_shard_and_others_keep_out(machines: list[Machine]) -> None:
    machines[0].make("2/2")
    folder = machines[0].home / "film.lipdub" / "shards" / "es"
    lease = SharedLease.take(folder, "shard-1-of-2")
    assert lease is not None
    with pytest.raises(OutputError, match=r"shard 1/2 is being made already on .*last sign of life"):
        machines[1].make("1/2")
    with pytest.raises(OutputError, match="it is being made in 2 shards, and this is one of 3"):
        machines[1].make("1/3")
    with pytest.raises(OutputError, match="from another plan, or with other options"):
        machines[1].make("2/2", given=replace(PLAIN, options=replace(GIVEN, crf=30)))
    with pytest.raises(OutputError, match="shard 1/2 of the film 'es' is being made"):
        machines[1].assemble()
    with pytest.raises(OutputError, match="shard 1/2 of the film 'es' is being made"):
        machines[1].project.redo("es", "1", lipdub.LineChange(seed=4), PLAIN)
    os.utime(lease.path, (1.0, 1.0))
    machines[1].make("1/2")
    with machines[0].project.folder.locked(), pytest.raises(OutputError, match="another run of lipdub works"):
        machines[1].make("1/2")


def test_a_folder_that_is_not_shared_is_noticed(machines: list[Machine], home: Path) -> None:
    """A machine that works on a copy of the project, and one that has another file under the source's name."""
    with pytest.raises(InputError, match="the film is not prepared here: there is nothing"):
        machines[0].make("1/2", prepare=False)
    assert machines[0].project.make_shard("es", "film.mp4", ShardOptions(None), PLAIN) is None
    machines[0].make("1/2", prepare=False)
    with pytest.raises(InputError, match="no shard of this film was made here: what is there has another plan"):
        machines[1].assemble("film.mov", make=False)
    with (home / "talk.mp4").open("ab") as file:
        file.write(b"\0" * 8)
    with pytest.raises(InputError, match="not the file for which the film was prepared"):
        machines[2].make("2/2")


def test_machines_may_see_the_folder_under_other_names(
    machines: list[Machine], planned: tuple[Path, bytes], tmp_path_factory: pytest.TempPathFactory
) -> None:
    machines[0].make("1/2")
    elsewhere = tmp_path_factory.mktemp("other") / "mount"
    machines[0].home.rename(elsewhere)
    for machine in machines:
        machine.home = elsewhere
        machine.cache = elsewhere / "cache"
    machines[1].make("2/2")
    assert machines[2].assemble(make=False) == planned[1]


def test_machines_without_a_shared_disk_may_pass_copies_of_the_folder(
    machines: list[Machine], planned: tuple[Path, bytes], home: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """As with rsync: the prepared folder goes to each machine, and what each made comes back."""
    machines[0].project.make_shard("es", "film.mp4", ShardOptions(None), PLAIN)
    for number, machine in enumerate(machines[1:], 1):
        machine.home = tmp_path_factory.mktemp("away") / "home"
        shutil.copytree(home, machine.home)
        machine.make(f"{number}/2", prepare=False)
    for machine in machines[1:]:
        shutil.copytree(machine.home / "film.lipdub", home / "film.lipdub", dirs_exist_ok=True)
    assert machines[0].assemble(make=False) == planned[1]
    assert not machines[0].report.warnings


def test_a_machine_with_another_version_is_refused(machines: list[Machine], monkeypatch: pytest.MonkeyPatch) -> None:
    machines[0].make("1/2")
    monkeypatch.setattr("lipdub.studio.worker_setup.__version__", "9.9")
    with pytest.raises(MachineError, match=r"set up otherwise than this one: lipdub 0\.1\.0 there, 9\.9 here"):
        machines[1].make("2/2")


def test_a_plan_that_was_changed_is_prepared_anew(machines: list[Machine]) -> None:
    first = machines[0].make("1/2")
    plan = machines[0].home / "film.lipdub" / "plans" / "es.json"
    plan.write_text(plan.read_text("utf-8").replace("Dos.", "Dos y dos."), "utf-8")
    second = machines[1].make("1/2")
    assert first.preparation != second.preparation
    kept = machines[0].home / "film.lipdub" / "shards" / "es" / "kept"
    assert [folder.name for folder in kept.iterdir()] == [second.preparation]


def test_lines_of_another_engine_are_made_before(machines: list[Machine]) -> None:
    plan = machines[0].home / "film.lipdub" / "plans" / "es.json"
    told = json.loads(plan.read_text("utf-8"))
    told["lines"][1]["engine"] = "exemplar"
    plan.write_text(json.dumps(told), "utf-8")
    with pytest.raises(OptionError, match=r"line 2 is rendered by another engine .*lipdub redo"):
        machines[0].make("1/2")


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="SIGKILL")
def test_two_commands_at_once_of_which_one_is_killed(talk: Any, tmp_path: Path) -> None:
    """One prepares the film while the other waits; one is killed, and run again when it counts as gone."""
    project = tmp_path / "film.lipdub"
    environment = {
        **os.environ,
        "LIPDUB_CACHE": str(tmp_path / "cache"),
        "LIPDUB_WEIGHTS": os.environ.get("LIPDUB_WEIGHTS") or str(weights.cache_folder()),
    }

    def begin(*words: object) -> "subprocess.Popen[str]":
        command = [sys.executable, "-m", "lipdub", *map(str, words), "--workers", "1", "--no-page"]
        told: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        return subprocess.Popen(command, env=environment, **told)

    def finish(run: "subprocess.Popen[str]") -> str:
        told, _ = run.communicate(timeout=200)
        assert run.returncode == 0, told
        return told

    usual = ("--consent", "--speech-features", "light", "--voice", "nanotts", "--no-asr-check")
    finish(begin("plan", talk.clip, "--script", talk.script, "--to", "es", "--project", project, *usual))
    shutil.copytree(project, tmp_path / "plain.lipdub")
    finish(begin("dub", "--project", tmp_path / "plain.lipdub", "--voice", "nanotts", "-o", tmp_path / "plain.mp4"))
    film = tmp_path / "film.mp4"
    first, second = (begin("make", project, "--output", film, "--shard", f"{number}/2") for number in (1, 2))
    until = time.monotonic() + 120
    taken = "shards/es/shard-1-of-2.*.lease"
    while not (list(project.glob(taken)) and list(project.glob("segments/es/*.part.segment"))):
        assert time.monotonic() < until
        time.sleep(0.01)
    first.kill()
    first.communicate()
    assert "shard 2/2 is done" in finish(second)
    told, _ = begin("make", project, "--output", film, "--shard", "1/2").communicate()
    if "shard 1/2 is being made already on" in told:  # always, unless it gave its lease back right before it was killed
        (lease,) = project.glob(taken)
        os.utime(lease, (1.0, 1.0))
        told = finish(begin("make", project, "--output", film, "--shard", "1/2"))
    assert "shard 1/2 is done" in told
    finish(begin("assemble", project, "-o", film, "--no-make"))
    assert film.read_bytes() == (tmp_path / "plain.mp4").read_bytes()
    assert list(project.rglob("*.part.*")) == []

"""Train the prior from footage: ``speech/prior.npz``, and the encoder's basis it stands on.

    python -m lipdub.train.prior FOLDER -o prior.npz

``FOLDER`` holds clips, each with one person who speaks, and a ``manifest.csv`` whose column ``rights`` says what may
be learnt from. A clip's own offset of sound against picture is estimated and removed, over and over. Every voice is
learnt at several speeds. Ridge maps are judged by leaving one clip out; so are the shares in which they are added up.
"""

import argparse
import csv
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

import numpy as np
from jaxtyping import Float32
from scipy.ndimage import maximum_filter1d
from threadpoolctl import threadpool_limits

from lipdub.disk.publish import atomic_output, check_output_path, same_file
from lipdub.errors import InputError, OptionError
from lipdub.process.exit_codes import run_program
from lipdub.sound_to_mouth.encoder import COMPONENTS, EncoderBasis
from lipdub.sound_to_mouth.prior import DESIGNS, LEVELS, Prior
from lipdub.sound_to_mouth.speaker_model import NEAR, rest_of
from lipdub.sound_to_mouth.sync import likeliest_offset
from lipdub.timeline.mouth import AP, JAW, UL, WD
from lipdub.train.footage import Footage, filmed

PENALTIES = {"encoder": 1.0, "phones": 0.1, "calm": 1e-3, "loud": 1e-2}
"""Ridge penalty of each map, per row."""

MIXES = {
    "encoder and phones": ("encoder", "phones", "calm"),
    "phones": ("phones", "calm"),
    "loudness": ("loud",),
}
"""Which maps each kind of hearing adds up; their shares are chosen by leaving one clip out."""

_ROUNDS = 3
_MANIFEST = "manifest.csv"
_SUFFIXES = {".mp4", ".mpg", ".mov", ".mkv", ".webm", ".avi"}
_JUDGED = (AP, WD, UL, JAW)


@dataclass(frozen=True, eq=False)
class Sums:
    """Normal equations of one clip's map: ``square`` (dims, dims), ``cross`` (dims, 6), ``rows``."""

    square: np.ndarray
    cross: np.ndarray
    rows: int


@dataclass(frozen=True, eq=False)
class Trained:
    """The ``prior`` from all clips, those that leave each clip out, and every clip's own ``offsets`` (seconds)."""

    prior: Prior
    without: tuple[Prior, ...]
    offsets: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class TrainOptions:
    """Of a folder with a manifest only clips whose rights begin with one of ``rights`` are used; names that begin with
    one of ``without`` never are.

    ``basis``: fit the encoder's basis too and write it there; else the shipped one is used. ``cache``: a folder that
    keeps what was measured. ``overwrite``: files that exist may be replaced.
    """

    rights: Sequence[str] = ("A", "B")
    without: Sequence[str] = ()
    basis: Path | None = None
    cache: Path | None = None
    overwrite: bool = False


def train_prior(source: Path | Sequence[Path], output: Path, options: TrainOptions = TrainOptions()) -> Trained:
    """Train on the clips of a folder, or on the files given, and write ``output``.

    Raises ``InputError`` if fewer than two clips remain, and, before any work, ``OutputError`` if a file to be written
    is one of those that are read, or is there already and may not be replaced.
    """
    paths = [p for p in chosen(source, options.rights) if not p.name.startswith(tuple(options.without))]
    few = InputError("fewer than two clips to learn from", remedy="Give more clips, or widen the rights")
    if len(paths) < 2:
        raise few
    _check_places(source, paths, output, options)
    footage = filmed(paths, options.cache)
    if len(footage) < 2:
        raise few
    directions = EncoderBasis.shipped() if options.basis is None else fitted_basis(footage)
    if options.basis is not None:
        _write_basis(directions, options.basis, options.overwrite)
    footage = [f.encoded(directions) for f in footage]
    with threadpool_limits(1, "blas"):
        trained = fitted(footage)
    trained.prior.save(output, overwrite=options.overwrite)
    return trained


def _check_places(source: Path | Sequence[Path], paths: Sequence[Path], output: Path, options: TrainOptions) -> None:
    """Raises ``OutputError`` or ``OptionError`` if what is made could not be written in the end."""
    read = [*paths, source / _MANIFEST] if isinstance(source, Path) else paths
    basis = options.basis
    if basis is not None and (same_file(basis, output) or basis.absolute() == output.absolute()):
        raise OptionError("prior and basis cannot have the same name", file=basis)
    for written in (output, *([basis] if basis is not None else [])):
        check_output_path(written, read, overwrite=options.overwrite)


def chosen(source: Path | Sequence[Path], rights: Sequence[str]) -> list[Path]:
    """The clips to learn from, sorted: all files given, or those of the folder that ``rights`` allow.

    Raises ``InputError`` if there is no such folder, or its manifest cannot be read.
    """
    if not isinstance(source, Path):
        return sorted(source)
    if not source.is_dir():
        raise InputError("there is no such folder of clips", file=source, remedy="Check the name")
    clips = sorted(p for p in source.iterdir() if p.suffix.lower() in _SUFFIXES)
    manifest = source / _MANIFEST
    if not manifest.exists():
        return clips
    try:
        with manifest.open(newline="", encoding="utf-8-sig") as file:
            allowed = {row["file"] for row in csv.DictReader(file) if row["rights"].startswith(tuple(rights))}
    except (KeyError, AttributeError, ValueError, csv.Error) as wrong:
        raise InputError(
            "it is no table with the columns 'file' and 'rights'", file=manifest, remedy="Write it as CSV in UTF-8"
        ) from wrong
    return [p for p in clips if p.name in allowed]


def fitted(footage: Sequence[Footage]) -> Trained:
    """The prior from all of ``footage`` (encoder components in it), and those that leave one clip out."""
    offsets = [0.0] * len(footage)
    rise, spread = _population(footage)
    empty = Prior({}, {}, rise.astype(np.float32), spread.astype(np.float32))
    mixes = {kind: {name: 1.0 / len(names) for name in names} for kind, names in MIXES.items()}
    everything, apart = empty, [empty] * len(footage)
    for round_ in range(_ROUNDS):
        maps = _all_maps(footage, offsets)
        guesses = {name: [_guess(name, m, f, o) for m, f, o in zip(apart_maps, footage, offsets, strict=True)]
                   for name, (_, apart_maps) in maps.items()}  # fmt: skip
        truths = [_normalised(f.shapes) for f in footage]
        mixes = {kind: _best_mix(names, guesses, truths) for kind, names in MIXES.items()}
        everything = replace(empty, maps={name: whole for name, (whole, _) in maps.items()}, mixes=mixes)
        apart = [replace(everything, maps={name: parts[i] for name, (_, parts) in maps.items()})
                 for i in range(len(footage))]  # fmt: skip
        if round_ < _ROUNDS - 1:
            offsets = [
                likeliest_offset(p, f.features, f.seconds, f.shapes) for p, f in zip(apart, footage, strict=True)
            ]
    return Trained(everything, tuple(apart), tuple(offsets))


def correlations(prior: Prior, footage: Footage, offset: float) -> list[float]:
    """Correlation of predicted and measured aperture, width, upper lip and chin."""
    guess = prior.predict(footage.features, footage.seconds + offset)
    return _correlations(guess, footage.shapes)


def fitted_basis(footage: Sequence[Footage]) -> EncoderBasis:
    """Leading principal components of the encoder's rows, each divided by its own sd + 5 % of the first one's."""
    rows = np.concatenate([f.voices[0].encoder.astype(np.float64) for f in footage])
    mean = rows.mean(0)
    values, vectors = np.linalg.eigh(np.cov((rows - mean).T, bias=True))
    size = np.sqrt(np.maximum(values[::-1][:COMPONENTS], 0))
    directions = vectors[:, ::-1][:, :COMPONENTS] / (size + 0.05 * size[0])
    directions *= np.sign(directions[np.abs(directions).argmax(0), np.arange(COMPONENTS)])
    return EncoderBasis(mean.astype(np.float32), directions.astype(np.float16).astype(np.float32))


def _all_maps(footage: Sequence[Footage], offsets: Sequence[float]) -> dict[str, tuple[np.ndarray, list[np.ndarray]]]:
    """name -> (map from all clips, maps that leave each clip out)."""
    out = {}
    for name in DESIGNS:
        sums = [_sums(name, f, o) for f, o in zip(footage, offsets, strict=True)]
        everything = Sums(
            sum((s.square for s in sums), np.zeros(1)),
            sum((s.cross for s in sums), np.zeros(1)),
            sum(s.rows for s in sums),
        )
        apart = [Sums(everything.square - s.square, everything.cross - s.cross, everything.rows - s.rows) for s in sums]
        out[name] = _solved(name, everything), [_solved(name, s) for s in apart]
    return out


def _sums(name: str, footage: Footage, offset: float) -> Sums:
    shapes, out = _normalised(footage.shapes), Sums(np.zeros(1), np.zeros(1), 0)
    for voice in footage.voices:
        rows = DESIGNS[name](voice.features, voice.clock(footage.seconds + offset)).astype(np.float64)
        out = Sums(out.square + rows.T @ rows, out.cross + rows.T @ shapes, out.rows + len(rows))
    return out


def _solved(name: str, sums: Sums) -> Float32[np.ndarray, "dims 6"]:
    penalty = PENALTIES[name] * sums.rows * np.eye(len(sums.square))
    return np.linalg.solve(sums.square + penalty, sums.cross).astype(np.float32)


def _guess(name: str, weights: np.ndarray, footage: Footage, offset: float) -> np.ndarray:
    return DESIGNS[name](footage.features, footage.voices[0].clock(footage.seconds + offset)) @ weights


def _normalised(shapes: np.ndarray) -> np.ndarray:
    return (shapes - np.median(shapes, 0)) / (shapes.std(0) + 1e-6)


def _best_mix(
    names: Sequence[str], guesses: dict[str, list[np.ndarray]], truths: Sequence[np.ndarray]
) -> dict[str, float]:
    """Shares in quarters of the largest (0 .. 1), normalised, with the best mean correlation over clips."""
    best, best_score = {}, -np.inf
    for shares in product((0.25, 0.5, 0.75, 1.0), repeat=len(names)):
        if max(shares) < 1:
            continue
        mix = {name: share / sum(shares) for name, share in zip(names, shares, strict=True)}
        total = [sum((mix[name] * guesses[name][i] for name in names), np.zeros(1)) for i in range(len(truths))]
        score = float(np.mean([_correlations(p, t) for p, t in zip(total, truths, strict=True)]))
        if score > best_score + 1e-6:
            best, best_score = mix, score
    return best


def _correlations(guess: np.ndarray, true: np.ndarray) -> list[float]:
    return [float(np.corrcoef(guess[:, j], true[:, j])[0, 1]) for j in _JUDGED]


def _population(footage: Sequence[Footage]) -> tuple[np.ndarray, np.ndarray]:
    """Quantiles above rest (41, 6) and standard deviations (6,) of speaking mouths, mean over clips."""
    rise, spread = [], []
    for f in footage:
        clock = np.arange(len(f.features)) / 50 + float(f.features.start)
        near = maximum_filter1d((f.features.voiced > 0.5).astype(np.float32), NEAR, mode="constant")
        speaking = f.shapes[np.interp(f.seconds, clock, near) > 0.5]
        speaking = speaking if len(speaking) > 10 else f.shapes
        rise.append(np.quantile(speaking - rest_of(f.shapes)[0], LEVELS, axis=0))
        spread.append(speaking.std(0))
    return np.mean(rise, 0), np.mean(spread, 0)


def _write_basis(basis: EncoderBasis, path: Path, overwrite: bool) -> None:
    with atomic_output(path, overwrite=overwrite) as part, part.open("wb") as file:
        np.savez_compressed(file, mean=basis.mean, directions=basis.directions.astype(np.float16))


def main() -> None:
    """The command line."""
    run_program(_main)


def _main() -> None:
    parser = argparse.ArgumentParser(prog="python -m lipdub.train.prior", description="Train the mouth shape prior.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("-o", "--output", type=Path, default=Path("prior.npz"))
    parser.add_argument("--rights", nargs="+", default=["A", "B"], help="beginnings of the manifest's rights")
    parser.add_argument("--without", nargs="+", default=[], help="beginnings of file names to leave out")
    parser.add_argument("--basis", type=Path, help="fit the encoder's basis too, and write it here")
    parser.add_argument("--cache", type=Path, help="keep what was measured here")
    parser.add_argument("--overwrite", action="store_true", help="replace files that exist")
    given = parser.parse_args()
    options = TrainOptions(given.rights, given.without, given.basis, given.cache, given.overwrite)
    trained = train_prior(given.folder, given.output, options)
    print("offsets (s):", *(f"{o:+.2f}" for o in trained.offsets))
    print("shares:", trained.prior.mixes)


if __name__ == "__main__":
    main()

"""Trains the mouth shape prior (``sound_to_mouth/prior.npz``) from clips, and the encoder's basis that it uses.

    lipdub train prior FOLDER -o prior.npz

``FOLDER`` holds clips, each with one speaking person, and a ``manifest.csv`` whose column ``rights`` says which clips
may be used. The offset of sound against picture in each clip is estimated and removed in several rounds. Every voice is
used at several speeds. Ridge regression maps, and the shares in which they are mixed, are evaluated by leave-one-out.
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

from lipdub.disk.publish import atomic_output, check_output_path, same_file
from lipdub.errors import InputError, OptionError
from lipdub.process.blas_threads import one_blas_thread
from lipdub.process.exit_codes import run_program
from lipdub.sound_to_mouth.design_matrix import sample_rows
from lipdub.sound_to_mouth.encoder import COMPONENTS, EncoderBasis
from lipdub.sound_to_mouth.prior import DESIGNS, QUANTILE_LEVELS, Prior
from lipdub.sound_to_mouth.speaker_model import SPEECH_REACH_ROWS, rest_shape
from lipdub.sound_to_mouth.sync import likeliest_offset
from lipdub.timeline.mouth import AP, JAW, UL, WD
from lipdub.train.prior_options import TrainOptions
from lipdub.train.training_clip import TrainingClip, measure_clips

PENALTIES = {"encoder": 2.0, "phones": 0.1, "calm": 1e-3, "loud": 1e-2}
"""The ridge penalty of each map, per row."""

MIXES = {
    "encoder and phones": ("encoder", "phones", "calm"),
    "encoder": ("encoder",),
    "phones": ("phones", "calm"),
    "loudness": ("loud",),
}
"""The maps that are mixed for each kind of features; their shares are chosen by leave-one-out."""

_ROUNDS = 3
_PLACE_NOISE, _DAMPING = 4.0, 1e-3
_CANDIDATES, _SPEED_NOISE = 160, 20.0
_MANIFEST = "manifest.csv"
_SUFFIXES = {".mp4", ".mpg", ".mov", ".mkv", ".webm", ".avi"}
_EVALUATED = (AP, WD, UL, JAW)


@dataclass(frozen=True, eq=False)
class RidgeSums:
    """The sums of a ridge regression: ``square`` (dims, dims), ``cross`` (dims, 6), and the number of ``rows``."""

    square: np.ndarray
    cross: np.ndarray
    rows: int


@dataclass(frozen=True, eq=False)
class TrainedPrior:
    """The ``prior`` from all clips; the priors ``leave_one_out`` without each clip; and the ``offsets`` (s) of each
    clip."""

    prior: Prior
    leave_one_out: tuple[Prior, ...]
    offsets: tuple[float, ...]


def train_prior(source: Path | Sequence[Path], output: Path, options: TrainOptions = TrainOptions()) -> TrainedPrior:
    """Train on the clips of a folder, or on the given files, and write ``output``.

    Raises ``InputError`` if fewer than two clips can be used; before any work ``OutputError`` if a file to be written
    is an input, or exists and may not be replaced, and ``OptionError`` if prior and basis have the same name.
    """
    paths = [p for p in select_clips(source, options.rights) if not p.name.startswith(tuple(options.without))]
    too_few = InputError("fewer than two clips to learn from", remedy="Give more clips, or widen the rights")
    if len(paths) < 2:
        raise too_few
    _check_outputs(source, paths, output, options)
    clips = measure_clips(paths, options.cache)
    if len(clips) < 2:
        raise too_few
    basis = EncoderBasis.shipped() if options.basis is None else fit_encoder_basis(clips)
    if options.basis is not None:
        _write_basis(basis, options.basis, options.overwrite)
    clips = [f.encoded(basis) for f in clips]
    with one_blas_thread():
        trained = fit_prior(clips)
    trained.prior.save(output, overwrite=options.overwrite)
    return trained


def _check_outputs(source: Path | Sequence[Path], paths: Sequence[Path], output: Path, options: TrainOptions) -> None:
    """Raise ``OutputError`` or ``OptionError`` if a file could not be written in the end."""
    read = [*paths, source / _MANIFEST] if isinstance(source, Path) else paths
    basis = options.basis
    if basis is not None and (same_file(basis, output) or basis.absolute() == output.absolute()):
        raise OptionError("prior and basis cannot have the same name", file=basis)
    for written in (output, *([basis] if basis is not None else [])):
        check_output_path(written, read, overwrite=options.overwrite)


def select_clips(source: Path | Sequence[Path], rights: Sequence[str]) -> list[Path]:
    """The clips to train on, sorted: the given files, or those of the folder that ``rights`` allow.

    Raises ``InputError`` if the folder does not exist, or its manifest cannot be read.
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


def fit_prior(clips: Sequence[TrainingClip]) -> TrainedPrior:
    """The prior from all ``clips`` (which have encoder components), and those that leave one clip out."""
    offsets = [0.0] * len(clips)
    rise, spread = _rise_and_spread(clips)
    empty = Prior({}, {}, rise.astype(np.float32), spread.astype(np.float32))
    mixes = {kind: {name: 1.0 / len(names) for name in names} for kind, names in MIXES.items()}
    everything, leave_one_out = empty, [empty] * len(clips)
    for round_ in range(_ROUNDS):
        maps = _all_maps(clips, offsets)
        predictions = {name: [_predicted_shapes(name, m, f, o) for m, f, o in zip(one_out, clips, offsets, strict=True)]
                   for name, (_, one_out) in maps.items()}  # fmt: skip
        truths = [_normalised(f.shapes) for f in clips]
        mixes = {kind: _best_mix(names, predictions, truths) for kind, names in MIXES.items()}
        everything = replace(empty, maps={name: whole for name, (whole, _) in maps.items()}, mixes=mixes)
        leave_one_out = [replace(everything, maps={name: parts[i] for name, (_, parts) in maps.items()})
                 for i in range(len(clips))]  # fmt: skip
        if round_ < _ROUNDS - 1:
            offsets = [
                likeliest_offset(p, f.features, f.seconds, f.shapes) for p, f in zip(leave_one_out, clips, strict=True)
            ]
    return TrainedPrior(everything, tuple(leave_one_out), tuple(offsets))


def fit_encoder_basis(clips: Sequence[TrainingClip]) -> EncoderBasis:
    """Directions of the encoder's rows that tell of the sound, and stay the same whoever speaks and wherever.

    What depends on the place in a chunk is filtered out first (``_place_filter``). Of the filtered rows 256 principal
    components are taken, each divided by its own standard deviation + 5 % of the first one's. In these, the covariance
    of the differences between each voice at other speeds (and pitches) and the original at the same instants is what a
    mouth shall not follow: along its axes, which have variances s, components are divided by sqrt(1 + 50 s), and the
    128 steadiest are kept (after within-class covariance normalisation, A. Hatch et al., 2006). As a whole they are
    scaled to vary as much as the first 128 principal components.
    """
    mean, kept, covariance = _place_filter(clips)
    values, vectors = np.linalg.eigh((covariance + covariance.T) / 2)
    size = np.sqrt(np.maximum(values[::-1][:_CANDIDATES], 0))
    whitening = kept @ vectors[:, ::-1][:, :_CANDIDATES] / (size + 0.05 * size[0])
    unsteady, axes = np.linalg.eigh(_speed_differences(clips, whitening))
    steady = axes[:, :COMPONENTS] / np.sqrt(1 + _SPEED_NOISE * np.maximum(unsteady[:COMPONENTS], 0))
    energy = (size / (size + 0.05 * size[0])) ** 2
    scale = np.sqrt(energy[:COMPONENTS].sum() / (energy @ steady**2).sum())
    directions = whitening @ steady * scale
    directions *= np.sign(directions[np.abs(directions).argmax(0), np.arange(COMPONENTS)])
    return EncoderBasis(mean.astype(np.float32), directions.astype(np.float16).astype(np.float32))


def _place_filter(clips: Sequence[TrainingClip]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The mean row (512,), the filter (512, 512) against what depends on a row's place, and the covariance of filtered
    rows.

    Every voice was encoded at two places of a chunk. Common is the covariance of both, other the covariance of their
    differences, halved. The filter is (common + 4 other)^-1 common: a Wiener filter (N. Wiener, 1949), with the place
    as noise that counts fourfold.
    """
    here, there = (
        np.concatenate([getattr(voice, name).astype(np.float64) for f in clips for voice in f.voices])
        for name in ("encoder", "elsewhere")
    )
    mean = (here.mean(0) + there.mean(0)) / 2
    both, apart = here + there - 2 * mean, here - there
    other = apart.T @ apart / (2 * len(here))
    common = both.T @ both / (4 * len(here)) - other / 2
    damping = _DAMPING * np.trace(common) / len(mean) * np.eye(len(mean))
    kept = np.linalg.solve(common + _PLACE_NOISE * other + damping, common)
    return mean, kept, kept.T @ (common + other) @ kept


def _speed_differences(clips: Sequence[TrainingClip], projection: np.ndarray) -> np.ndarray:
    """The covariance of what other speeds of a voice change in its projected rows, at the instants of the frames."""
    total, count = np.zeros((projection.shape[1],) * 2), 1
    for clip in clips:
        first, *others = (
            sample_rows((voice.encoder.astype(np.float32) @ projection).astype(np.float32), voice.clock(clip.seconds))
            for voice in clip.voices
        )
        for other in others:
            apart = (other - first).astype(np.float64)
            total += apart.T @ apart
            count += len(apart)
    return total / count


def _all_maps(
    clips: Sequence[TrainingClip], offsets: Sequence[float]
) -> dict[str, tuple[np.ndarray, list[np.ndarray]]]:
    """By name of the map: (map from all clips, maps that leave each clip out)."""
    out = {}
    for name in DESIGNS:
        sums = [_sums(name, f, o) for f, o in zip(clips, offsets, strict=True)]
        everything = RidgeSums(
            sum((s.square for s in sums), np.zeros(1)),
            sum((s.cross for s in sums), np.zeros(1)),
            sum(s.rows for s in sums),
        )
        one_out = [
            RidgeSums(everything.square - s.square, everything.cross - s.cross, everything.rows - s.rows) for s in sums
        ]
        out[name] = _solve(name, everything), [_solve(name, s) for s in one_out]
    return out


def _sums(name: str, clip: TrainingClip, offset: float) -> RidgeSums:
    shapes, out = _normalised(clip.shapes), RidgeSums(np.zeros(1), np.zeros(1), 0)
    for voice in clip.voices:
        rows = DESIGNS[name](voice.features, voice.clock(clip.seconds + offset)).astype(np.float64)
        out = RidgeSums(out.square + rows.T @ rows, out.cross + rows.T @ shapes, out.rows + len(rows))
    return out


def _solve(name: str, sums: RidgeSums) -> Float32[np.ndarray, "dims 6"]:
    penalty = PENALTIES[name] * sums.rows * np.eye(len(sums.square))
    return np.linalg.solve(sums.square + penalty, sums.cross).astype(np.float32)


def _predicted_shapes(name: str, weights: np.ndarray, clip: TrainingClip, offset: float) -> np.ndarray:
    return DESIGNS[name](clip.features, clip.voices[0].clock(clip.seconds + offset)) @ weights


def _normalised(shapes: np.ndarray) -> np.ndarray:
    return (shapes - np.median(shapes, 0)) / (shapes.std(0) + 1e-6)


def _best_mix(
    names: Sequence[str], predictions: dict[str, list[np.ndarray]], truths: Sequence[np.ndarray]
) -> dict[str, float]:
    """The normalised shares, in quarters of the largest one, with the best mean correlation over clips."""
    best, best_score = {}, -np.inf
    for shares in product((0.25, 0.5, 0.75, 1.0), repeat=len(names)):
        if max(shares) < 1:
            continue
        mix = {name: share / sum(shares) for name, share in zip(names, shares, strict=True)}
        total = [sum((mix[name] * predictions[name][i] for name in names), np.zeros(1)) for i in range(len(truths))]
        score = float(np.mean([_correlations(p, t) for p, t in zip(total, truths, strict=True)]))
        if score > best_score + 1e-6:
            best, best_score = mix, score
    return best


def _correlations(predicted: np.ndarray, true: np.ndarray) -> list[float]:
    return [float(np.corrcoef(predicted[:, j], true[:, j])[0, 1]) for j in _EVALUATED]


def _rise_and_spread(clips: Sequence[TrainingClip]) -> tuple[np.ndarray, np.ndarray]:
    """Quantiles above rest (41, 6) and standard deviations (6,) of speaking mouths, averaged over clips."""
    rise, spread = [], []
    for f in clips:
        clock = np.arange(len(f.features)) / 50 + float(f.features.start)
        near = maximum_filter1d(
            (f.features.voice_activity > 0.5).astype(np.float32), SPEECH_REACH_ROWS, mode="constant"
        )
        speaking = f.shapes[np.interp(f.seconds, clock, near) > 0.5]
        speaking = speaking if len(speaking) > 10 else f.shapes
        rise.append(np.quantile(speaking - rest_shape(f.shapes)[0], QUANTILE_LEVELS, axis=0))
        spread.append(speaking.std(0))
    return np.mean(rise, 0), np.mean(spread, 0)


def _write_basis(basis: EncoderBasis, path: Path, overwrite: bool) -> None:
    with atomic_output(path, overwrite=overwrite) as part, part.open("wb") as file:
        np.savez_compressed(file, mean=basis.mean, directions=basis.directions.astype(np.float16))


def main() -> None:
    """Run the command line."""
    run_program(_main)


def _main() -> None:
    parser = argparse.ArgumentParser(prog="python -m lipdub.train.prior", description="Train the mouth shape prior.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("-o", "--output", type=Path, default=Path("prior.npz"))
    parser.add_argument("--rights", nargs="+", default=["A", "B"], help="beginnings of the manifest's rights")
    parser.add_argument("--without", nargs="+", default=[], help="beginnings of file names to leave out")
    parser.add_argument("--basis", type=Path, help="fit the encoder's basis too, and write it here")
    parser.add_argument("--cache", type=Path, help="store measured clips here")
    parser.add_argument("--overwrite", action="store_true", help="replace files that exist")
    given = parser.parse_args()
    options = TrainOptions(tuple(given.rights), tuple(given.without), given.basis, given.cache, given.overwrite)
    trained = train_prior(given.folder, given.output, options)
    print("offsets (s):", *(f"{o:+.2f}" for o in trained.offsets))
    print("shares:", trained.prior.mixes)


if __name__ == "__main__":
    main()

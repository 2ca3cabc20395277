"""``lipdub train prepare``: footage, or pairs that others made, into pairs that a model can be trained on.

    pairs/
      train.jsonl, validation.jsonl   the pairs that are used, with the columns of LTX's own trainer
      rejected.jsonl                  the others, and why
      data_card.json                  what the data are: sources, consent, people, seconds, limits
      media/                          pictures, sounds and masks
      .precomputed/                   latents, if weights were given
      prepare.json, clips/, items/    what a later run goes on from

Every file appears when it is complete, and none is made again: a run that was killed goes on where it was.
"""

import contextlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from lipdub import __version__
from lipdub.disk.identity import content_digest, file_stamps
from lipdub.disk.json_text import parse_json
from lipdub.disk.os_errors import cause_of
from lipdub.disk.publish import write_text
from lipdub.errors import InputError, NothingToDub, OutputError
from lipdub.studio.caller import Caller
from lipdub.studio.options import DubOptions
from lipdub.studio.preflight.consent import ensure_consent
from lipdub.studio.session import open_session
from lipdub.train.footage_pairs import FootagePairs, FootageRecord, find_clips
from lipdub.train.pair_columns import TABLES, TrainingPair, find_table, read_pairs, write_pairs
from lipdub.train.pair_measure import PairMeasurement, measure_pair
from lipdub.train.pair_media import write_mask
from lipdub.train.person_split import PersonOfPair, PersonSplit, split_by_person
from lipdub.train.prepare_options import PairLimits, PrepareOptions

VERSION = 1
"""Raise when the same footage and options give other pairs."""


@dataclass(frozen=True)
class PreparedPairs:
    """What was prepared in ``folder``: the ids of the pairs for ``training`` and for ``validation``, of how many
    ``people``. ``left_out`` are other pairs (id -> why) and parts of clips (clip -> why). ``latents``: pairs that have
    them."""

    folder: Path
    training: tuple[str, ...]
    validation: tuple[str, ...]
    people: int
    left_out: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    latents: int = 0


@dataclass(frozen=True, eq=False)
class _FoundPairs:
    """Pairs that may be used: who each shows as far as their clip says, and where they come from (for the card)."""

    pairs: list[TrainingPair]
    people: dict[str, str] = field(default_factory=dict)
    sources: list[dict[str, Any]] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)


def prepare(
    source: Path,
    output: Path,
    options: PrepareOptions = PrepareOptions(),
    limits: PairLimits = PairLimits(),
    caller: Caller = Caller(),
) -> PreparedPairs:
    """Make pairs of ``source`` in the folder ``output``: a folder of clips, a table of pairs, or a folder with one.

    Raises ``OptionError`` or ``InputError`` for what cannot be used, ``NothingToDub`` if there is not one usable pair,
    ``OutputError`` if something cannot be written, or ``output`` was prepared with other options, ``WeightsError`` or
    ``MissingExtra`` for missing models, and what ``caller.ask_people`` raises.
    """
    options.check()
    latents = _latent_maker(output, options)
    table = _table(source)
    _open_folder(output, options, table)
    found = _of_table(table, options, caller) if table else _of_footage(source, output, options, caller)
    with contextlib.suppress(OSError):
        (output / "work").rmdir()
    measured = _measure(found.pairs, output, options, caller)
    usable, left_out = _judged(found, measured, limits)
    split = _split(usable, found, measured, output, options)
    used = [pair for pair in usable if pair.id in split.sides]
    left_out |= dict.fromkeys(split.left_out, "whose face it is could not be known")
    card = _card(used, found, measured, split, (options, limits, left_out))
    _write_tables(output, used, split, left_out, card)
    if not used:
        raise NothingToDub(f"not one pair could be made{_told(left_out)}", file=source, remedy=_REMEDY)
    made = 0 if latents is None else latents(used, {pair.id: measured[pair.id] for pair in used}, (split, card))
    sides = {side: tuple(p.id for p in used if split.sides[p.id] == side) for side in ("train", "validation")}
    people = len(set(split.people.values()))
    return PreparedPairs(output, sides["train"], sides["validation"], people, left_out, split.notes, made)


_REMEDY = "Give clips of a person who faces the camera and speaks; 'lipdub train prepare --help' lists the limits"


def _latent_maker(output: Path, options: PrepareOptions) -> Any:
    """What makes the latents in the end, checked before any work; None if none were asked for."""
    if options.weights is None:
        return None
    from lipdub.errors import MissingExtra

    with MissingExtra.guard("ltx", "Making latents"):
        from lipdub.train.pair_latents import LatentMaker
    return LatentMaker.of(output, options)


def _table(source: Path) -> Path | None:
    """The table of pairs that ``source`` is or holds; None if it is a folder of clips. Raises ``InputError``."""
    if source.suffix.lower() in TABLES and source.is_file():
        return source
    if source.is_file():
        raise InputError("is neither a folder nor a table of pairs", file=source, remedy="Name the folder it lies in")
    if not source.is_dir():
        raise InputError("there is no such folder", file=source, remedy="Check the name")
    return find_table(source)


def _open_folder(output: Path, options: PrepareOptions, table: Path | None) -> None:
    """Make the folder; what makes all pairs in it alike is written down. Raises ``OutputError`` if it was prepared in
    another way."""
    told = {"version": VERSION, **({"table": str(table.absolute())} if table else options.of_pairs)}
    state = output / "prepare.json"
    try:
        for folder in (output, output / "media", output / "items", output / "clips", output / "work"):
            folder.mkdir(parents=True, exist_ok=True)
        known = parse_json(state.read_text("utf-8")) if state.is_file() else None
    except OSError as refused:
        cause = cause_of(refused)
        raise OutputError(f"the folder cannot be made: {cause.what}", file=output, remedy=cause.remedy) from refused
    except ValueError:
        known = {}
    if known is None:
        write_text(state, json.dumps(told, indent=1) + "\n")
    elif known != told:
        other = next((name for name in told if not isinstance(known, dict) or known.get(name) != told[name]), "version")
        raise OutputError(f"was prepared with another {other}", file=output, remedy="Name another folder")


def _of_footage(source: Path, output: Path, options: PrepareOptions, caller: Caller) -> _FoundPairs:
    """Pairs of the clips in ``source``. Raises ``InputError`` if there are none."""
    clips = [path for path in find_clips(source) if not path.absolute().is_relative_to(output.absolute())]
    if not clips:
        raise InputError("there are no clips here", file=source, remedy="Name a folder with video files")
    maker = FootagePairs(output, options, caller)
    records = maker.make(clips, lambda done, total: caller.listener("clips", done, total))
    found = _FoundPairs([])
    for record in records:
        found.pairs.extend(maker.pairs(record))
        found.people.update({pair.id: pair.person for pair in record.pairs})
        found.sources.append(_source(record))
        if record.left_out:
            found.left_out[record.clip] = "; ".join(record.left_out)
    return found


def _source(record: FootageRecord) -> dict[str, Any]:
    named = ("clip", "digest", "consent", "language", "other", "same_person")
    return {**{name: getattr(record, name) for name in named}, "pairs": len(record.pairs)}


def _of_table(table: Path, options: PrepareOptions, caller: Caller) -> _FoundPairs:
    """The pairs of a table that others made. Raises ``InputError``."""
    pairs = read_pairs(table)
    digest = content_digest(table)
    consent = ensure_consent(table, f"training-{digest}", options.consent, caller.ask_people, caller.why)
    source = {"clip": str(table), "digest": digest, "consent": consent, "pairs": len(pairs)}
    return _FoundPairs(pairs, sources=[source])


def _measure(
    pairs: Sequence[TrainingPair], output: Path, options: PrepareOptions, caller: Caller
) -> dict[str, PairMeasurement]:
    """The measurement of each pair, by id; those that are on the disk are not made again."""
    out: dict[str, PairMeasurement] = {}
    chosen = DubOptions(speech_features=options.speech_features)
    with open_session(chosen, ask_download=caller.ask_download) as session:
        for number, pair in enumerate(pairs):
            caller.listener("measure", number, len(pairs))
            kept = _kept_measurement(output, pair)
            if kept is None:
                kept = measure_pair(pair, session)
                if kept.mask is not None:
                    write_mask(_mask_of(output, pair), kept.mask, kept.rate)
                _keep_measurement(output, pair, kept)
            out[pair.id] = replace(kept, mask=None)
        caller.listener("measure", len(pairs), len(pairs))
    return out


def _mask_of(output: Path, pair: TrainingPair) -> Path:
    return output / "media" / f"{pair.id}.mask.mp4"


def _stamps(pair: TrainingPair) -> list[list[Any]]:
    return [list(stamp) for stamp in file_stamps(pair.files)]


def _kept_measurement(output: Path, pair: TrainingPair) -> PairMeasurement | None:
    """What was measured of the same files before; None if nothing was."""
    try:
        told = parse_json((output / "items" / f"{pair.id}.json").read_text("utf-8"))
        if told["files"] != _stamps(pair):
            return None
        if not told["fault"] and pair.video_mask is None and not _mask_of(output, pair).is_file():
            return None
        embedding = None if told["embedding"] is None else np.array(told["embedding"], np.float32)
        return PairMeasurement(told["frames"], Fraction(told["rate"]), told["metrics"], embedding, told["fault"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _keep_measurement(output: Path, pair: TrainingPair, made: PairMeasurement) -> None:
    told = {
        "files": _stamps(pair),
        "frames": made.frames,
        "rate": str(made.rate),
        "metrics": {name: round(value, 6) for name, value in made.metrics.items()},
        "embedding": None if made.embedding is None else [round(float(value), 6) for value in made.embedding],
        "fault": made.fault,
    }
    write_text(output / "items" / f"{pair.id}.json", json.dumps(told) + "\n")


def _judged(
    found: _FoundPairs, measured: Mapping[str, PairMeasurement], limits: PairLimits
) -> tuple[list[TrainingPair], dict[str, str]]:
    """(The pairs within the limits; why others are left out, by id or clip)."""
    usable, left_out = [], dict(found.left_out)
    for pair in found.pairs:
        made = measured[pair.id]
        fault = made.fault or limits.fault(made.metrics)
        if fault:
            left_out[pair.id] = fault
        else:
            usable.append(pair)
    return usable, left_out


def _split(
    usable: Sequence[TrainingPair],
    found: _FoundPairs,
    measured: Mapping[str, PairMeasurement],
    output: Path,
    options: PrepareOptions,
) -> PersonSplit:
    """The side of each pair; who was trained on before stays there."""
    people = [PersonOfPair(p.id, measured[p.id].embedding, found.people.get(p.id, "")) for p in usable]
    earlier = {}
    for side in ("train", "validation"):
        for row in _rows(output / f"{side}.jsonl"):
            earlier[str(row.get("id"))] = side
    return split_by_person(people, options.validation, earlier)


def _rows(table: Path) -> Iterator[dict]:
    try:
        lines = table.read_text("utf-8").splitlines()
    except OSError:
        return
    for line in lines:
        with contextlib.suppress(ValueError):
            if isinstance(row := parse_json(line), dict):
                yield row


def _card(
    used: Sequence[TrainingPair],
    found: _FoundPairs,
    measured: Mapping[str, PairMeasurement],
    split: PersonSplit,
    how: tuple[PrepareOptions, PairLimits, dict[str, str]],
) -> dict[str, Any]:
    """What the data are, for people and for the metadata of what is trained on them."""
    options, limits, left_out = how
    seconds = sum((measured[pair.id].frames / measured[pair.id].rate for pair in used), Fraction(0))
    stated = Counter(source["consent"].get("how", "") for source in found.sources)
    return {
        "made_by": f"lipdub {__version__}",
        "pairs": len(used),
        "seconds": round(float(seconds), 3),
        "people": len(set(split.people.values())),
        "validation": sum(side == "validation" for side in split.sides.values()),
        "languages": sorted({source.get("language", "") for source in found.sources} - {""}),
        "same_person_references": sum(bool(source.get("same_person")) for source in found.sources),
        "consent": dict(sorted(stated.items())),
        "options": options.of_pairs,
        "limits": asdict(limits),
        "left_out": len(left_out),
    }


def _write_tables(
    output: Path, used: Sequence[TrainingPair], split: PersonSplit, left_out: Mapping[str, str], card: Mapping[str, Any]
) -> None:
    """Write the tables and the data card. Raises ``OutputError``."""
    masked = [pair if pair.video_mask else replace(pair, video_mask=_mask_of(output, pair)) for pair in used]
    for side in ("train", "validation"):
        write_pairs(output / f"{side}.jsonl", [pair for pair in masked if split.sides[pair.id] == side])
    rows = ({"id": name, "why": why} for name, why in left_out.items())
    write_text(output / "rejected.jsonl", "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    write_text(output / "data_card.json", json.dumps(card, indent=1, ensure_ascii=False) + "\n")


def _told(left_out: Mapping[str, str]) -> str:
    """The commonest reasons, shortly."""
    reasons = Counter(why.split(":")[0] for why in left_out.values()).most_common(3)
    return f" ({'; '.join(f'{why}: {count}' for why, count in reasons)})" if reasons else ""

"""``lipdub weights``: list models and download them."""

import json
import sys
from pathlib import Path

from rich.table import Table

from lipdub import weights
from lipdub.cli.consent import ask_download
from lipdub.cli.screen import note, stderr, stdout
from lipdub.errors import OptionError, WeightsError


def catalogue_rows() -> list[dict[str, object]]:
    """One entry for each model in the catalogue. ``path``: its file on this machine, "" if it is not there."""
    return [
        {
            "name": m.name,
            "purpose": m.purpose,
            "megabytes": round(m.bytes / 1e6, 1),
            "licence": m.licence,
            "licence_url": m.licence_url,
            "path": str(weights.present(m.name) or ""),
        }
        for m in weights.catalogue()
    ]


def run_list(*, as_json: bool) -> int:
    """Print the catalogue; returns exit code 0."""
    if as_json:
        stdout.out(json.dumps(catalogue_rows(), indent=1))
        return 0
    table = Table("model", "purpose", "MB", "licence", "present")
    for row in catalogue_rows():
        table.add_row(
            str(row["name"]),
            str(row["purpose"]),
            str(row["megabytes"]),
            str(row["licence"]),
            "yes" if row["path"] else "-",
        )
    stdout.print(table)
    return 0


LTX = "ltx"
"""Name for all files of LTX-2.3 Dub-It, which are downloaded together into a folder that the user names."""


def run_fetch(names: tuple[str, ...], to: Path | None, *, yes: bool) -> int:
    """Download the models ``names``, or every small model; returns exit code 0.

    Raises ``WeightsError`` if one cannot be downloaded, ``OptionError`` if ``to`` is missing or has no effect.
    """
    if to is not None and LTX not in names:
        raise OptionError(
            "--to is only for ltx: other models go into the cache folder", remedy="Set LIPDUB_CACHE to move it"
        )
    if LTX in names:
        _fetch_ltx(to, yes=yes)
        names = tuple(name for name in names if name != LTX)
        if not names:
            return 0
    chosen = names or tuple(m.name for m in weights.catalogue() if m.bytes < weights.SMALL)
    for name in chosen:
        model = weights.model(name)
        note(f"{name}: {model.bytes / 1e6:.1f} MB, licence {model.licence} ({model.licence_url})")
        if model.bytes >= weights.SMALL and not yes and not sys.stdin.isatty():
            raise WeightsError(f"{name} was not downloaded: its licence was not accepted", remedy="Add --yes")
        path = weights.fetch(name, (lambda _: True) if yes else ask_download, say=note)
        note(f"{name}: ready in {path}")
    return 0


def _fetch_ltx(to: Path | None, *, yes: bool) -> None:
    """Download the files of the LTX engine to the folder ``to``; asks before each part, with its size and licence."""
    from lipdub.engines.ltx.hub import DownloadOffer, fetch_all
    from lipdub.engines.ltx.published import LTX as PARTS

    if to is None:
        for part in PARTS:
            note(f"{part.summary}, from huggingface.co/{part.repo}")
        raise OptionError("these files are large, and no folder was named", remedy="Name a folder: --to FOLDER")

    def agreed(offer: DownloadOffer) -> bool:
        note(offer.summary)
        if yes:
            return True
        return sys.stdin.isatty() and stderr.input("Download it? [y/N] ").strip().lower() in {"y", "yes"}

    for path in fetch_all(to, agreed):
        note(f"ready: {path}")

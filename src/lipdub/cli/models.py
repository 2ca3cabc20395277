"""``lipdub weights``: list models and fetch them."""

import json
import sys
from pathlib import Path

from rich.table import Table

from lipdub import weights
from lipdub.cli.consent import ask_download
from lipdub.cli.screen import note, stderr, stdout
from lipdub.errors import OptionError, WeightsError


def rows() -> list[dict[str, object]]:
    """Every model in the catalogue, and where it is on this machine (empty: not here)."""
    return [
        {
            "name": m.name,
            "purpose": m.purpose,
            "megabytes": round(m.bytes / 1e6, 1),
            "licence": m.licence,
            "licence_url": m.licence_url,
            "here": str(weights.present(m.name) or ""),
        }
        for m in weights.catalogue()
    ]


def run_list(*, as_json: bool) -> int:
    """Print the catalogue."""
    if as_json:
        stdout.out(json.dumps(rows(), indent=1))
        return 0
    table = Table("model", "for", "MB", "licence", "here")
    for row in rows():
        table.add_row(
            str(row["name"]),
            str(row["purpose"]),
            str(row["megabytes"]),
            str(row["licence"]),
            "yes" if row["here"] else "-",
        )
    stdout.print(table)
    return 0


LTX = "ltx"
"""The name under which all parts of LTX-2.3 Dub-It are fetched together, into a folder of the user's."""


def run_fetch(names: tuple[str, ...], to: Path | None, *, yes: bool) -> int:
    """Download ``names``, or every small model. Raises ``WeightsError`` for one that cannot be had."""
    if to is not None and LTX not in names:
        raise OptionError(
            "--to is for ltx: other models go into the cache folder", remedy="Set LIPDUB_CACHE to move it"
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
            raise WeightsError(f"{name} was not fetched: nobody accepted its licence", remedy="Add --yes")
        path = weights.fetch(name, (lambda _: True) if yes else ask_download, say=note)
        note(f"{name}: ready in {path}")
    return 0


def _fetch_ltx(to: Path | None, *, yes: bool) -> None:
    """Download what the LTX engine needs to the folder ``to``: each part is shown, then asked for."""
    from lipdub.engines.ltx.hub import DownloadOffer, fetch_all
    from lipdub.engines.ltx.published import LTX as PARTS

    if to is None:
        for part in PARTS:
            note(f"{part.summary}, from huggingface.co/{part.repo}")
        raise OptionError("these are large, and no folder was named for them", remedy="Name a folder: --to FOLDER")

    def agreed(offer: DownloadOffer) -> bool:
        note(offer.summary)
        if yes:
            return True
        return sys.stdin.isatty() and stderr.input("Download it? [y/N] ").strip().lower() in {"y", "yes"}

    for path in fetch_all(to, agreed):
        note(f"ready: {path}")

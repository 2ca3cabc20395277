"""``lipdub weights``: list models and fetch them."""

import json
import sys

from rich.table import Table

from lipdub import weights
from lipdub.cli.consent import ask_download
from lipdub.cli.screen import note, stdout
from lipdub.errors import WeightsError


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
        stdout.out(json.dumps(rows(), indent=1), highlight=False)
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


def run_fetch(names: tuple[str, ...], *, yes: bool) -> int:
    """Download ``names``, or every small model. Raises ``WeightsError`` for one that cannot be had."""
    chosen = names or tuple(m.name for m in weights.catalogue() if m.bytes < weights.SMALL)
    for name in chosen:
        model = weights.model(name)
        note(f"{name}: {model.bytes / 1e6:.1f} MB, licence {model.licence} ({model.licence_url})")
        if model.bytes >= weights.SMALL and not yes and not sys.stdin.isatty():
            raise WeightsError(f"{name} was not fetched: nobody accepted its licence", remedy="Add --yes")
        path = weights.fetch(name, (lambda _: True) if yes else ask_download, say=note)
        note(f"{name}: ready in {path}")
    return 0

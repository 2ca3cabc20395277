"""A folder of kept work of its own for each test, and clips whose frames carry their number."""

import sys
from pathlib import Path

import pytest

from lipdub.weights import cache_folder

for folder in (Path(__file__).parent, Path(__file__).parents[2] / "media"):
    sys.path.insert(0, str(folder))


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder of kept work; the models are those of the machine."""
    models, cache = cache_folder(), tmp_path / "cache"
    cache.mkdir()
    if models.is_dir():
        (cache / models.name).symlink_to(models)
    monkeypatch.setenv("LIPDUB_CACHE", str(cache))
    return cache

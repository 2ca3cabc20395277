"""A worker of a studio whose engine only draws and whose voice is a recording, so that a film takes seconds.

python quick_worker.py DATABASE FOLDER
"""

import os
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).parents[1] / "jobs"))

from small_projects import small_kinds, use_small_tools

from lipdub.engines.fake import FakeEngine
from lipdub.web.jobs.table import JobTable
from lipdub.web.jobs.worker import run_worker


def replace(name: str, value: Any) -> None:
    """Set an attribute of a module for the rest of the process."""
    module, _, attribute = name.rpartition(".")
    setattr(import_module(module), attribute, value)


if __name__ == "__main__":
    database, folder = sys.argv[1:]
    use_small_tools(replace, Path(os.environ["LIPDUB_TEST_CACHE"]))
    replace("lipdub.studio.tools.find", lambda name, setup: FakeEngine())
    table = JobTable(Path(database))
    sys.exit(run_worker(table, "quick", small_kinds(table, Path(folder)).run, quick=False))

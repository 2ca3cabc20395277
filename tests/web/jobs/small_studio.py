"""python small_studio.py FOLDER

A whole studio at any free port, whose workers make small films (see ``small_projects``). It prints its address.
"""

import sys
from pathlib import Path

from lipdub.web.jobs import supervisor
from lipdub.web.places import Places
from lipdub.web.server import StudioOptions, run_studio

WORKER = Path(__file__).with_name("small_projects.py")


def main(folder: Path) -> None:
    """Run until it is ended."""

    def worker_command(database: Path, folder: Path, given: object = ()) -> supervisor.Command:
        return lambda name: [sys.executable, str(WORKER), name, str(database), str(folder)]

    supervisor.worker_command = worker_command
    run_studio(Places(folder), StudioOptions(port=0, jobs=2), lambda address: print(address, flush=True))


if __name__ == "__main__":
    main(Path(sys.argv[1]))

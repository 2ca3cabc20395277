"""A whole studio at any free port, whose workers make small films (see ``small_projects``). It prints its address.

python small_studio.py FOLDER
"""

import sys
from pathlib import Path

from lipdub.web.jobs import supervisor
from lipdub.web.places import Places

WORKER = Path(__file__).with_name("small_projects.py")


def worker_command(database: Path, folder: Path, given: object = ()) -> supervisor.Command:
    """The command of a worker that makes small films."""
    return lambda name: [sys.executable, str(WORKER), name, str(database), str(folder)]


def main(folder: Path) -> None:
    """Run until it is ended."""
    supervisor.worker_command = worker_command
    from lipdub.web.server import StudioOptions, run_studio  # it takes the command when it is imported

    run_studio(Places(folder), StudioOptions(port=0, jobs=2), lambda address: print(address, flush=True))


if __name__ == "__main__":
    main(Path(sys.argv[1]))

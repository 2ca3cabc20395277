"""The commands of a film that several machines make: make, assemble. They import what they need when they run."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from lipdub.cli.project_commands import named_options, opened
from lipdub.cli.screen import stdout
from lipdub.errors import OptionError
from lipdub.studio.options import DubOptions


def register(app: App) -> None:
    """Add the commands to ``app``."""
    app.command(make)
    app.command(assemble)


@dataclass(frozen=True)
class ShareOptions:
    """Which share of a film is made, and by whom it may be prepared."""

    shard: str = "1/1"
    """I/N: the share I of N of the film, counted from 1, e.g. 3/8."""

    prepare: bool = True
    """Prepare the film (analyse, plan, speak) if no other machine did; --no-prepare refuses that: then a machine that
    does not see the others' folder is noticed at once."""

    prepare_only: Annotated[bool, Parameter(negative=())] = False
    """Prepare the film, and make no share of it."""


def make(
    project: Path,
    /,
    *,
    output: Annotated[Path, Parameter(name=["--output", "-o"])],
    to: str = "",
    share: Annotated[ShareOptions, Parameter(name="*")] = ShareOptions(),
    options: Annotated[DubOptions, Parameter(name="*")] = DubOptions(),
) -> int:
    """Make a share of the film of a project on this machine; others make the other shares at the same time.

    The plan must be there (lipdub plan). All machines see the folder of the project. Write the film with lipdub
    assemble.

    Parameters
    ----------
    project
        Folder of the project, on a disk that all machines share.
    output
        Where the film will be written at the end: its extension selects the container.
    to
        Language, if the project has several.
    """
    from lipdub.studio.project.remembered_options import ProjectOptions
    from lipdub.studio.project.sharded_film import ShardOptions
    from lipdub.studio.shard import Shard

    if share.prepare_only and not share.prepare:
        raise OptionError("--prepare-only and --no-prepare contradict each other")
    shard = None if share.prepare_only else Shard.parse(share.shard)
    with opened(project) as work:
        given = ProjectOptions(options, named=named_options())
        done = work.make_shard(to, output, ShardOptions(shard, share.prepare), given)
    if done is None:
        stdout.print(f"{project}: the film is prepared")
    else:
        parts = f"{done.segments} part{'' if done.segments == 1 else 's'} of the film, {done.frames} frames"
        stdout.print(f"{project}: shard {done.shard} is done ({parts}, {done.seconds:.1f} s)", soft_wrap=True)
    return 0


def assemble(
    project: Path,
    /,
    *,
    output: Annotated[Path, Parameter(name=["--output", "-o"])],
    to: str = "",
    make: bool = True,
    options: Annotated[DubOptions, Parameter(name="*")] = DubOptions(),
    json: bool = False,
) -> int:
    """Write the film whose shares were made by lipdub make.

    Parameters
    ----------
    project
        Folder of the project.
    output
        The dubbed clip; its extension selects the container.
    to
        Language, if the project has several.
    make
        Make what is missing; --no-make refuses the film then, and says which shards left no sign that they ended.
    json
        Print the report as JSON instead of a table.
    """
    from lipdub.review.report import summary_table
    from lipdub.studio.project.remembered_options import ProjectOptions

    with opened(project, quiet=json) as work:
        report = work.assemble(to, output, ProjectOptions(options, named=named_options()), make=make)
    if json:
        stdout.out(report.to_json())
    else:
        stdout.print(summary_table(report))
    return 0

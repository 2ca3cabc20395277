"""The commands of ``lipdub``. Each command imports what it needs when it runs, so that ``--help`` stays fast."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, CycloptsError, Parameter

import lipdub
from lipdub.cli import batch, shard_commands, studio
from lipdub.cli.cache import cache_app
from lipdub.cli.project_commands import DubFiles, LanguagesOptions, register
from lipdub.cli.renamed import with_new_names
from lipdub.cli.screen import ScreenOptions, note, print_script, progress, stderr, stdout
from lipdub.cli.train import train_app
from lipdub.errors import OptionError
from lipdub.process.exit_codes import run_program
from lipdub.studio.options import (
    AudioStreamOptions,
    DubOptions,
    OverwriteOptions,
    RecogniserOptions,
    SpeakOptions,
    TranslatorOptions,
)

if TYPE_CHECKING:
    from lipdub.studio.sound_steps import StepCaller

app = App(
    name="lipdub",
    help="Dub existing video: new speech, and lips that follow it. Everything else stays as it was filmed.",
    version=lipdub.__version__,
    version_flags=["--version"],
    suppress_keyboard_interrupt=False,
    console=stdout,
    error_console=stderr,
)
weights_app = App(name="weights", help="Model files: list and download them.")
app.command(weights_app)
app.command(cache_app)
app.command(train_app)
register(app)
batch.register(app)
shard_commands.register(app)
studio.register(app)


@app.command
def dub(
    clip: Path | None = None,
    /,
    *,
    sources: Annotated[DubFiles, Parameter(name="*")],
    speech: Annotated[LanguagesOptions, Parameter(name="*")] = LanguagesOptions(),
    options: Annotated[DubOptions, Parameter(name="*")] = DubOptions(),
    screen: Annotated[ScreenOptions, Parameter(name="*")] = ScreenOptions(),
) -> int:
    """Dub a clip: the lips follow a dub track, a script that is spoken, or the clip's own words in another language.

    Parameters
    ----------
    clip
        Video of people talking. With --project it may be left out: the project knows it.
    """
    from lipdub.cli.dub import run_dub

    return run_dub(clip, sources, speech, options, screen)


@app.command
def transcribe(
    clip: Path,
    /,
    *,
    output: Annotated[Path, Parameter(name=["--output", "-o"])],
    speech: Annotated[RecogniserOptions, Parameter(name="*")] = RecogniserOptions(),
    sound: Annotated[AudioStreamOptions, Parameter(name="*")] = AudioStreamOptions(),
    files: Annotated[OverwriteOptions, Parameter(name="*")] = OverwriteOptions(),
) -> int:
    """Transcribe what is said in a clip to a script that you can edit: SRT, VTT or JSON.

    Parameters
    ----------
    clip
        Video or sound of people talking.
    output
        The script; its extension selects the format.
    """
    from lipdub.studio import sound_steps

    with _step(files) as caller:
        words = sound_steps.transcribe(
            clip, output, speech.source_language, speech.recogniser, caller, sound.audio_stream
        )
    print_script(output, words.language, len(words.lines), words.notes)
    return 0


@app.command
def translate(
    script: Path,
    /,
    *,
    to: str,
    output: Annotated[Path, Parameter(name=["--output", "-o"])],
    speech: Annotated[TranslatorOptions, Parameter(name="*")] = TranslatorOptions(),
    files: Annotated[OverwriteOptions, Parameter(name="*")] = OverwriteOptions(),
) -> int:
    """Translate a script; each line stays short enough for its time where the translator can do that.

    Parameters
    ----------
    script
        SRT, VTT, ASS or JSON.
    to
        Language of the result, e.g. es.
    output
        The translated script; its extension selects the format.
    """
    from lipdub.studio import sound_steps

    with _step(files) as caller:
        words = sound_steps.translate(script, output, to, speech, caller)
    print_script(output, words.language, len(words.lines), words.notes)
    return 0


@app.command
def speak(
    script: Path,
    /,
    *,
    output: Annotated[Path, Parameter(name=["--output", "-o"])],
    clip: Path | None = None,
    speech: Annotated[SpeakOptions, Parameter(name="*")] = SpeakOptions(),
    sound: Annotated[AudioStreamOptions, Parameter(name="*")] = AudioStreamOptions(),
    files: Annotated[OverwriteOptions, Parameter(name="*")] = OverwriteOptions(),
) -> int:
    """Speak a script: a dub track, fitted to where a clip speaks, or to the times of the script.

    Parameters
    ----------
    script
        SRT, VTT, ASS or JSON, in the language to be spoken.
    output
        The dub track: FLAC or WAV.
    clip
        Clip that the speech is fitted to; without it the times of the script are used.
    """
    from lipdub.review.report import speech_summary
    from lipdub.studio import sound_steps

    with _step(files) as caller:
        spoken = sound_steps.speak(script, output, clip, speech, caller, sound.audio_stream)
    for line in (f"{output}:", *speech_summary(spoken), *spoken.notes):
        stdout.print(line, soft_wrap=True)
    return 0


@contextmanager
def _step(files: OverwriteOptions) -> Iterator["StepCaller"]:
    """What a single step of a dub's sound needs from its caller; progress is shown while the block runs."""
    from lipdub.cli.consent import ask_download, ask_people
    from lipdub.studio.sound_steps import StepCaller

    with progress() as listener:
        yield StepCaller(listener, ask_download, files.overwrite, ask_people)


@app.command
def demo(
    folder: Path = Path("lipdub-demo"),
    /,
    *,
    json: bool = False,
    overwrite: bool = False,
) -> int:
    """Animate a portrait, dub it into Spanish, and put both side by side; needs no footage of yours.

    Parameters
    ----------
    folder
        Folder for the files of the demo.
    json
        Print the report as JSON instead of a table.
    overwrite
        Replace the files of an earlier demo.
    """
    from lipdub.cli.demo import run_demo

    return run_demo(folder, overwrite=overwrite, as_json=json)


@app.command
def verify(file: Path, /, *, trust: Path | None = None, json: bool = False) -> int:
    """Show the content credentials of a file: who signed it, what was changed, and whether it still is what was signed.

    Parameters
    ----------
    file
        Film or sound. Credentials of mkv and webm lie beside them (.c2pa).
    trust
        Certificates (PEM) of those who vouch for signers; credentials of others are refused then.
    json
        Print JSON instead of text.
    """
    from lipdub.cli.verify import run_verify

    return run_verify(file, trust, as_json=json)


@app.command
def doctor(*, weights: Path | None = None, json: bool = False) -> int:
    """Show what is installed on this machine and what is missing: packages, models, encoders, free disk space.

    Parameters
    ----------
    weights
        Folder with the model files of an engine, to see how they fit into the memory of this machine.
    json
        Print JSON instead of a table.
    """
    from lipdub.cli.doctor import run_doctor

    return run_doctor(weights, as_json=json)


@app.command
def engines(*, json: bool = False) -> int:
    """List the installed engines and the limits of each.

    Parameters
    ----------
    json
        Print JSON instead of a table.
    """
    from lipdub.cli.doctor import run_engines

    return run_engines(as_json=json)


@weights_app.command(name="list")
def weights_list(*, json: bool = False) -> int:
    """List the models: purpose, size, licence, and whether each is on this machine.

    Parameters
    ----------
    json
        Print JSON instead of a table.
    """
    from lipdub.cli.models import run_list

    return run_list(as_json=json)


@weights_app.command
def fetch(*names: str, to: Path | None = None, yes: Annotated[bool, Parameter(name=["--yes", "-y"])] = False) -> int:
    """Download models by name (all small ones if no name is given); size and licence are shown first.

    Parameters
    ----------
    names
        Names from `lipdub weights list`; or ltx: everything that the LTX engine needs (74 GB, some of them gated).
    to
        Folder for the files of ltx.
    yes
        Accept the licences without being asked.
    """
    from lipdub.cli.models import run_fetch

    return run_fetch(names, to, yes=yes)


def main() -> None:
    """Entry point: run a command. An error becomes one line on stderr and an exit code (see ``errors``)."""
    # One BLAS thread: the engine solves thousands of small linear systems, and threads make each of them slower.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    run_program(_command)


def _command() -> int | None:
    """Run the command of ``sys.argv``. Raises ``OptionError`` for an unknown command or option."""
    arguments, notices = with_new_names(sys.argv[1:])
    for notice in notices:
        note(f"lipdub: {notice}")
    try:
        return app(arguments, result_action="return_value", exit_on_error=False, print_error=False)
    except CycloptsError as wrong:
        what = " ".join(str(wrong).split()).rstrip(".")
        remedy = "'lipdub --help' lists the commands, 'lipdub COMMAND --help' the options of one"
        raise OptionError(what, remedy=remedy) from wrong

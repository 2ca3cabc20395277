"""The command line: text into values, errors into exit codes. Everything heavy is imported inside a command."""

import os
from pathlib import Path
from typing import Annotated

from cyclopts import App, CycloptsError, Parameter

from lipdub import __version__
from lipdub.cli.screen import ScreenOptions, stderr, stdout
from lipdub.errors import OptionError
from lipdub.process.exit_codes import run_program
from lipdub.studio.options import DubOptions, SpeechOptions, VoiceOptions

app = App(
    name="lipdub",
    help="Make people in existing video say something else, and leave everything else as it was filmed.",
    version=__version__,
    version_flags=["--version"],
    suppress_keyboard_interrupt=False,
    console=stdout,
    error_console=stderr,
)
weights_app = App(name="weights", help="Models: what they are for, whose they are, and whether they are here.")
app.command(weights_app)


@app.command
def dub(
    clip: Path,
    /,
    *,
    audio: Path | None = None,
    output: Annotated[Path, Parameter(name=["--output", "-o"])],
    speech: Annotated[SpeechOptions, Parameter(name="*")] = SpeechOptions(),
    options: Annotated[DubOptions, Parameter(name="*")] = DubOptions(),
    screen: Annotated[ScreenOptions, Parameter(name="*")] = ScreenOptions(),
) -> int:
    """Put new words on the lips of a clip: those of a dub track, of a script, or its own in another language.

    Parameters
    ----------
    clip
        Footage of people talking.
    audio
        A finished dub track: any sound file, beginning where the clip begins.
    output
        The dubbed clip; its ending names the container.
    """
    from lipdub.cli.dub import run_dub

    return run_dub(clip, audio, output, speech, options, screen)


@app.command
def hear(
    clip: Path,
    /,
    *,
    output: Annotated[Path, Parameter(name=["--output", "-o"])],
    language: str = "",
    recogniser: str = "whisper",
    audio_stream: int | None = None,
    overwrite: bool = False,
) -> int:
    """Write down what is said in a clip, as lines one can edit: SRT, VTT or JSON.

    Parameters
    ----------
    clip
        Footage or sound of people talking.
    output
        The script; its ending names the format.
    language
        Language that is spoken; found out if not given.
    recogniser
        Who hears the words.
    audio_stream
        Which sound of the clip is heard, counted from 0; by default the one that players play.
    overwrite
        Replace a script that exists.
    """
    from lipdub.cli.words import run_hear

    return run_hear(clip, output, language, recogniser, audio_stream=audio_stream, overwrite=overwrite)


@app.command
def adapt(
    script: Path,
    /,
    *,
    to: str,
    translator: str,
    output: Annotated[Path, Parameter(name=["--output", "-o"])],
    glossary: Path | None = None,
    overwrite: bool = False,
) -> int:
    """Put the lines of a script into another language, each short enough for its time.

    Parameters
    ----------
    script
        SRT, VTT, ASS or JSON.
    to
        Language of the result, e.g. es.
    translator
        openai:URL#MODEL (any such server, local ones too), argos, or another that is installed.
    output
        The new script; its ending names the format.
    glossary
        How terms are rendered: CSV, TSV or JSON with term and rendering.
    overwrite
        Replace a script that exists.
    """
    from lipdub.cli.words import run_adapt

    return run_adapt(script, to, translator, output, glossary, overwrite=overwrite)


@app.command
def speak(
    script: Path,
    /,
    *,
    output: Annotated[Path, Parameter(name=["--output", "-o"])],
    clip: Path | None = None,
    speech: Annotated[VoiceOptions, Parameter(name="*")] = VoiceOptions(),
    audio_stream: int | None = None,
    overwrite: bool = False,
) -> int:
    """Speak a script: a dub track for a clip, fitted to where the clip speaks, or to the script's own times.

    Parameters
    ----------
    script
        SRT, VTT, ASS or JSON, in the language to be spoken.
    output
        The sound: FLAC or WAV.
    clip
        Footage that the speech shall fit; without it the script's times are kept.
    audio_stream
        Which sound of the clip is its own, counted from 0; by default the one that players play.
    overwrite
        Replace a sound that exists.
    """
    from lipdub.cli.words import run_speak

    return run_speak(script, output, clip, speech, audio_stream=audio_stream, overwrite=overwrite)


@app.command
def demo(
    folder: Path = Path("lipdub-demo"),
    /,
    *,
    json: bool = False,
    overwrite: bool = False,
) -> int:
    """Make a talking portrait, dub it into Spanish, and show both side by side; needs no footage of yours.

    Parameters
    ----------
    folder
        Where the clips go.
    json
        Print the report as JSON instead of a table.
    overwrite
        Replace an earlier demo.
    """
    from lipdub.cli.demo import run_demo

    return run_demo(folder, overwrite=overwrite, as_json=json)


@app.command
def doctor(*, weights: Path | None = None, json: bool = False) -> int:
    """Say what this machine can do: packages, models, encoders, space, and what is missing for what.

    Parameters
    ----------
    weights
        Folder with an engine's models, to see how they would be held here.
    json
        Print as JSON.
    """
    from lipdub.cli.doctor import run_doctor

    return run_doctor(weights, as_json=json)


@app.command
def engines(*, json: bool = False) -> int:
    """List the engines that make mouths, and what each needs.

    Parameters
    ----------
    json
        Print as JSON.
    """
    from lipdub.cli.doctor import run_engines

    return run_engines(as_json=json)


@weights_app.command(name="list")
def weights_list(*, json: bool = False) -> int:
    """List the models: purpose, size, licence, and whether each is here.

    Parameters
    ----------
    json
        Print as JSON.
    """
    from lipdub.cli.models import run_list

    return run_list(as_json=json)


@weights_app.command
def fetch(*names: str, to: Path | None = None, yes: Annotated[bool, Parameter(name=["--yes", "-y"])] = False) -> int:
    """Download models by name (all small ones if none is named); size and licence are shown first.

    Parameters
    ----------
    names
        Models, as `lipdub weights list` names them; or ltx: all that the LTX engine needs (66 GB, gated).
    to
        Folder for ltx.
    yes
        Accept the licences without being asked.
    """
    from lipdub.cli.models import run_fetch

    return run_fetch(names, to, yes=yes)


def main() -> None:
    """Entry point: run a command; whatever goes wrong is one line on stderr and an exit code (see ``errors``)."""
    # One BLAS thread: the engine solves thousands of small systems, and threads make each of them slower.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    run_program(_command)


def _command() -> int | None:
    """Run the command that was typed. Raises ``OptionError`` for words that are no command of ours."""
    try:
        return app(result_action="return_value", exit_on_error=False, print_error=False)
    except CycloptsError as wrong:
        told = " ".join(str(wrong).split()).rstrip(".")
        raise OptionError(told, remedy="'lipdub --help' and 'lipdub COMMAND --help' list what there is") from wrong

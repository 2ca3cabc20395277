"""Old names of commands and options work, with one notice each."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lipdub.cli.main import app
from lipdub.cli.renamed import COMMANDS, OPTIONS, with_new_names
from lipdub.cli.screen import STAGES
from lipdub.errors import OptionError

DUB = ["dub", "a.mp4", "-o", "b.mp4"]


def values(*arguments: str) -> dict:
    """The options that the command gets, all in one dictionary."""
    bound = app.parse_args(with_new_names(arguments).arguments, exit_on_error=False, print_error=False)[1].arguments
    return {**bound, **vars(bound.get("speech", object)), **vars(bound.get("options", object))}


@pytest.mark.parametrize(
    ("old", "new", "field", "value"),
    [
        (["--hush", "-18"], ["--duck", "-18"], "duck", -18.0),
        (["--hush=-18"], ["--duck=-18"], "duck", -18.0),
        (["--no-proof"], ["--no-asr-check"], "asr_check", False),
        (["--no_proof"], ["--no-asr-check"], "asr_check", False),
        (["--proof"], ["--asr-check"], "asr_check", True),
        (["--hearing", "light"], ["--speech-features", "light"], "speech_features", "light"),
        (["--fit", "none"], ["--duration-fit", "none"], "duration_fit", "none"),
        (["--speech-features", "auto"], ["--speech-features", "best"], "speech_features", "best"),
        (["--speech-features=auto"], ["--speech-features=best"], "speech_features", "best"),
    ],
)
def test_an_old_option_means_the_new_one(old: list[str], new: list[str], field: str, value: object) -> None:
    renamed = with_new_names([*DUB, *old])
    assert renamed.arguments == [*DUB, *new]
    assert len(renamed.notices) == 1
    assert "0.2" in renamed.notices[0]
    assert new[0].partition("=")[0] in renamed.notices[0]
    assert values(*DUB, *old)[field] == values(*DUB, *new)[field] == value


def test_an_old_command_means_the_new_one() -> None:
    renamed = with_new_names(["hear", "a.mp4", "-o", "hear"])
    assert renamed.arguments == ["transcribe", "a.mp4", "-o", "hear"]
    assert with_new_names(["adapt"]).arguments == ["translate"]
    assert "transcribe" in renamed.notices[0]
    assert with_new_names(["--help", "hear"]).arguments == ["--help", "transcribe"]


def test_old_options_of_a_step_are_those_of_a_dub_now() -> None:
    renamed = with_new_names(["hear", "a.mp4", "-o", "a.srt", "--language", "en"])
    assert renamed.arguments == ["transcribe", "a.mp4", "-o", "a.srt", "--source-language", "en"]
    assert len(renamed.notices) == 2
    assert values("hear", "a.mp4", "-o", "a.srt", "--language", "en")["source_language"] == "en"


SHARED = {
    "transcribe": {"--source-language", "--recogniser", "--audio-stream", "--overwrite", "--output"},
    "translate": {"--source-language", "--translator", "--glossary", "--to", "--overwrite", "--output"},
    "speak": {"--voice", "--duration-fit", "--to", "--audio-stream", "--overwrite", "--output"},
}


@pytest.mark.parametrize("command", SHARED)
def test_the_steps_of_a_dub_take_its_options_by_the_same_names(command: str) -> None:
    def named(of: str) -> set[str]:
        return {flag for argument in app[of].assemble_argument_collection() for flag in argument.names}

    assert SHARED[command] <= named(command)
    assert SHARED[command] <= named("dub")


def test_every_new_name_exists_and_no_old_one() -> None:
    for old, new in COMMANDS.items():
        assert app[new]
        assert old not in list(app)
    for command, options in OPTIONS.items():
        flags = {flag for argument in app[command].assemble_argument_collection() for flag in argument.names}
        assert set(options.values()) <= flags
        assert not flags & set(options)


@pytest.mark.parametrize(
    "arguments",
    [
        ["engines", "--hush"],
        ["dub", "a.mp4", "--", "--hush"],
        ["dub", "a.mp4", "--line", "say --hush"],
        ["--version"],
        [],
        ["dub", "hear"],
        ["speak", "a.srt", "--hush", "-18"],
    ],
)
def test_other_arguments_are_not_changed(arguments: list[str]) -> None:
    assert with_new_names(arguments) == (arguments, [])


@pytest.mark.parametrize(
    "both", [["--hush", "-18", "--duck", "-20"], ["--asr-check", "--no-proof"], ["--duration-fit=none", "--fit=none"]]
)
def test_old_and_new_name_together_are_refused(both: list[str]) -> None:
    with pytest.raises(OptionError, match="same option"):
        with_new_names([*DUB, *both])


def test_the_notices_are_on_stderr_one_line_each(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "lipdub", "hear", "--help"]
    environment = {**os.environ, "LIPDUB_CACHE": str(tmp_path), "NO_COLOR": "1", "COLUMNS": "40"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    assert "Transcribe" in done.stdout
    assert done.stderr.splitlines() == [
        "lipdub: the command 'hear' is now called 'transcribe'; the old name will be removed in lipdub 0.2"
    ]


def test_stage_names_fit_the_progress_bar() -> None:
    assert {"preflight", "analyse", "plan", "render", "assemble", "deliver", "asr check", "score"} <= set(STAGES)
    assert max(map(len, STAGES.values())) <= 16

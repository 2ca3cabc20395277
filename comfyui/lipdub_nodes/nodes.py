"""The three nodes as ComfyUI shows them: inputs, outputs, and when they are run again."""

from typing import Any

from . import work
from .choices import AS_IT_IS, AUTO, engines, languages, voices
from .host import io, video_from_file
from .places import digest_of, named_script

_CATEGORY = "video/lipdub"

_CONSENT = (
    "Switched on, you state that the people in this video agreed to be dubbed, with voices that may be made to "
    "resemble theirs. The project records it. Without it nothing is made."
)

_OUTPUT_NAMES = ("video", "audio", "report", "review_path", "plan")


class LipdubDub(io.ComfyNode):
    """Dubs a video: with a finished dub track, with a script that lipdub speaks, or by a plan."""

    @classmethod
    def define_schema(cls) -> Any:
        """Inputs and outputs."""
        return io.Schema(
            node_id="LipdubDub",
            display_name="Dub with lips",
            category=_CATEGORY,
            description=(
                "Makes people in a video say something else. Lips follow; all else stays as filmed, frame rate and "
                "picture outside the mouths included. Give a dub track, a script, or a plan."
            ),
            is_output_node=True,
            inputs=[
                io.Video.Input("video", tooltip="The video as it was filmed. It is read from its file, not as frames."),
                *_common_inputs(),
                io.String.Input(
                    "plan",
                    optional=True,
                    force_input=True,
                    tooltip="A plan of another lipdub node, perhaps edited. Then leave dub and script empty.",
                ),
            ],
            outputs=_film_outputs(),
        )

    @classmethod
    def validate_inputs(cls, consent: Any = None) -> Any:
        """True, or why it cannot be run; None stands for a value that another node gives."""
        return True if consent is None or consent is True else work.CONSENT

    @classmethod
    def fingerprint_inputs(cls, **inputs: Any) -> str:
        """What the result depends on and ComfyUI does not see: the content of a script that is named."""
        return _fingerprint(inputs)

    @classmethod
    def execute(cls, video: Any, consent: bool, language: str, plan: str = "", **inputs: Any) -> Any:
        """Make the film."""
        _require(consent)
        words, picture, project = _read(language, inputs)
        return _outputs(work.make_film(video, words, picture, project, plan or ""))


class LipdubPlan(io.ComfyNode):
    """Plans a dub: who says what and when. Nothing is spoken or rendered."""

    @classmethod
    def define_schema(cls) -> Any:
        """Inputs and outputs."""
        return io.Schema(
            node_id="LipdubPlan",
            display_name="Plan a dub",
            category=_CATEGORY,
            description=(
                "Finds out who says which line and when, and what stays as filmed. The plan is JSON: read it, edit it, "
                "and give it to Dub with lips or Redo a line."
            ),
            is_output_node=True,
            inputs=[
                io.Video.Input("video", tooltip="The video as it was filmed. It is read from its file, not as frames."),
                *_common_inputs(),
            ],
            outputs=[
                io.String.Output(id="made_plan", display_name="plan", tooltip="Lines with times and persons, as JSON.")
            ],
        )

    @classmethod
    def validate_inputs(cls, consent: Any = None) -> Any:
        """True, or why it cannot be run; None stands for a value that another node gives."""
        return True if consent is None or consent is True else work.CONSENT

    @classmethod
    def fingerprint_inputs(cls, **inputs: Any) -> str:
        """What the result depends on and ComfyUI does not see: the content of a script that is named."""
        return _fingerprint(inputs)

    @classmethod
    def execute(cls, video: Any, consent: bool, language: str, **inputs: Any) -> Any:
        """Make the plan."""
        _require(consent)
        words, picture, project = _read(language, inputs)
        return io.NodeOutput(work.make_plan(video, words, picture, project))


class LipdubRedoLine(io.ComfyNode):
    """Makes one line of a dub again, or chooses another of its takes. All other lines stay as they are."""

    @classmethod
    def define_schema(cls) -> Any:
        """Inputs and outputs."""
        return io.Schema(
            node_id="LipdubRedoLine",
            display_name="Redo a line",
            category=_CATEGORY,
            description=(
                "Makes one line again with another text, voice, place or seed, or goes back to an earlier take. All "
                "other lines stay the same, sample by sample and frame by frame."
            ),
            is_output_node=True,
            inputs=[
                io.Video.Input("video", tooltip="The video as it was filmed: the one that was dubbed, not the dub."),
                io.String.Input("plan", force_input=True, tooltip="The plan of the lipdub node before."),
                io.Int.Input("line", default=1, min=1, max=99_999, tooltip="Number of the line in the plan."),
                io.String.Input("text", default="", multiline=True, tooltip="What is said; empty: as it is."),
                io.Combo.Input(
                    "voice", options=[AS_IT_IS, *voices()[1:]], default=AS_IT_IS, tooltip="Who speaks the line."
                ),
                io.Float.Input(
                    "offset",
                    default=0.0,
                    min=-10.0,
                    max=10.0,
                    step=0.01,
                    tooltip="Seconds by which the speech is moved, later if positive; 0: as it is.",
                ),
                io.Int.Input(
                    "seed",
                    default=-1,
                    min=-1,
                    max=2**31 - 1,
                    control_after_generate=False,
                    tooltip="Another seed gives another mouth; -1: as it is.",
                ),
                io.Int.Input(
                    "take",
                    default=0,
                    min=0,
                    max=9_999,
                    tooltip="Number of an earlier take to go back to; 0: a new one.",
                ),
            ],
            outputs=_film_outputs(),
        )

    @classmethod
    def execute(
        cls,
        video: Any,
        plan: str,
        line: int,
        take: int = 0,
        **change: Any,
    ) -> Any:
        """Make the line and the film."""
        text, voice, seed = change.get("text", ""), change.get("voice", AS_IT_IS), change.get("seed", -1)
        offset = change.get("offset", 0.0)
        changes = {
            "text": text if text.strip() else None,
            "voice": voice if voice != AS_IT_IS else None,
            "offset": f"{offset:.3f}" if offset else None,
            "seed": seed if seed >= 0 else None,
        }
        return _outputs(work.redo_line(video, plan, line, changes, take))


def _common_inputs() -> list[Any]:
    """Those of a dub and of a plan."""
    return [*_inputs_of_all(), *_inputs_of_some()]


def _inputs_of_all() -> list[Any]:
    """Who agreed, in which language, and how: always asked for."""
    return [
        io.Boolean.Input("consent", default=False, label_on="they agreed", label_off="not stated", tooltip=_CONSENT),
        io.Combo.Input(
            "language",
            options=languages(),
            default="es Spanish",
            tooltip="Language of the dub; unknown only with a dub track.",
        ),
        io.Combo.Input(
            "voice", options=voices(), default=AUTO, tooltip="Voice that speaks a script; auto: by language and person."
        ),
        io.Combo.Input(
            "engine",
            options=engines(),
            default="exemplar",
            tooltip="What renders the mouths. exemplar: on the processor, from the video's own mouths; ltx: on a GPU.",
        ),
        io.String.Input(
            "people",
            default="auto",
            tooltip="Who is dubbed: auto (whoever speaks), left, right, largest, the number of a person, or X,Y@TIME; "
            "several with ; between them.",
        ),
        io.Int.Input(
            "seed",
            default=0,
            min=0,
            max=2**31 - 1,
            control_after_generate=False,
            tooltip="The same seed gives the same film.",
        ),
    ]


def _inputs_of_some() -> list[Any]:
    """What is said, and what few have to say: may be left out."""
    return [
        io.Audio.Input("dub", optional=True, tooltip="A finished dub track. It is used as it is."),
        io.String.Input(
            "script",
            optional=True,
            default="",
            multiline=True,
            placeholder="Text, an SRT, VTT, ASS or JSON script, or the name of such a file in the input folder",
            tooltip="What is said. Without times it begins where the video speaks.",
        ),
        io.String.Input(
            "more_voices",
            optional=True,
            default="",
            multiline=True,
            placeholder="One a line: SPEAKER=NAME:DETAIL, or server:URL",
            tooltip="Voices of speakers of the script, and voices with an address.",
        ),
        io.String.Input(
            "translator",
            optional=True,
            default="",
            tooltip="Without a dub or a script, what the video says is translated: argos, or openai:URL#MODEL.",
        ),
        io.String.Input(
            "source_language", optional=True, default="", tooltip="Language spoken in the video; empty: found out."
        ),
        io.String.Input("weights", optional=True, default="", tooltip="Folder with the engine's model files (ltx)."),
        io.String.Input(
            "engine_options",
            optional=True,
            default="",
            multiline=True,
            placeholder="One a line: KEY=VALUE",
            tooltip="Options of the engine itself, e.g. device=cuda:1",
        ),
        io.String.Input(
            "project",
            optional=True,
            default="",
            tooltip="Name of the project in output/lipdub; empty: one for each video. It keeps plans and takes.",
        ),
    ]


def _film_outputs() -> list[Any]:
    tips = (
        "The film, as a file: Save Video with format auto keeps its packets.",
        "The sound of the film.",
        "What was changed, measured and left as filmed, as JSON.",
        "The review page beside the film, to be opened in a browser.",
        "The plan as it is now, for Redo a line.",
    )
    kinds = (io.Video, io.Audio, io.String, io.String, io.String)
    every = zip(kinds, _OUTPUT_NAMES, tips, strict=True)
    return [kind.Output(id=f"film_{name}", display_name=name, tooltip=tip) for kind, name, tip in every]


def _outputs(film: work.Film) -> Any:
    return io.NodeOutput(video_from_file(film.file), film.audio, film.report, film.page, film.plan)


def _read(language: str, inputs: dict[str, Any]) -> tuple[work.Words, work.Picture, str]:
    """Words, picture and the name of the project, of the inputs of a node."""

    def of(*names: str) -> dict[str, Any]:
        return {name: inputs[name] for name in names if inputs.get(name) is not None}

    words = of("dub", "script", "voice", "more_voices", "translator", "source_language")
    picture = of("engine", "people", "seed", "weights", "engine_options")
    return work.Words(language, **words), work.Picture(**picture), inputs.get("project") or ""


def _require(consent: bool) -> None:
    if consent is not True:
        raise work.LipdubError(work.CONSENT)


def _fingerprint(inputs: dict[str, Any]) -> str:
    file = named_script(inputs.get("script") or "")
    return digest_of(file.read_bytes()) if file is not None else ""

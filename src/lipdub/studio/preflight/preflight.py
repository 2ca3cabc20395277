"""Everything that is given is looked at before any work is done; what was made for that is kept for the stages."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from lipdub.credentials.sign import other_credential, sidecar_for, sidecar_name
from lipdub.errors import NoSound
from lipdub.faces.active_speaker import FaceSelector, parse_face_selectors
from lipdub.media.probe import open_clip, probe
from lipdub.media.write import check_output
from lipdub.studio.caller import Caller
from lipdub.studio.film_label import check_label
from lipdub.studio.final_subtitles import subtitle_kind
from lipdub.studio.job import NO_OUTPUT, DubRequest, Job, OutputNames
from lipdub.studio.preflight.consent import ensure_consent
from lipdub.studio.preflight.excluded_spans import excluded_spans
from lipdub.studio.preflight.fit_picture import check_length_options, fit_picture
from lipdub.studio.preflight.output_names import check_names, output_names, stem_names
from lipdub.studio.preflight.request_checks import check_options, check_speech
from lipdub.studio.session import Session
from lipdub.studio.signing import check_signing, make_key
from lipdub.studio.tools import Tools
from lipdub.studio.write_options import write_options
from lipdub.timeline.clip import Clip
from lipdub.timeline.clip_length import LengthChange
from lipdub.timeline.time import Span
from lipdub.words_to_sound.script.read import ScriptLines


@dataclass(frozen=True, eq=False)
class CheckedRequest:
    """What was made while a request was checked: see ``Job``."""

    clip: Clip
    names: OutputNames
    selectors: tuple[FaceSelector, ...]
    script: ScriptLines | None
    excluded: tuple[Span, ...]
    length: LengthChange | None = None


def preflight(request: DubRequest, caller: Caller, session: Session) -> Job:
    """The job of a request that can be done. The clip is probed and its digest taken, the script is parsed, consent is
    asked for, and the models are loaded, all once.

    Raises ``InputError`` or ``OutputError`` for what cannot be done, ``WeightsError`` or ``MissingExtra`` for what is
    missing, and what ``caller.ask_people`` raises when consent is refused.
    """
    inputs, tools, options = session.inputs, session.tools, request.options
    with session.clock.stage("preflight"):
        inputs.watch(request.inputs)
        checked = check_request(request, tools)
        make_key(options, request.output)
        inputs.begin()
        digest = inputs.digest(request.source)
        consent = ensure_consent(request.source, digest, options.consent, caller.ask_people, caller.why)
        _ = tools.landmarker
    _ = session.sent, session.worker_count, tools.analyser  # a cluster or store that is not there is noticed first
    return Job(
        clip=checked.clip,
        digest=digest,
        audio=request.audio,
        speech=request.speech,
        options=options,
        names=checked.names,
        selectors=checked.selectors,
        script=checked.script,
        consent=consent,
        excluded=checked.excluded,
        length=checked.length,
    )


OpenClip = Callable[[Path, int | None], Clip]
"""Opens a clip with one of its sound streams (counted from 0; None: the one that players play)."""


def _open(path: Path, sound: int | None) -> Clip:
    return open_clip(path, sound=sound)


def check_request(request: DubRequest, tools: Tools, opened: OpenClip = _open) -> CheckedRequest:
    """Refuse a request that cannot be carried out; ``opened`` opens its clip. Raises ``InputError``, ``OutputError``,
    ``WeightsError``, ``MissingExtra``."""
    options, speech = request.options, request.speech
    selectors = parse_face_selectors(options.face)
    check_options(options)
    check_length_options(request)
    if options.prior is not None:
        _ = tools.prior
    clip = opened(request.source, options.audio_stream)
    _ = tools.engine
    script = None if request.planned else check_speech(clip, request.audio, speech, tools)
    if request.audio is not None and not probe(request.audio).has_sound:
        raise NoSound("there is no sound in it", file=request.audio, remedy="Give the file that holds the dub track")
    check_signing(options, request.output)
    names, length = _names(request), None
    if request.audio is not None:
        clip, length = fit_picture(clip, request.audio, options)
    check_label(options, clip)
    return CheckedRequest(clip, names, selectors, script, excluded_spans(clip, options), length)


def _names(request: DubRequest) -> OutputNames:
    """Where the files of the dub go. Raises ``OutputError`` or ``OptionError`` if they cannot be there."""
    options, speech = request.options, request.speech
    if request.output is None:
        return NO_OUTPUT
    check_output(request.source, request.output, write_options(options, speech))
    kind = subtitle_kind(request.audio, speech)
    names = output_names(request.output, request.inputs, page=options.page, subtitles=kind)
    names = replace(names, stems=stem_names(request.output, speech.stems))
    if options.credentials:
        names = replace(names, credential=sidecar_for(names.film))
    elif other_credential(names.film):
        told = f"{sidecar_name(names.film).name} is the credential of an earlier file, and does not fit this one"
        names = replace(names, notes=(*names.notes, told))
    check_names(names, (*request.inputs, sidecar_name(request.source)), overwrite=options.overwrite)
    return names

"""A clip and what is to be said in it in, a lip-synced film out. Read ``dub`` and you have read the product."""

from pathlib import Path

from lipdub.errors import NothingToDub
from lipdub.review.report import Report
from lipdub.studio.analyse.analyse import analyse
from lipdub.studio.analysis import Analysis
from lipdub.studio.caller import Caller
from lipdub.studio.deliver.deliver import deliver
from lipdub.studio.dub_plan import DubPlan
from lipdub.studio.job import DubRequest, Job
from lipdub.studio.options import DubOptions, SpeechOptions
from lipdub.studio.plan.longer_lines import fitted_to_lines
from lipdub.studio.plan.plan_dub import plan_dub
from lipdub.studio.preflight.preflight import preflight
from lipdub.studio.session import Session, open_session
from lipdub.studio.workers.make_film import make_film, own_folders


def dub(
    source: str | Path,
    *,
    output: str | Path,
    audio: str | Path | None = None,
    speech: SpeechOptions = SpeechOptions(),
    options: DubOptions = DubOptions(),
    caller: Caller = Caller(),
) -> Report:
    """Make the people in ``source`` say what ``audio`` says, or what ``speech`` asks for, and write the film to
    ``output``, with its report beside it.

    To call this states that the people in the footage agreed (see ``Caller.ask_people`` to ask instead).
    Raises a ``LipdubError``; then nothing stands under the output's name.
    """
    request = DubRequest(Path(source), Path(output), None if audio is None else Path(audio), speech, options)
    with open_session(options, caller.listener, caller.ask_download) as session:
        return dub_in(session, request, caller)


def dub_in(session: Session, request: DubRequest, caller: Caller) -> Report:
    """One dub in a session of its own. Raises what ``dub`` raises."""
    job, ahead = fitted_to_lines(preflight(request, caller, session), session)
    analysis = analyse(job, session, ahead.speak)
    _check_faces(job, analysis)
    plan = plan_dub(job, analysis, session, ahead.given, ahead.planned)
    _check_mouths(job, plan)
    film, work = make_film(job, plan, own_folders(session), session)
    return deliver(work, film, session)


def _check_faces(job: Job, analysis: Analysis) -> None:
    """Raise ``NothingToDub`` for a clip without faces, before a voice is asked for anything."""
    if not analysis.faces:
        raise NothingToDub(
            "no face was found in the picture, so there is nothing to dub",
            file=job.clip.path,
            remedy="Check that the right video stream and clip were given",
        )


def _check_mouths(job: Job, plan: DubPlan) -> None:
    """Raise ``NothingToDub`` if no mouth changes, and say why in one sentence."""
    if not plan.faces:
        why = "; ".join(sorted({left.reason for left in plan.passthrough})) or "no face speaks"
        raise NothingToDub(
            f"no mouth may be changed ({why})",
            file=job.clip.path,
            remedy="To dub a face all the same, name it: --face largest, left, right or X,Y@TIME",
        )

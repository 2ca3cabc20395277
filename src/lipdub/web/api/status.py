"""The studio itself: version, limits, voices, engines."""

import lipdub
from lipdub.engines import find
from lipdub.studio.preflight.consent import STATEMENT
from lipdub.web.allowed import voices
from lipdub.web.api.shapes import LimitsShown, StatusShown
from lipdub.web.operations import Call, Operation

LANGUAGES_OF_PAGE = ["en", "es", "fr", "de", "ja", "zh"]


def status(call: Call) -> StatusShown:
    """The studio itself."""
    limits = call.studio.limits
    return StatusShown(
        version=lipdub.__version__,
        jobs=call.studio.jobs.counts(),
        limits=LimitsShown(
            upload_bytes=limits.upload_bytes,
            uploads=limits.uploads,
            seconds=limits.seconds,
            projects=limits.projects,
            queued_jobs=limits.queued_jobs,
            body_bytes=limits.body_bytes,
        ),
        languages_of_page=LANGUAGES_OF_PAGE,
        voices=list(voices()),
        engines=list(find.names()),
        consent_statement=STATEMENT,
    )


OPERATIONS = (
    Operation("GET", "/v1/status", "get_status", "Version, limits, voices, engines", status, answer=StatusShown),
)

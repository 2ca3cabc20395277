"""A job as ``/v2/generate`` shows it: in the shape of sync.so's API, which many programs speak."""

from typing import Any

from lipdub.web.jobs.job import CANCELLED, COMPLETED, FAILED, PROCESSING, QUEUED, Job, instant

_STATUS = {QUEUED: "PENDING", PROCESSING: "PROCESSING", COMPLETED: "COMPLETED", CANCELLED: "REJECTED"}
_CANCELLED = "it was cancelled"


def generation(job: Job, base: str = "") -> dict[str, Any]:
    """``job`` as a generation. ``base`` is put before the path of the film ("http://localhost:8765").

    REJECTED are those whose input cannot be used, and those that were cancelled; FAILED is everything else.
    """
    status = _STATUS.get(job.status, "FAILED")
    error, code = None, None
    if job.status == FAILED and job.error is not None:
        status = "REJECTED" if job.error.kind == "input" else "FAILED"
        error, code = f"{job.error.detail} {job.error.remedy}".strip(), f"{job.error.kind}_error"
    elif job.status == CANCELLED:
        error, code = _CANCELLED, "cancelled"
    result, made = job.result or {}, job.status == COMPLETED
    return {
        "id": job.id,
        "createdAt": instant(job.created),
        "status": status,
        "model": job.request.get("model", "lipdub"),
        "input": job.request.get("input", []),
        "options": job.request.get("shown_options", {}),
        "webhookUrl": None,
        "outputUrl": f"{base}/v1/jobs/{job.id}/file" if made else None,
        "outputDuration": result.get("seconds") if made else None,
        "segmentOutputUrl": None,
        "error": error,
        "error_code": code,
    }

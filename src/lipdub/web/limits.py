"""What a studio takes at most."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """The largest file (bytes), uploads under way at a time, the longest film (s), projects, jobs that wait, and the
    largest body of a request without a file (bytes)."""

    upload_bytes: int = 8 * 2**30
    uploads: int = 50
    seconds: float = 4 * 3600.0
    projects: int = 1000
    queued_jobs: int = 200
    body_bytes: int = 4 * 2**20

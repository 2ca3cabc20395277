"""lipdub: make people in existing video say something else, and leave everything else as it was filmed.

    import lipdub
    lipdub.dub("talk.mp4", audio="talk.es.wav", output="talk.es.mp4")
    lipdub.dub("talk.mp4", speech=lipdub.SpeechOptions(script=Path("talk.es.srt")), output="talk.es.mp4")

Nothing heavy is loaded until one of these names is used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

__all__ = [
    "Caller",
    "DubOptions",
    "LineChange",
    "LipdubError",
    "ProjectOptions",
    "Report",
    "SpeechOptions",
    "__version__",
    "dub",
    "dub_languages",
    "open_project",
]

if TYPE_CHECKING:
    from lipdub.errors import LipdubError
    from lipdub.review.report import Report
    from lipdub.studio.caller import Caller
    from lipdub.studio.dub import dub
    from lipdub.studio.languages import dub_languages
    from lipdub.studio.options import DubOptions, SpeechOptions
    from lipdub.studio.project.line_change import LineChange
    from lipdub.studio.project.open_project import ProjectOptions, open_project

_HOMES = {
    "Caller": "lipdub.studio.caller",
    "DubOptions": "lipdub.studio.options",
    "LineChange": "lipdub.studio.project.line_change",
    "LipdubError": "lipdub.errors",
    "ProjectOptions": "lipdub.studio.project.open_project",
    "Report": "lipdub.review.report",
    "SpeechOptions": "lipdub.studio.options",
    "dub": "lipdub.studio.dub",
    "dub_languages": "lipdub.studio.languages",
    "open_project": "lipdub.studio.project.open_project",
}


def __getattr__(name: str) -> Any:
    """Load a public name from its home when it is first used (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module 'lipdub' has no attribute '{name}'")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value

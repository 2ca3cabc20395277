"""The timecode that is embedded in a file: that of its first frame."""

from pathlib import Path

from lipdub.media.container import open_input

_ORDER = {"data": 0, "video": 1}


def embedded_timecode(path: Path) -> str:
    """The timecode of the first frame as the file tells it (``01:00:00:00``, with ``;`` before the frames if some are
    dropped): that of its timecode track, else the tag ``timecode`` of its picture, else that of the file; "" if there
    is none.

    Raises ``InputError`` or ``NotMedia``.
    """
    with open_input(path) as container:
        streams = sorted(container.streams, key=lambda stream: _ORDER.get(stream.type, len(_ORDER)))
        for tags in (*(stream.metadata for stream in streams), container.metadata):
            for name, value in tags.items():
                if name.lower() == "timecode" and value.strip():
                    return value.strip()
    return ""

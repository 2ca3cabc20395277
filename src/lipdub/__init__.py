"""lipdub: make people in existing video say something else, and leave everything else as it was filmed."""

__version__ = "0.1.0"

"""Levels and speech activity of a sound, used by ``sound_to_mouth`` and ``words_to_sound``.

``chunks`` long sound in overlapping chunks · ``level`` levels in rows of 20 ms, and the gain to a level ·
``voice_activity`` the probability of speech · ``speech_spans`` spans of time in which somebody speaks.
"""

import os

# onnxruntime, which some of these modules load, writes a telemetry session into the temporary folder unless this is set
# (since 1.32).
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

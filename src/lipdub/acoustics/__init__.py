"""What a sound is, as far as all rooms of sound agree: how loud it is, and where somebody speaks.

``chunks`` long sound in overlapping chunks · ``level`` loudness row by row, and the gain to a level ·
``voice_activity`` the probability of speech · ``speech_spans`` spans of time in which somebody speaks.
"""

import os

# onnxruntime, which some of these modules load, keeps a telemetry session in the temporary folder unless told not to
# (since 1.32). Nothing here is told to anybody.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

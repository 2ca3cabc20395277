"""Hearing speech, and saying what a mouth must do for it.

``listen`` sound to ``Heard`` (``phones``, ``voice_activity``, ``encoder``, ``energy``, cut by ``pieces``) ·
``spans`` where somebody speaks · ``prior`` from what was heard to mouth shapes · ``design`` its rows of numbers ·
``sync`` is this voice this mouth, and how late · ``lips`` the mouth path of a dub · ``person`` what a clip teaches.

``recognise`` speech to words, and how far they are from a script · ``script`` lines as files, sentences and subtitles.
"""

import os

# onnxruntime, which some of these modules load, keeps a telemetry session in the temporary folder unless told not to
# (since 1.32). Nothing here is told to anybody.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

"""Third stage: the engine makes patches for the mouths of every planned face.

``render`` the stage: a ``Job`` and a ``DubPlan`` in, a ``Take`` for each face out, its patches in a reel
(``render_takes``) or applied to the frames of the film while it is assembled (``Rendering``) · ``patch_check`` what
is found when the patched pictures are looked at again, and its scores.
"""

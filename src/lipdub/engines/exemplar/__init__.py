"""The exemplar engine: mouths that the shot itself shows are warped to the wanted shape and put on the filmed face.

``engine`` implements the seam. ``build_study``, ``stored_study`` and ``library`` are what is stored of a shot.
``shape_model`` says how landmarks move with the mouth shape. ``exemplar_plan`` and ``exemplar_choice`` decide which
filmed mouth is used for which frame. ``frame_renderer``, ``geometry``, ``mouth_masks``, ``warp`` and ``blend`` render
one frame. ``closure_check`` measures closed lips in the result.
"""

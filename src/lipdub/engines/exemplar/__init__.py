"""The exemplar engine: mouths that the clip shows of a person are warped to the wanted shape, on the filmed face.

``engine`` implements the seam. ``crop_file`` and ``crop_collector`` store pictures of mouths while the frames come by;
``build_study``, ``stored_study`` and ``library`` are what is stored of a shot, ``person_pool`` and ``opened_studies``
what is used of a person's other shots. ``shape_model`` says how landmarks move with the mouth shape. ``exemplar_plan``
and ``exemplar_choice`` decide which filmed mouth is used for which frame. ``frame_renderer``, ``geometry``,
``mouth_masks``, ``warp`` and ``blend`` render one frame. ``closure_check`` measures closed lips in the result.
"""

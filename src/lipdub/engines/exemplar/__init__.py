"""The exemplar engine: a shot's own mouths, warped to the wanted shape and laid back onto the filmed face.

``engine`` the seam · ``study``, ``record``, ``library`` what is kept of a shot · ``shape_model`` how landmarks move
with a mouth's shape · ``plan``, ``choose`` which exemplar for which frame · ``render``, ``geometry``, ``lips``,
``warp``, ``blend`` one frame · ``check`` closed lips, looked at again.
"""

"""The anatomy of a face: landmark topology, head pose, mouth shape.

``landmarks`` names for the 478 landmarks · ``pose`` similarity fits and angles · ``shape`` mouth shapes · ``motion``
one face through one shot, with pose and shape separated · ``thumbnail`` small pictures without pose ·
``face_colours`` and ``occluders`` what is before a face.
"""

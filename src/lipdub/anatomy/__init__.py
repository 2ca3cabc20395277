"""What a face is: landmark topology, head pose, the pose-free shape of a mouth. Shared by all crafts.

``landmarks`` names for the 478 points · ``pose`` similarity fits and angles · ``shape`` mouth shapes ·
``motion`` one face through one shot, pose and shape separated.
"""

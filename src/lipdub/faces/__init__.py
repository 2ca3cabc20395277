"""Faces in a clip: where they are, who speaks, and which frames must stay as filmed.

``cuts`` where shots begin · ``preview`` small pictures of frames · ``landmarker`` face detector and landmarks ·
``tracker`` face tracks through shots · ``redetect`` landmarks of a face in a new picture · ``visibility`` which frames
may be changed · ``occluded_rows`` in which something is before the face · ``active_speaker`` who speaks.
"""

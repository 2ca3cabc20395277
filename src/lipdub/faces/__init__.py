"""Faces in a clip: where they are, whose mouth is meant, and which frames must stay as filmed.

``cuts`` where shots begin · ``preview`` small pictures of frames · ``nets`` detector and landmarks · ``track`` faces
through shots · ``eye`` a second look for engines · ``gate`` what must be left alone · ``choose`` who speaks.
"""

"""Containers to arrays and back: nothing else in the house opens a media file.

``probe`` measures a file · ``read`` frames, sound, reading ahead · ``write`` the dubbed clip ·
``container`` opening · ``formats`` planes · ``sight`` RGB of a window · ``listen`` sound as floats ·
``encode`` which encoder · ``lanes`` streams that run beside the picture.
"""

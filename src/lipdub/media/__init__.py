"""Containers to arrays and back: nothing else in the house opens a media file.

Reading: ``container`` opening · ``packets`` from first to last, past damage and over joins · ``frame_times`` when each
frame is shown · ``probe`` measures a file · ``promise`` what it states against what was read · ``read`` frames, reading
ahead · ``listen``, ``sound_blocks`` sound as floats, ``sound_decode`` its frames in time, ``sound_damage`` its losses ·
``formats`` planes · ``sight`` RGB of a window.

Writing: ``write`` the dubbed clip · ``inventory`` what becomes of every stream · ``sidedata``, ``nal`` what pictures
carry · ``encode``, ``encoder_settings`` which encoder, and its settings · ``lanes`` streams beside the picture ·
``dub_track``, ``priming``, ``sound_repair`` the new sound · ``captions`` subtitles inside · ``sound_out`` sound files.
"""

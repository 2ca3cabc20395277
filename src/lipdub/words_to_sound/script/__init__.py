"""Lines as text: ``read`` scripts and subtitles, ``write`` them, ``subtitles`` of what is finally said.

``cues`` the file formats · ``cleaning`` what of a cue is to be said · ``repair`` times that cannot be · ``timed`` lines
without times · ``sentences`` lines out of heard words · ``writing`` how languages join, count and break words.
"""

"""Lines as text: ``read`` scripts and subtitle files, ``write`` them, ``subtitles`` of the finished dub.

``formats`` the file formats · ``cleaning`` text without mark-up, sounds and names · ``repair`` impossible times ·
``place_untimed`` times for lines that have none · ``sentences`` lines out of recognised words · ``orthography`` how
languages join and count words and end sentences · ``row_breaks`` where text may be broken into rows.
"""

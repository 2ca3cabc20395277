"""Speech synthesis: which voice speaks whose lines, and lines as sound.

``choose`` voices as the user names them · ``assign`` a voice for each speaker · ``languages`` which voices speak a
language · ``cloning`` references for voices that clone · ``pitch`` how high a person speaks · ``speak`` lines to sound,
each once · ``speakable_text`` the text that a voice is given · ``trim_and_level`` the same level for all voices ·
``nanotts`` (with ``pico``), ``kokoro``, ``server`` (with ``wav``), ``cloning_servers`` and ``command`` the voices that
ship.
"""

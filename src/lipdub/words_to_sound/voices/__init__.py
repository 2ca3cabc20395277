"""Speech synthesis: which voice speaks whose lines, and lines as sound.

``choose`` voices as the user names them · ``assign`` a voice for each speaker · ``languages`` which voices speak a
language · ``cloning`` references for voices that clone · ``pitch``, ``vocal_tract``, ``speaker_embedding`` how a person
speaks · ``kokoro_choice`` which of kokoro's voices is like a person, ``pitch_and_formants`` moved towards the person ·
``speak`` lines to sound, each once · ``speakable_text`` the text that a voice is given · ``trim_and_level`` the same
level for all voices · ``nanotts`` (with ``pico``), ``kokoro``, ``server`` (with ``wav``), ``cloning_servers`` and
``command`` the voices that ship.
"""

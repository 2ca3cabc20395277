"""Who speaks lines.

``text`` what a voice is given to say · ``finish`` what every voice's sound goes through · ``cast`` who speaks whose
lines · ``spoken`` lines to sound, each spoken once · ``nanotts`` (by ``pico``), ``kokoro``, ``server`` (by ``wav``) and
``command``: the voices that ship.
"""

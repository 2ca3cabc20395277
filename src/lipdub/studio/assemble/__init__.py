"""Fourth stage: source, patches and sound become one film.

``assemble`` the stage: a ``Job``, a ``DubPlan`` and what patches frames in, a ``Film`` out · ``soundtrack`` the dub
track as it came, or the mix · ``music_effects`` the clip's sound without its speech, made by a program.
"""

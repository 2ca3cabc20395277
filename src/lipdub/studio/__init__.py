"""The studio: how a dub is made, in five stages, and how work that was done is kept.

``dub`` the whole, on one screen · ``preflight`` everything is checked · ``analyse``, ``plan``, ``render``,
``assemble``, ``deliver`` the stages, a package each; none imports another · ``sound_steps`` transcribe, translate,
speak by themselves.

The values that go from stage to stage: ``job``, ``analysis``, ``dub_plan``, ``timeline.take``, ``film``. What goes
through all of them: ``session``, with its ``tools``, its ``store``, its ``inputs`` and its ``progress``.
"""

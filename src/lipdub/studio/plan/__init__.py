"""Second stage: what is said, and which mouth follows it when; once for each language.

``plan_dub`` the stage: a ``Job`` and an ``Analysis`` in, a ``DubPlan`` out · ``lines`` what is to be said: a script,
a line, or the clip's own words, recognised and translated · ``dub_speech`` the speech of the dub: brought, or spoken
and fitted · ``fitted_speech`` lines spoken and brought to their time · ``engine_speech`` lines that the engine speaks
· ``speaker_pitch``, ``voice_reference`` how the people in the clip speak · ``speakers`` who speaks when ·
``speaker_names`` whom a script names · ``face_plans`` cues and mouth trajectories.
"""

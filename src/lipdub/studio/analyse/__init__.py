"""First stage: what is known of a source, once, whatever will be said in it.

``analyse`` the stage: a ``Job`` in, an ``Analysis`` out · ``faces`` cuts, face tracks, and what the engine learns of
each face · ``looks`` the best views of each face · ``people`` which faces are one person.
"""

"""The new speech over the old sound: levels, ducking, room tone, loudness, peaks; all in blocks, never a whole film.

Read ``mixing`` first: it tells the story.
"""

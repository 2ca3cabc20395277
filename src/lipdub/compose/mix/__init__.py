"""Mixing the dub with the clip's sound: levels, ducking, room tone, loudness, true peaks; all in blocks.

Read ``mixer`` first.
"""

"""Engines make the new mouth.

``seam`` is the protocol; ``exemplar`` re-uses the clip's own mouths; ``fake`` is for tests.
"""

"""Engines make the new mouth.

``seam`` is the interface and ``find`` looks engines up by name. ``exemplar`` re-uses mouths that the clip itself shows,
``ltx`` generates new pictures with LTX-2.3 Dub-It, ``fake`` is for tests. ``study_arrays`` reads what studies store.
"""

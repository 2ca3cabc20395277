"""The language of the product: small frozen values that every room may speak.

``time`` instants, rates, spans · ``clip`` clip, shot, frame times · ``picture`` frames, windows, looks ·
``face`` face tracks and mouth shapes · ``sound`` sound and what was heard in it · ``cue`` words, lines, cues ·
``take`` takes and reports · ``project`` the manifest on disk · ``spool`` long arrays that live on disk.
"""

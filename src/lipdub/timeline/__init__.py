"""Values that all packages share: small frozen dataclasses about time, media, faces, speech and takes.

``time`` times, rates, spans · ``runs`` runs in arrays · ``clip`` clips, shots, frame times · ``picture`` frames,
windows, pixel layouts · ``colour_matrix`` Y'CbCr and R'G'B' · ``face_track`` faces through shots · ``patch`` face views
and patches · ``mouth`` mouth shapes and trajectories · ``sound``, ``samples``, ``speech_features`` sound and what
analysers make of it · ``lines``, ``said_line``, ``spoken_lines``, ``language``, ``notes`` words to be said · ``cue`` a
line on a face · ``take`` attempts at a cue · ``project`` the project file · ``spool`` long arrays in files ·
``model_used`` models for the report.
"""

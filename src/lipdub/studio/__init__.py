"""The story: in what order the crafts work, and how work already done is kept.

``dub`` the whole · ``study`` first pass · ``cast`` who speaks where, and how the mouth must move ·
``stage`` second pass · ``store`` what was done before · ``progress`` telling how far it is.
"""

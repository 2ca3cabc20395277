"""From sound to mouth: speech features of a sound, and the mouth trajectory that goes with them.

``analyser`` sound to ``SpeechFeatures`` (``phones``, ``encoder``) · ``prior`` from features to mouth shapes ·
``design_matrix`` its rows of numbers · ``sync`` whether this voice is this mouth's, and how late it is ·
``speaker_model`` what a clip teaches about one mouth · ``mouth_trajectory`` what a mouth must do to say a dub.
"""

"""From sound to mouth: speech features of a sound, and the mouth trajectory that goes with them.

``analyser`` sound to ``SpeechFeatures`` (with ``phones`` and ``encoder``) · ``design_matrix`` features as rows for
linear regression · ``prior`` from those rows to mouth shapes, the same for everybody · ``sync`` whether a voice fits a
mouth, and how late it is · ``speaker_model`` what one clip teaches about one mouth · ``mouth_trajectory`` mouth shapes
for a dub.
"""

"""Text to phones, the signs that the voice Kokoro speaks: one front end for each language."""

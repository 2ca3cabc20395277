"""From speech to words.

``whisper`` the recogniser that ships · ``transcribe`` a recogniser on sound of any length · ``word_error_rate`` how far
two texts differ · ``voice_reference`` a speaker's cleanest seconds, for voice cloning · ``channel_speakers`` who speaks
where two people have a channel each.
"""

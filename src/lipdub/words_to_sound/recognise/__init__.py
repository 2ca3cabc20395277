"""From speech to words: ``whisper`` hears them, ``transcribe`` takes it through a long programme.

``languages`` what tags mean for hearing · ``agreement`` how far two texts differ · ``stretch`` a speaker's cleanest
seconds.
"""

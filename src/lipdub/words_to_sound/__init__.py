"""From words to sound: recognised, translated, spoken, and fitted to their time.

``seam`` the protocols ``Recogniser``, ``Translator``, ``Voice`` · ``script`` lines as files, sentences and subtitles ·
``recognise`` speech to words, word error rate, voice references · ``translate`` lines in another language · ``voices``
lines as sound · ``duration_fit`` speech in its time · ``separate`` music and effects by a program · ``service`` servers
and programs · ``fake`` for tests.
"""

"""From words to sound: lines are recognised or read, translated, spoken, and fitted to their time.

``seam`` the protocols ``Recogniser``, ``Translator``, ``Voice`` · ``script`` lines as files, sentences and subtitles ·
``recognise`` speech to words, word error rate, voice references · ``translate`` lines in another language · ``voices``
lines as sound ·
``phones`` text to phones, for voices that need them · ``duration_fit`` speech placed where the source speaks ·
``separate`` music and effects by a program · ``http_service`` requests to servers · ``cache`` results that are computed
once · ``fake`` implementations for tests.
"""

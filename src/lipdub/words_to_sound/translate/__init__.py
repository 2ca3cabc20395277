"""Who puts lines into another language, and how much fits.

``adapt`` asks a translator for every line, and again where it is too long · ``budget`` how long words take ·
``glossary`` how terms are rendered · ``given`` (a translation that was brought), ``openai`` and ``argos``: the
translators that ship.
"""

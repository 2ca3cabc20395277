"""Lines in another language, short enough for their time.

``translate`` all lines, where those that are too long are asked for again · ``length_budget`` how long a text takes to
say · ``glossary`` fixed renderings of terms · ``openai``, ``argos`` and ``command`` the translators
that ship.
"""

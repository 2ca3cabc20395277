"""Sentences that a voice says in the references of training pairs, where no other speech is at hand."""

from collections.abc import Sequence
from fractions import Fraction
from itertools import cycle

from lipdub.timeline.language import primary
from lipdub.timeline.lines import Line
from lipdub.words_to_sound.translate.length_budget import natural_duration

SENTENCES = {
    "es": (
        "Mañana por la mañana abrimos un poco antes.",
        "Mi abuelo plantó este árbol.",
        "Pon el mapa sobre la mesa, por favor.",
        "Hoy no.",
        "Después de la lluvia el camino parece más largo.",
        "¿Quién ha pedido pan y mantequilla?",
    ),
    "en": (
        "We open a little earlier tomorrow morning.",
        "My brother planted both of these apple trees.",
        "Please put the map back on the table.",
        "Not today.",
        "After the rain the path seems much longer.",
        "Who asked for bread and butter?",
    ),
    "fr": (
        "Demain matin nous ouvrons un peu plus tôt.",
        "Mon père a planté ces deux pommiers.",
        "Pose la carte sur la table, s'il te plaît.",
        "Pas aujourd'hui.",
        "Après la pluie le chemin semble plus long.",
        "Qui a demandé du pain et du beurre ?",
    ),
}
"""By language, long and short ones, with closed lips in most."""


def other_language(language: str) -> str:
    """A language of ``SENTENCES`` that is not ``language``."""
    return next(tag for tag in SENTENCES if tag != primary(language))


def other_lines(spans: Sequence[Line], language: str, first: int = 0) -> list[Line]:
    """Lines in ``language`` for the times of ``spans``, each about as long to say as its time; ``first`` is the number
    of the sentence to begin with."""
    sentences = cycle(SENTENCES[language])
    for _ in range(first % len(SENTENCES[language])):
        next(sentences)
    out = []
    for line in spans:
        text, wanted = next(sentences), line.span.duration
        while natural_duration(text, language) < wanted * Fraction(3, 4):
            text = f"{text} {next(sentences)}"
        out.append(Line(text, line.span, language))
    return out

"""The signs that Kokoro knows, and their numbers (from the published configuration of the model)."""

from collections.abc import Sequence

_RUNS = (
    (1, ";:,.!?"),
    (9, "—…\"()“” \u0303ʣʥʦʨᵝ\uab67AI"),
    (31, "O"), (33, "Q"), (35, "ST"), (39, "W"), (41, "Y"),
    (42, "ᵊabcdef"),
    (50, "hijklmnopqrstuvwxyzɑɐɒæ"),
    (75, "βɔɕ"), (78, "ç"), (80, "ɖðʤə"), (85, "ɚɛɜ"), (90, "ɟ"), (92, "ɡ"), (99, "ɥ"), (101, "ɨɪʝ"), (110, "ɯɰŋɳɲɴø"),
    (118, "ɸθœ"), (123, "ɹ"), (125, "ɾɻ"), (128, "ʁɽʂʃʈʧ"), (135, "ʊʋ"), (138, "ʌɣɤ"), (142, "χʎ"), (147, "ʒʔ"),
    (156, "ˈˌː"), (162, "ʰ"), (164, "ʲ"), (169, "↓"), (171, "→↗↘"), (177, "ᵻ"),
)  # fmt: skip
NUMBERS = {sign: first + i for first, signs in _RUNS for i, sign in enumerate(signs)}
"""Sign to number. 0 is the mark before and after a text."""


def tokens(phones: str) -> Sequence[int]:
    """The numbers of the signs of ``phones``; unknown signs are left out."""
    return tuple(NUMBERS[sign] for sign in phones if sign in NUMBERS)


def unknown_signs(phones: str) -> str:
    """The signs of ``phones`` that the voice does not know, each once, in order."""
    return "".join(dict.fromkeys(sign for sign in phones if sign not in NUMBERS))

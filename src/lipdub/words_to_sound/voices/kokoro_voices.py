"""Kokoro's voices: which languages they speak, in which order they are given to people, and their pitch."""

VOICES = {
    "en-US": (
        "af_heart",
        "am_michael",
        "af_bella",
        "am_fenrir",
        "af_nicole",
        "am_puck",
        "af_alloy",
        "af_aoede",
        "af_jessica",
        "af_kore",
        "af_nova",
        "af_river",
        "af_sarah",
        "af_sky",
        "am_adam",
        "am_echo",
        "am_eric",
        "am_liam",
        "am_onyx",
        "am_santa",
    ),
    "en-GB": (
        "bf_emma",
        "bm_george",
        "bf_isabella",
        "bm_fable",
        "bf_alice",
        "bf_lily",
        "bm_daniel",
        "bm_lewis",
    ),
    "es-ES": (
        "ef_dora",
        "em_alex",
        "em_santa",
    ),
    "fr-FR": ("ff_siwis",),
    "hi-IN": (
        "hf_alpha",
        "hm_omega",
        "hf_beta",
        "hm_psi",
    ),
    "it-IT": (
        "if_sara",
        "im_nicola",
    ),
    "ja-JP": (
        "jf_alpha",
        "jm_kumo",
        "jf_gongitsune",
        "jf_nezumi",
        "jf_tebukuro",
    ),
    "pt-BR": (
        "pf_dora",
        "pm_alex",
        "pm_santa",
    ),
    "zh-CN": (
        "zf_xiaoxiao",
        "zm_yunxi",
        "zf_xiaobei",
        "zm_yunjian",
        "zf_xiaoni",
        "zf_xiaoyi",
        "zm_yunxia",
        "zm_yunyang",
    ),
}
"""Names by language. The first letter tells the language, the second f (woman) or m (man). The first ones of a language
are those that the makers rate best, a woman and a man in turn."""

MIXED = {
    "es-ES": ("ef_dora+if_sara", "em_alex+im_nicola"),
    "fr-FR": ("im_nicola+ff_siwis", "ff_siwis+if_sara"),
    "it-IT": ("if_sara+ef_dora", "im_nicola+em_alex"),
    "pt-BR": ("pf_dora+if_sara", "pm_alex+im_nicola"),
}
"""More voices for languages that have few: the mean of two styles, one of them of another language.

They are understood as well as the language's own: over eight sentences whisper-base has the same errors, or one or two
of 80 words more or fewer; with the French man, four more of 87.
"""

PITCHES = {
    "af_alloy": 144,
    "af_aoede": 175,
    "af_bella": 199,
    "af_heart": 203,
    "af_jessica": 211,
    "af_kore": 152,
    "af_nicole": 140,
    "af_nova": 160,
    "af_river": 184,
    "af_sarah": 208,
    "af_sky": 161,
    "am_adam": 132,
    "am_echo": 110,
    "am_eric": 157,
    "am_fenrir": 146,
    "am_liam": 132,
    "am_michael": 113,
    "am_onyx": 88,
    "am_puck": 120,
    "am_santa": 248,
    "bf_alice": 229,
    "bf_emma": 185,
    "bf_isabella": 209,
    "bf_lily": 200,
    "bm_daniel": 131,
    "bm_fable": 123,
    "bm_george": 145,
    "bm_lewis": 92,
    "ef_dora": 179,
    "em_alex": 136,
    "em_santa": 109,
    "ff_siwis": 206,
    "hf_alpha": 211,
    "hf_beta": 187,
    "hm_omega": 135,
    "hm_psi": 141,
    "if_sara": 223,
    "im_nicola": 91,
    "jf_alpha": 262,
    "jf_gongitsune": 232,
    "jf_nezumi": 234,
    "jf_tebukuro": 325,
    "jm_kumo": 87,
    "pf_dora": 181,
    "pm_alex": 144,
    "pm_santa": 130,
    "zf_xiaobei": 231,
    "zf_xiaoni": 230,
    "zf_xiaoxiao": 229,
    "zf_xiaoyi": 284,
    "zm_yunjian": 136,
    "zm_yunxi": 167,
    "zm_yunxia": 275,
    "im_nicola+ff_siwis": 150,
    "ef_dora+if_sara": 202,
    "em_alex+im_nicola": 116,
    "ff_siwis+if_sara": 219,
    "if_sara+ef_dora": 199,
    "im_nicola+em_alex": 113,
    "pf_dora+if_sara": 201,
    "pm_alex+im_nicola": 115,
    "zm_yunyang": 136,
}
"""Median pitch of each voice in hertz (measured with ``voices.pitch`` on one sentence)."""


def tag_of(name: str) -> str | None:
    """The language of the voice called ``name``; None if there is no such voice."""
    return next((tag for tag, names in VOICES.items() if name in names), None)

"""Marks of punctuation of East Asia, as the marks that the voice knows."""

ASIAN_MARKS = {
    "。": ".", "．": ".", "、": ",", "，": ",", "！": "!", "？": "?", "：": ":", "；": ";", "…": "…", "（": "(", "）": ")",
    ",": ",", ".": ".", "!": "!", "?": "?", ":": ":", ";": ";",
}  # fmt: skip

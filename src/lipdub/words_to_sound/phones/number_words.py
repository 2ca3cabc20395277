"""What written_numbers.py needs to know of each language: decimal sign, months, currencies, units, abbreviations."""

from collections.abc import Callable
from dataclasses import dataclass

Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class NumberWords:
    """Words and signs of a ``language`` for numbers.

    ``decimal`` is the sign of decimals and ``point`` its name; ``gap`` divides words (space, or nothing); ``also`` is
    said between units and hundredths of a price; ``first`` is the first of a month ("": as other days). ``units``,
    ``ordinals`` and ``abbreviations`` hold regular expressions and what is said for them (for an ordinal: its gender).
    ``percent`` holds {} for the number; ``letters`` are the names of a to z ("": capitals are not spelled).
    ``date`` takes day, month and year in words, ``time`` the hour, the minute ("": none) and the hour as a number.
    """

    language: str
    decimal: str
    point: str
    percent: str
    minus: str
    months: tuple[str, ...]
    currencies: tuple[tuple[str, tuple[str, str, str]], ...]
    date: Callable[[str, str, str], str]
    time: Callable[[str, str, int], str]
    units: Pairs = ()
    ordinals: Pairs = ()
    abbreviations: Pairs = ()
    also: str = ""
    first: str = ""
    gap: str = " "
    letters: str = ""

    def joint(self, said: str) -> str:
        """``said`` with spaces around it where the language has them."""
        return f" {said} " if self.gap else said


def _units(**names: str) -> Pairs:
    signs = {"kmh": "km/h", "percelsius": "°\\s?C", "fahrenheit": "°\\s?F", "degree": "°"}
    return tuple((signs.get(key, key), name) for key, name in names.items())


def _small(pairs: dict[str, str]) -> Pairs:
    return tuple((rf"(?<![^\W\d_]){short}(?![^\W\d_])", full) for short, full in pairs.items())


_EN = NumberWords(
    "en", ".", "point", "{} percent", "minus",
    tuple("January February March April May June July August September October November December".split()),
    (("\\$", ("dollar", "dollars", "cents")), ("€", ("euro", "euros", "cents")), ("£", ("pound", "pounds", "pence")),
     ("¥", ("yen", "yen", "sen"))),
    lambda day, month, year: f"{month} {day}, {year}",
    lambda hour, minute, n: f"{hour} {minute}" if minute else f"{hour} o'clock",
    _units(kmh="kilometers per hour", km="kilometers", kg="kilograms", cm="centimeters", mm="millimeters", m="meters",
           percelsius="degrees Celsius", fahrenheit="degrees Fahrenheit", degree="degrees", mph="miles per hour", ft="feet"),
    ((r"\b(\d+)(?:st|nd|rd|th)\b", ""),),
    _small({r"Mr\.": "Mister", r"Mrs\.": "Missus", r"Ms\.": "Miz", r"Dr\.": "Doctor", r"St\.(?= [A-Z])": "Saint", r"vs\.?": "versus",
            r"e\.g\.": "for example", r"i\.e\.": "that is", r"etc\.?": "et cetera", r"Prof\.": "Professor", "&": "and",
            r"No\. ?(?=\d)": "number "}),
    also="and ",
    letters="ay bee see dee ee eff jee aitch eye jay kay ell em en oh pee cue are ess tee you vee double_you ex why zee",
)  # fmt: skip
_ES = NumberWords(
    "es", ",", "coma", "{} por ciento", "menos",
    tuple("enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre".split()),
    (("\\$", ("dólar", "dólares", "centavos")), ("€", ("euro", "euros", "céntimos")), ("£", ("libra", "libras", "peniques"))),
    lambda day, month, year: f"{day} de {month} de {year}",
    lambda hour, minute, n: f"{_feminine_es(hour)} y {minute}" if minute else f"{_feminine_es(hour)} en punto",
    _units(kmh="kilómetros por hora", km="kilómetros", kg="kilos", cm="centímetros", mm="milímetros", m="metros",
           percelsius="grados", degree="grados"),
    ((r"\b(\d+)\.?[ºo°](?!\w|C)", "masculine"), (r"\b(\d+)\.?ª", "feminine")),
    _small({r"[Ss]r\.": "señor", r"[Ss]ra\.": "señora", r"[Ss]rta\.": "señorita", r"[Dd]r\.": "doctor", r"[Dd]ra\.": "doctora",
            r"[Uu]d\.": "usted", r"[Uu]ds\.": "ustedes", r"EE\. ?UU\.?": "Estados Unidos", r"etc\.?": "etcétera", r"p\. ?ej\.": "por ejemplo",
            "&": "y", r"[Nn]úm\.": "número", r"[Pp]ág\.": "página"}),
    also="con ", first="uno",
    letters="a be ce de e efe ge hache i jota ka ele eme ene o pe cu erre ese te u uve uve_doble equis i_griega zeta",
)  # fmt: skip
_FR = NumberWords(
    "fr", ",", "virgule", "{} pour cent", "moins",
    tuple("janvier février mars avril mai juin juillet août septembre octobre novembre décembre".split()),
    (("\\$", ("dollar", "dollars", "cents")), ("€", ("euro", "euros", "centimes")), ("£", ("livre", "livres", "pence"))),
    lambda day, month, year: f"{day} {month} {year}",
    lambda hour, minute, n: f"{'une' if n == 1 else hour} {'heure' if n < 2 else 'heures'} {minute}".strip(),
    _units(kmh="kilomètres à l'heure", km="kilomètres", kg="kilos", cm="centimètres", mm="millimètres", m="mètres",
           percelsius="degrés", degree="degrés"),
    ((r"\b(1)er\b", "masculine"), (r"\b(1)re\b", "feminine"), (r"\b(\d+)(?:e|ème|ième|ᵉ)\b", "masculine")),
    _small({r"MM\.": "messieurs", r"M\.(?= )": "monsieur", r"Mme\.?": "madame", r"Mlle\.?": "mademoiselle", r"[Dd]r\.?(?= [A-ZÉ])": "docteur",
            r"etc\.?": "et cætera", r"p\. ?ex\.": "par exemple", "&": "et", r"[Nn]°": "numéro", r"[Ss]t-": "saint-", r"[Ss]te-": "sainte-"}),
    first="premier",
    letters="a bé cé dé eux effe gé ache i ji ka elle emme enne o pé ku erre esse té u vé doublevé ixe igrec zède",
)  # fmt: skip
_IT = NumberWords(
    "it", ",", "virgola", "{} per cento", "meno",
    tuple("gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre".split()),
    (("\\$", ("dollaro", "dollari", "centesimi")), ("€", ("euro", "euro", "centesimi")), ("£", ("sterlina", "sterline", "penny"))),
    lambda day, month, year: f"{day} {month} {year}",
    lambda hour, minute, n: f"{hour} e {minute}" if minute else f"{hour} in punto",
    _units(kmh="chilometri all'ora", km="chilometri", kg="chili", cm="centimetri", mm="millimetri", m="metri",
           percelsius="gradi", degree="gradi"),
    ((r"\b(\d+)[º°](?!\s?C)", "masculine"), (r"\b(\d+)ª", "feminine")),
    _small({r"[Ss]ig\.ra": "signora", r"[Ss]ig\.": "signor", r"[Dd]ott\.ssa": "dottoressa", r"[Dd]ott\.": "dottor", r"[Pp]rof\.": "professor",
            r"ecc\.?": "eccetera", r"es\.": "esempio", "&": "e"}),
    also="e ", first="primo",
    letters="a bi ci di e effe gi acca i i_lunga kappa elle emme enne o pi cu erre esse ti u vu doppia_vu ics ipsilon zeta",
)  # fmt: skip
_PT = NumberWords(
    "pt", ",", "vírgula", "{} por cento", "menos",
    tuple("janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro dezembro".split()),
    (("R\\$", ("real", "reais", "centavos")), ("\\$", ("dólar", "dólares", "centavos")), ("€", ("euro", "euros", "cêntimos")),
     ("£", ("libra", "libras", "pence"))),
    lambda day, month, year: f"{day} de {month} de {year}",
    lambda hour, minute, n: f"{_feminine_pt(hour)} e {minute}" if minute else f"{_feminine_pt(hour)} horas",
    _units(kmh="quilômetros por hora", km="quilômetros", kg="quilos", cm="centímetros", mm="milímetros", m="metros",
           percelsius="graus", degree="graus"),
    ((r"\b(\d+)\.?[ºo°](?!\w|C)", "masculine"), (r"\b(\d+)\.?ª", "feminine")),
    _small({r"[Ss]r\.": "senhor", r"[Ss]ra\.": "senhora", r"[Dd]r\.": "doutor", r"[Dd]ra\.": "doutora", r"etc\.?": "etcétera",
            r"p\. ?ex\.": "por exemplo", "&": "e", r"[Nn]º": "número"}),
    also="e ", first="primeiro",
    letters="a bê cê dê é efe gê agá i jota cá ele eme ene ó pê quê erre esse tê u vê dáblio xis ípsilon zê",
)  # fmt: skip
_HI = NumberWords(
    "hi", ".", "दशमलव", "{} प्रतिशत", "माइनस",
    tuple("जनवरी फ़रवरी मार्च अप्रैल मई जून जुलाई अगस्त सितंबर अक्तूबर नवंबर दिसंबर".split()),
    (("₹", ("रुपया", "रुपये", "पैसे")), ("\\$", ("डॉलर", "डॉलर", "सेंट")), ("€", ("यूरो", "यूरो", "सेंट"))),
    lambda day, month, year: f"{day} {month} {year}",
    lambda hour, minute, n: f"{hour} बजकर {minute} मिनट" if minute else f"{hour} बजे",
    _units(kmh="किलोमीटर प्रति घंटा", km="किलोमीटर", kg="किलो", percelsius="डिग्री", degree="डिग्री"),
    ((r"(\d+)वा[ँं]", "masculine"), (r"(\d+)वी[ँं]", "feminine")),
    _small({r"डॉ\.": "डॉक्टर", r"श्री\.": "श्री"}),
)  # fmt: skip
_JA = NumberWords(
    "ja", ".", "点", "{}パーセント", "マイナス",
    tuple(f"{n}月" for n in "一 二 三 四 五 六 七 八 九 十 十一 十二".split()),
    (("¥", ("円", "円", "銭")), ("\\$", ("ドル", "ドル", "セント")), ("€", ("ユーロ", "ユーロ", "セント"))),
    lambda day, month, year: f"{year}年{month}{day}日",
    lambda hour, minute, n: f"{hour}時{minute}分" if minute else f"{hour}時",
    _units(kmh="キロ", km="キロメートル", kg="キログラム", cm="センチ", m="メートル", percelsius="度", degree="度"),
    gap="",
)  # fmt: skip
_ZH = NumberWords(
    "zh", ".", "点", "百分之{}", "负",
    tuple(f"{n}月" for n in "一 二 三 四 五 六 七 八 九 十 十一 十二".split()),
    (("[¥￥]", ("元", "元", "分")), ("\\$", ("美元", "美元", "美分")), ("€", ("欧元", "欧元", "欧分"))),
    lambda day, month, year: f"{year}年{month}{day}日",
    lambda hour, minute, n: f"{hour}点{minute}分" if minute else f"{hour}点",
    _units(kmh="公里每小时", km="公里", kg="公斤", cm="厘米", m="米", percelsius="摄氏度", degree="度"),
    gap="",
)  # fmt: skip


def _feminine_es(hour: str) -> str:
    return "una" if hour == "uno" else hour.replace("veintiuno", "veintiuna")


def _feminine_pt(hour: str) -> str:
    return {"um": "uma", "dois": "duas", "vinte e um": "vinte e uma", "vinte e dois": "vinte e duas"}.get(hour, hour)


WORDS = {words.language: words for words in (_EN, _ES, _FR, _IT, _PT, _HI, _JA, _ZH)}
"""By language."""

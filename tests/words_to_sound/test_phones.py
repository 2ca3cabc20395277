"""Text to phones: every front end by the same suite, and by words whose pronunciation is known."""

import pytest

from lipdub import weights
from lipdub.errors import OptionError, WeightsError
from lipdub.words_to_sound.phones import english
from lipdub.words_to_sound.phones.chinese import syllable
from lipdub.words_to_sound.phones.front_ends import LANGUAGES, front_end
from lipdub.words_to_sound.phones.japanese import kana_phones
from lipdub.words_to_sound.phones.lexicon import phones_of, read_lexicon
from lipdub.words_to_sound.phones.vocabulary import NUMBERS, tokens, unknown_signs
from words_to_sound.phones_conformance import FrontEndConformance
from words_to_sound.tiny_kokoro import write_kokoro

LATIN = "abcdefghijklmnopqrstuvwxyz"


@pytest.fixture(scope="module")
def kokoro_folder(tmp_path_factory):
    folder = write_kokoro(tmp_path_factory.mktemp("phones") / "kokoro")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(weights, "present", lambda name, say=weights.log: folder)
        english._lexica.cache_clear()
        front_end.cache_clear()
        yield folder
    english._lexica.cache_clear()
    front_end.cache_clear()


class TestSpanish(FrontEndConformance):
    sentence, question, letters = "Los niños jugaban en el jardín.", "¿Dónde está el perro?", LATIN + "áéíóúñü"

    @pytest.fixture(scope="class")
    @classmethod
    def end(cls):
        return front_end("es-ES")


class TestFrench(FrontEndConformance):
    sentence, question, letters = "Les enfants aiment l'été.", "Où êtes-vous allés ?", LATIN + "éèêëàâçùûîïôœ"

    @pytest.fixture(scope="class")
    @classmethod
    def end(cls):
        return front_end("fr-FR")


class TestItalian(FrontEndConformance):
    sentence, question, letters = "Perché la città è così bella.", "Dove vai stasera?", LATIN + "àèéìòù"

    @pytest.fixture(scope="class")
    @classmethod
    def end(cls):
        return front_end("it-IT")


class TestPortuguese(FrontEndConformance):
    sentence, question, letters = "As crianças não estão em casa.", "Onde você mora?", LATIN + "áéíóúâêôãõàç"

    @pytest.fixture(scope="class")
    @classmethod
    def end(cls):
        return front_end("pt-BR")


class TestHindi(FrontEndConformance):
    sentence, question, letters = "मेरा नाम राम है।", "आप कहाँ जा रहे हैं?", "कखगघचछजझटठडढणतथदधनपफबभमयरलवशषसहािीुूेैोौं्ँअआइ"

    @pytest.fixture(scope="class")
    @classmethod
    def end(cls):
        return front_end("hi-IN")


class TestChinese(FrontEndConformance):
    sentence, question, letters = "今天天气很好。", "你去哪里？", "今天气很好你去哪里图书馆"

    @pytest.fixture(scope="class")
    @classmethod
    def end(cls):
        pytest.importorskip("rjieba")
        pytest.importorskip("pypinyin")
        return front_end("zh-CN")


class TestJapanese(FrontEndConformance):
    sentence, question, letters = "今日はとても寒いです。", "どこへ行きますか？", "今日はとても寒いですっんャー三本"

    @pytest.fixture(scope="class")
    @classmethod
    def end(cls):
        pytest.importorskip("janome")
        return front_end("ja-JP")


class TestEnglish(FrontEndConformance):
    sentence, question, letters = "This is a longer sentence.", "Which word is it?", LATIN

    @pytest.fixture(scope="class")
    @classmethod
    def end(cls, kokoro_folder):
        return front_end("en-US")


@pytest.mark.parametrize(
    ("tag", "text", "phones"),
    [
        ("es", "guerra", "ɡˈera"),
        ("es", "pingüino", "pˌiŋɡuˈino"),
        ("es", "ciudad", "θjuðˈad"),
        ("es", "jóvenes", "xˈoβenes"),
        ("es", "un vaso", "ˈum bˈaso"),
        ("es", "la gente dice", "la xˈente ðˈiθe"),
        ("es", "fácilmente", "fˌaθilmˈente"),
        ("it", "tavola", "tˈavola"),
        ("it", "parlano", "pˈarlano"),
        ("it", "italiano", "italjˈano"),
        ("it", "città", "ʧitːˈa"),
        ("it", "famiglia", "famˈiʎa"),
        ("it", "vederlo", "vedˈerlo"),
        ("it", "prenderlo", "prˈɛnderlo"),
        ("it", "l'amico", "lamˈiko"),
        ("it", "zio", "ʣˈio"),
        ("pt", "dia", "ʤˈiæ"),
        ("pt", "manhã", "mɐ̃ɲˈɐ̃"),
        ("pt", "exame", "ˌezˈɐ̃my"),
        ("pt", "as meninas", "az mˌenˈinæs"),
        ("pt", "corações", "kˌoɾasˈo\u0303js"),
        ("fr", "les amis", "lez amˈi"),
        ("fr", "les héros", "le eʁˈo"),
        ("fr", "ils parlent", "il pˈaʁl"),
        ("fr", "un parent", "œ̃ paʁˈɑ̃"),
        ("fr", "bon ami", "bɔn amˈi"),
        ("fr", "ils appartiennent", "ilz apaʁtjˈɛn"),
        ("fr", "les hiboux", "le ibˈu"),
        ("fr", "une demi-heure", "yn dəmjˈœʁ"),
        ("fr", "Est-ce que tu viens ?", "ɛs kə ty vjˈɛ̃?"),
        ("fr", "vingt-deux, quatre-vingt-deux", "vˈɛ̃tdˈø, kˈatʁvˈɛ̃dˈø"),
        ("fr", "plus tard, pas plus", "ply tˈaʁ, pa plˈy"),
        ("fr", "depuis hier, depuis", "dəpyˌi jˈɛʁ, dəpyˈi"),
        ("fr", "la situation, le client, une preuve", "la sityasjˈɔ̃, lə kliˈɑ̃, yn pʁˈøv"),
        ("fr", "une montagne, la compagnie, il gagnait", "yn mɔ̃tˈaɲ, la kɔ̃panˈi, il ɡanjˈɛ"),
        ("fr", "aujourd'hui", "oʒuʁdyˈi"),
        ("fr", "il y a de l'eau", "il i a də lˈo"),
        ("hi", "लड़का", "lˈʌrkaː"),
        ("hi", "कमल", "kˈʌməl"),
        ("hi", "हिन्दी", "hˈɪndi"),
        ("hi", "ठीक", "ʈʰˈiːk"),
        ("hi", "पक्का", "pˈʌkːaː"),
        ("hi", "समय", "sˈʌmɛj"),
        ("hi", "संसद", "sˈʌnsəd"),
        ("hi", "ज्ञान", "ɡjˈaːn"),
    ],
)
def test_known_words(tag, text, phones):
    assert front_end(tag).phones(text) == phones


@pytest.mark.parametrize(
    ("text", "phones"),
    [
        ("She read it.", "ʃi ɹˈɛd ɪt."),
        ("Read it.", "ɹˈid ɪt."),
        ("She has read it.", "ʃi hæz ɹˈɛd ɪt."),
        ("the apple, the word", "ði ˈæpᵊl, ðə wˈɜɹd"),
        ("to record", "tə ɹəkˈɔɹd"),
        ("cats walked", "kˈæts wˈɔkt"),
        ("waiting", "wˈAɾɪŋ"),
        ("houseboat", "hˈWsbˌOt"),
        ("word's", "wˈɜɹdz"),
    ],
)
def test_english_words(kokoro_folder, text, phones):
    assert front_end("en-US").phones(text) == phones


def test_unknown_english_words_are_read_by_their_letters(kokoro_folder):
    assert front_end("en").phones("blorfing").startswith("bl")
    assert front_end("en").phones("Zelenskyy")
    assert front_end("en").phones("naïve") == front_end("en").phones("naive")


def test_english_without_its_lexica_says_how_to_get_them(monkeypatch):
    monkeypatch.setattr(weights, "present", lambda name, say=weights.log: None)
    english._lexica.cache_clear()
    with pytest.raises(WeightsError, match="weights fetch kokoro"):
        english.English().phones("hello")


def test_syllables_of_mandarin():
    said = {s: syllable(s) for s in ("hao3", "zhi1", "xue2", "yuan4", "ma5", "lü4", "er2", "jiong3", "?")}
    assert said == {
        "hao3": "xau↓", "zhi1": "ꭧɨ→", "xue2": "ɕɥe↗", "yuan4": "ɥɛ↘n", "ma5": "ma", "lü4": "ly↘", "er2": "ɚ↗",
        "jiong3": "ʨjʊ↓ŋ", "?": "",
    }  # fmt: skip


def test_kana():
    assert kana_phones("トーキョー") == "toːkʲoː"
    assert kana_phones("ガッコー") == "ɡaʔkoː"
    assert kana_phones("シャシン") == "ɕaɕiN"
    assert kana_phones("ティー") == "tʲiː"


def test_counts_in_japanese_change_their_sounds():
    pytest.importorskip("janome")
    assert front_end("ja").phones("一本、三本、二本。") == "iʔpoɴ, samboɴ, ɲihoɴ."


def test_japanese_is_read_in_kana():
    pytest.importorskip("janome")
    from lipdub.words_to_sound.phones.japanese import as_kana

    assert as_kana("東京へ2回、行った。") == "トーキョーエニカイ、イッタ。"


@pytest.mark.parametrize(
    ("text", "kana"),
    [
        ("四年生、四年間、三分前、一人前", "ヨネンセイ、ヨネンカン、サンプンマエ、イチニンマエ"),
        ("二日前、十四日、一月一日", "フツカマエ、ジューヨッカ、イチガツツイタチ"),
        ("一か月、三軒、百本、百歳", "イッカゲツ、サンゲン、ヒャッポン、ヒャクサイ"),
        ("十分です。十分間、二十分です", "ジューブンデス。ジュップンカン、ニジュップンデス"),
        ("八百屋、八百円", "ヤオヤ、ハッピャクエン"),
        ("休みの間、寝ている間に、五日間、間に合う", "ヤスミノアイダ、ネテイルアイダニ、イツカカン、マニアウ"),
        ("店が開く、本を開く", "ミセガアク、ホンヲヒラク"),
        ("別々、来られる、来た", "ベツベツ、コラレル、キタ"),
    ],
)
def test_japanese_words_are_read_by_what_stands_beside_them(text, kana):
    pytest.importorskip("janome")
    from lipdub.words_to_sound.phones.japanese import as_kana

    assert as_kana(text) == kana


def test_every_language_has_a_front_end():
    assert set(LANGUAGES) == {"en", "es", "fr", "hi", "it", "ja", "pt", "zh"}
    with pytest.raises(KeyError):
        front_end("de")


def test_the_vocabulary_is_that_of_the_model():
    assert len(NUMBERS) == len(set(NUMBERS.values())) == 114
    assert (NUMBERS[";"], NUMBERS["ə"], NUMBERS["ˈ"], NUMBERS["ᵻ"]) == (1, 83, 156, 177)
    assert tokens("aé b") == (43, 16, 44)
    assert unknown_signs("aéébé") == "é"


def test_a_lexicon_goes_before_the_rules(tmp_path, kokoro_folder):
    path = tmp_path / "names.tsv"
    path.write_text("# names\n\nKokoro\tkˈOkəɹO\nbuenos días\t/bwˈenos ðˈias/\n", "utf-8")
    lexicon = read_lexicon(path)
    assert phones_of("Which word is KOKORO?", "en-US", lexicon) == "wˌɪʧ wˈɜɹd ɪz kˈOkəɹO?"
    assert phones_of("Kokoro's word", "en-US", lexicon) == "kˈOkəɹOz wˈɜɹd"
    assert phones_of("Buenos días, Ana.", "es-ES", lexicon) == "bwˈenos ðˈias, ˈana."
    assert phones_of("Kokorota", "es-ES", lexicon) == front_end("es").phones("Kokorota")


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"word phones", "line 1"), (b"a\tb\nword\tqq4", "line 2.*4"), (b"\xff\xfe", "cannot be read")],
)
def test_a_wrong_lexicon_is_refused(tmp_path, content, said):
    path = tmp_path / "names.tsv"
    path.write_bytes(content)
    with pytest.raises(OptionError, match=said):
        read_lexicon(path)

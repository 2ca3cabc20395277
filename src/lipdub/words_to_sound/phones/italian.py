"""Italian spelling to phones by its rules. The stress of a word without an accent is on the last syllable but one,
unless its ending or the list says that it is one earlier; e and o are open or closed by ending and position."""

import re
from collections.abc import Sequence

from lipdub.words_to_sound.phones.phrases import phones_by_phrase
from lipdub.words_to_sound.phones.spelling_rules import SpellingRules
from lipdub.words_to_sound.phones.syllables import PRIMARY, SECONDARY, stressed

_UNSTRESSED = frozenset(
    "a ad ai al agli alla alle allo col con coi d da dal dai dalla dalle dallo dagli de dei degli del dell della dello"
    " delle di e ed fra gli i il in l la le lo ma mi nei negli nel nell nella nelle nello ne o od per se si su sui sul"
    " sulla sulle sullo sugli ti tra un una uno vi ci ce te me c s t m v n un' che".split()
)
_WEAKER = frozenset("alla dalla della dello delle nella nelle sulla sulle quella quello quelle questa questo".split())

_EARLY = re.compile(
    "(?:[ai]bil[ei]|evol[ei]|[ei]sim[oaie]|issim[oaie]|olog[oaie]|ologhi|ograf[oaie]|metr[oi]|[aeiou]fon[oi]"
    "|col[oaie]|[bcdfgmnrs]ul[oaie]|ic[oa]|iche|[bdglmnrst]ici|[aei]gin[eio]|udin[ei]|edin[ei]"
    "|[aei]van[oi]|[aei]ron[oi]|[aeio]sser[oi]|ebber[oi]|[ai]ssim[oi]|[^aeiou]im[oaie]|id[oa]|(?:[aeiou]|gli|qu|gu)ono"
    "|[^aeiou]ere|gliere|[^aeiou]ono|ane[oaie]|onom[oaie]|ogen[oaie]|isc?ono|crat[eiao]|[oi]dromo"
    "|entano|[ai]ncano|uano|izzano|egg?iano|iscano|ergono|[eo]stano|angono|udono|[iou]l[oi]tano|eguono|iuti?mo"
    "|eran[oi]|osit[oi]|egrafo|at[oi]ri_|it[ou]rno_|odi[oc]o|avolo|ottero|igero|[aeio]ndol[oi]|gel[oi])$"
)
"""Endings of words with the stress on the last syllable but two."""

_LATE_WORDS = frozenset(
    "amico amica amici amiche nemico nemica nemici nemiche antico antica antichi antiche fatica fatiche formica rubrica"
    " ubriaco lombrico mendico pudico avere sapere vedere potere dovere volere tenere piacere sedere temere rimanere"
    " cadere godere tacere valere parere mantenere ottenere prevedere possedere contenere sostenere appartenere"
    " ritenere trattenere rivedere provvedere dispiacere permanere scadere accadere decadere bere intere"
    " severe sincere vere nere galere primavere pantere mistere sono buono tono dono suono trono perdono abbandono"
    " frastuono patrono matrimono colono carbono prono concime sublime regime primo prima primi prime concimo"
    " felici infelici radici vernici cornici consigliere consigliera ingegnere nicola esprime dieci meretrici attrici"
    " decido decide divido sorrido uccido coincido incido diciamo federico enrico ludovico dico dica fico"
    " attrice avo nipotina perito infermita quesito infinito"
    " vicino vicina mattino bambino marito capolavoro ritmo mimo cima rima lima esprima stima"
    " mattone divano invano nido grido grida corrida sfida guida guido fidi".split()
)
_EARLY_WORDS = frozenset(
    "tramite specifici scientifici pacifici anticipo anticipi desideri elena recupero recuperi giacomo sciopero scioperi"
    " cellula cellule farmaco farmaci partecipa partecipi meriti debiti perdite pagano riguardano mostrano vennero"
    " sintomo sintomi supera superano davide profugo profughi arabo arabi scusami auguro nucleo eredita erediti"
    " compiere cambiano scambiano pregiano mettono dipinsero vinsero presero chiesero"
    " risposero decisero misero dissero videro ebbero nacquero scrissero piacquero morirono"
    " video periodo periodi seguito dollaro dollari proposito analisi esercito eserciti metodo metodi fenomeno fenomeni"
    " genova napoli singolo singola singoli singole angelo angeli padova modena ipotesi cinema reddito redditi veneto"
    " epoca occupa occupano laurea svizzera svizzero obbligo obblighi stefano merita considera considero cronaca"
    " prestito prestiti dibattito dibattiti nomina origini indagini abito abiti esteri estero estera comodo comoda"
    " autobus cesare caratteri canada super forum album leader computer partner standard festival gratis open server"
    " manager network record virus bonus ovest social internet referendum marketing tessere"
    " cattolico scientifico esplicito implicito deposito transito esito crepita abita recita prodigo "
    " sintesi genesi protesi parentesi diagnosi prognosi sinonimi camera camere pascolo interprete"
    " interpreti vincita replica repliche"
    " portatile tattile rettile volatile versatile andarsene rendersene   "
    " chiedersi sceglierne stupido vescovi asino mormora celebra celebrano integra integro"
    " penetra semina semino semini cimice pomice salice calice calici forbice forbici codice codici"
    " apice appendice vortice carnefice artefice orefice pontefice complice complici duplice triplice molteplice"
    " vimini bamboli bergamo taranto otranto trapani brindisi empoli ascoli rimini cagliari sassari"
    " imola tivoli lepanto barbara debora monica angela cristoforo telemaco"
    " menomo magnifico indebita evita evito evitano visito limita limitano dedito"
    " scatola scatole tavola tavole tavolo tavoli regola regole favola favole pentola pentole bambola bambole isola isole"
    " fragola fragole gondola popolo popoli titolo titoli capitolo capitoli angolo angoli diavolo debole deboli"
    " utile utili inutile inutili facile facili difficile difficili simile simili fragile fragili agile docile mobile"
    " mobili immobile automobile automobili nobile nobili sterile umile fertile missile missili"
    " numero numeri libero libera liberi libere albero alberi povero povera poveri povere camera camere lettera lettere"
    " opera opere tenero tenera genero genere generi zucchero macchina macchine pagina pagine ordine ordini origine"
    " immagine immagini termine termini uomini giovane giovani subito spirito debito credito merito ambito limite limiti"
    " solito solita soliti compito compiti semplice semplici medico codice codici giudice giudici indice vertice cenere"
    " principe principi martire essere tessera polvere polveri rovere carcere zingaro barbaro lacrima lacrime anima"
    " anime vittima vittime ultimo ultima ultimi ultime crimine crimini femmina femmine nomini domina argine fulmine"
    " vergine margine margini cardine asino asini ospite ospiti vescovo monaco stomaco sindaco maniaco"
    " vedova vedovo scapolo cavolo cavoli nuvola nuvole nuvolo mandorla tegola briciola lucciola virgola spatola"
    " bibita bibite nascita crescita perdita visita visite vendita vendite rendita gomito gomiti fegato sabato"
    " platano organo organi asparago sandalo scandalo scandali dialogo catalogo prologo chilometro"
    " telefono telefona telefonano microfono italico musica politica fisica pratica tecnica logica parlano cantano"
    " portano entrano arrivano mandano trovano lasciano cercano giocano pensano guardano ascoltano aspettano mangiano"
    " comprano lavorano diventano aiutano restano tornano usano amano chiamano contano costano durano imparano"
    " iniziano insegnano passano parano preparano provano raccontano ricordano sembrano sentano sperano"
    " studiano suonano tirano toccano viaggiano vogliano abbiano possano vengano facciano dicano sappiano"
    " abitano coltivano desiderano dimenticano partecipano segnalano significano telefonano visitano"
    " erano tolgano indicano dedicano applicano pubblicano comunicano considerano esercitano meritano dubitano"
    " linea linee area aree aereo aerei aerea idoneo crateri cattedra cattedre celebre funebre lugubre tenebre palpebra"
    " palpebre polizza pollice pulpito rettile rondine sedano sicomoro silice simbolo simboli stimolo stimoli tempera"
    " tunica undici dodici tredici quattordici quindici sedici unico unica unici uniche"
    " edicola pillola pillole gracile incudine abitudine moltitudine grandine pecora pecore"
    " vipera cenere dattero vomere ebano cofano garofano pelago naufrago tragico lecito illecito tacito fradicio"
    " prefabbrica fabbrica fabbriche carica carico modifica modifico verifica"
    " scarico pubblico pubblica psicologo astrologo sinonimo anonimo pseudonimo eroico"
    " collera maschera maschere arbitro arbitri attimo attimi battito prezzemolo seguito"
    " premere attico manico panico domenica domeniche vivono dipendono"
    " ventesimo decimo settimo centesimo prossimo prossima prossimi prossime massimo massima minimo minima intimo"
    " ottimo ottima ottimi ottime pessimo pessima infimo"
    " scorrere correre".split()
)
_I_STRESSED = re.compile(
    "(?:crazi[ae]|logi[ae]|grafi[ae]|nomi[ae]|sofi[ae]|pati[ae]|metri[ae]|mani[ae]|cheri[ae]|ett?eri[ae]|lleri[ae]|iceri[ae]|oleri[ae]|gneri[ae]|rceri[ae]|breri[ae]|anteri[ae]"
    "|umeri[ae]|cci?eri[ae])$"
)
_I_STRESSED_WORDS = frozenset(
    "zio zia zii zie mio mia miei mie dio dii via vie spia spie scia bugia bugie magia energia energie allergia nostalgia"
    " strategia strategie chirurgia economia economie compagnia compagnie allegria periferia periferie batteria batterie"
    " farmacia farmacie polizia pulizia pulizie malattia malattie democrazia burocrazia garanzia garanzie follia gelosia"
    " fantasia fantasie poesia poesie ipocrisia cortesia autopsia simpatia antipatia terapia terapie utopia"
    " fotografia geografia biografia filosofia teoria teorie categoria categorie armonia sinfonia agonia ironia"
    " mania pazzia razzia romania turchia ungheria lombardia normandia pendio addio rinvio"
    " invio avvio desio oblio calpestio mormorio fruscio leggio ronzio brusio scintillio trattoria lotteria"
    " osteria pizzeria libreria gelateria panetteria segreteria galleria gallerie abbazia idrovia ferrovia"
    " ferrovie autovia sia sii siano dia stia vescovia anarchia monarchia gerarchia sodomia".split()
)
_NO_STRESS_I = frozenset(
    "germania campania materia materie miseria miserie serie feria ferie artéria arteria arterie".split()
)

_LETTERS = SpellingRules(
    (
        ("[h']", ""),
        ("sci(?=[aouàòù])|sc(?=[eièéì])", "ʃ"),
        ("cci(?=[aouàòù])|cc(?=[eièéì])", "ʧː"),
        ("ci(?=[aouàòù])|c(?=[eièéì])", "ʧ"),
        ("ggi(?=[aouàòù])|gg(?=[eièéì])", "ʤː"),
        ("gi(?=[aouàòù])|g(?=[eièéì])", "ʤ"),
        ("gli(?=[aeouàèéòù])", "ʎ"),
        ("gl(?=[iì])", "ʎ"),
        ("(?<=[aeiouàèéìòù])gn", "ɲ ɲ"),
        ("gn", "ɲ"),
        ("cqu", "kː w"),
        ("qu", "k w"),
        ("(?:cc|ck|kk)h?", "kː"),
        ("gg", "ɡː"),
        ("ch|c|k|q", "k"),
        ("gu(?=[aeioàèéìò])", "ɡ w"),
        ("g", "ɡ"),
        ("ss", "S"),
        ("(?<=[aeiouàèéìòù])s(?=[aeiouàèéìòù])|s(?=[bdglmnrv])", "z"),
        ("s", "s"),
        ("(?<=me)zz|(?<=az)zurr|(?<=ga)zz|(?<=ra)zz(?=o)", "ʣː"),
        ("zz", "ʦː"),
        ("^z", "ʣ"),
        ("z", "ʦ"),
        ("rr", "r ɾ"),
        ("r", "r"),
        *((f"{c}{c}", f"{c}ː") for c in "pbtd"),
        *((c, c) for c in "pbtdfvlmn"),
        ("j|y", "i"),
        ("w", "w"),
        ("x", "k s"),
        *((c, c) for c in "aeiouàèéìòùíóúá"),
    )
)
_VOWELS = "aeiouàèéìòùíóúá"
_ACCENTS = dict(zip("àèéìòùíóúá", "aɛeiɔuioua", strict=True))


class Italian:
    """The front end of it."""

    languages = ("it",)

    def phones(self, text: str) -> str:
        """The phones of ``text``."""
        return phones_by_phrase(text, _phrase)


def _phrase(words: Sequence[str]) -> Sequence[str]:
    out = []
    for word in words:
        parts = [part for part in re.split("'", word) if part]
        out.append("".join(_word(part, elided=i < len(parts) - 1) for i, part in enumerate(parts)))
    return out


_EXCEPTIONS = {
    "paura": "paˈʊra", "paure": "paˈʊre", "paolo": "pˈaolo", "paola": "pˈaola", "caos": "kˈaos", "maria": "marˈia",
    "facebook": "fˈAsbʊk", "youtube": "jutˈub", "online": "onlˈIn", "computer": "kompjˈuter", "twitter": "twˈitːer",
    "windows": "wˈindos", "business": "bˈiznes", "privacy": "prˈIvasɪ", "okay": "okˈA", "email": "imˈAl",
    "weekend": "wikˈend", "show": "ʃˈo", "leader": "lˈider", "account": "akːˈWnt", "streaming": "strˈimɪnɡ",
    "siano": "sˈiano", "olimpiadi": "olimpˈiadɪ", "gratuito": "ɡratˈʊito", "gratuita": "ɡratˈʊita", "circuito": "ʧirkˈʊito", "jeans": "ʤˈins",
    "tuttavia": "tʊtːavˈia", "ossia": "oSˈia", "agenzia": "aʤenʦˈia", "agenzie": "aʤenʦˈie", "software": "sˈɔftwer",
}  # fmt: skip


def _word(word: str, elided: bool = False) -> str:
    if word in _EXCEPTIONS:
        return _EXCEPTIONS[word]
    phones, vowels, accent = _sounds(word)
    if not vowels:
        return "".join(phones)
    if (word in _UNSTRESSED and word not in _WEAKER) or elided:
        return _reduced("".join(phones))
    primary = accent if accent >= 0 else _place(word, len(vowels))
    phones = _open_or_closed(word, phones, vowels, primary, accent >= 0)
    text = _reduced(stressed(phones, vowels, primary, secondary=primary >= 3))
    return text.replace(PRIMARY, SECONDARY) if word in _WEAKER else text


_CLITIC = re.compile("(?!.*(?:iv|^p|^v|^t|em|inv|av)ersi$)(.+er)(?:[smcv]i|l[oaie]|ne|gli)")


def _place(word: str, syllables: int) -> int:
    """The number of the stressed syllable of a word without an accent."""
    if word in _EARLY_WORDS:
        return max(syllables - 3, 0)
    if word[-1] not in _VOWELS:
        return syllables - 1 if word[-1] in "rnl" else max(syllables - 2, 0)
    if re.search("[aeo]i$", word):
        return syllables - 1
    early = word not in _LATE_WORDS and _EARLY.search(word) is not None
    base = _CLITIC.fullmatch(word)
    if base and syllables > 2:
        early = base[1] + "e" not in _LATE_WORDS and _EARLY.search(base[1] + "e") is not None
    return max(syllables - (3 if early else 2), 0)


def _sounds(word: str) -> tuple[list[str], list[int], int]:
    """The phones of ``word``, the indices of the vowels, and the number of the one with an accent (-1: none)."""
    letters = _LETTERS(word)
    phones: list[str] = []
    vowels: list[int] = []
    accent = -1
    spoken = sum(letter in _VOWELS for letter in letters)
    hiatus = word in _I_STRESSED_WORDS or (word not in _NO_STRESS_I and _I_STRESSED.search(word) is not None)
    hiatus = hiatus or (spoken == 2 and word[-1] not in _ACCENTS)
    for i, letter in enumerate(letters):
        ahead = letters[i + 1] if i + 1 < len(letters) else ""
        before = phones[-1] if phones else ""
        last = i == len(letters) - 2
        if letter not in _VOWELS:
            phones.append(letter)
        elif letter in "iu" and ahead and ahead in _VOWELS and not (hiatus and last) and before not in ("w", "j", "ʊ"):
            light = "i" if letter == "i" else "ʊ"
            glide = "j" if letter == "i" else "w" if before in ("", "k", "kː", "ɡ") else "ʊ"
            phones.append(light if last and vowels and ahead in "aou" else glide)
        elif letter in "iu" and before in ("a", "e", "o") and ahead not in tuple(_VOWELS):
            phones.append("i" if letter == "i" else "ʊ")  # the second half of a diphthong: mai, poi, auto
        else:
            accent = len(vowels) if letter in _ACCENTS else accent
            vowels.append(len(phones))
            phones.append(_ACCENTS.get(letter, letter))
    return phones, vowels, accent


_CLOSED_E = re.compile(
    "(?:ment[ei]|ett[oaie]|ezz[ae]|esc[oaie]|ess[aeio]|evol[ei]|emmo|este|ere|ese|esi|esa|eva|evano|ete|ena|ello_|egn[oaie]|erla|erlo|er[ae]|el[ae]|eno|ere)$"
)
_CLOSED_O = re.compile(
    "(?:ore|ori|ora|one|oni|os[oaie]|ond[oaie]|ont[eio]|ogn[oaie]|olt[oaie]|ong[oa]|ono|ombr[ae]|om[ei]|ott[oaie]_|osc[eio]|orn[oaie]|ors[oaie]|or[oe]|ove|opr[ae]|ol[eo])$"
)


def _open_or_closed(word: str, phones: list[str], vowels: list[int], primary: int, marked: bool) -> list[str]:
    """``phones`` with the stressed e and o open, unless the ending says that they are closed."""
    out, at = list(phones), vowels[primary]
    early = primary < len(vowels) - 2
    if marked or primary == len(vowels) - 1 or word in _WEAKER:
        return out
    if out[at] == "e" and (early or not _CLOSED_E.search(word) or (at and out[at - 1] == "j")):
        out[at] = "ɛ"
    if out[at] == "o" and (early or not _CLOSED_O.search(word) or (at and out[at - 1] in ("w", "ʊ"))):
        out[at] = "ɔ"
    return out


def _reduced(phones: str) -> str:
    """Unstressed i at the end and unstressed u become weaker."""
    phones = re.sub(r"(?<![ˈˌaeoɛɔ])i$", "ɪ", phones)
    return re.sub(r"(?<![ˈˌ])u", "ʊ", phones)

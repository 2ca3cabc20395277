"""French words that the rules of spelling read wrongly, and classes of words for stress and liaison."""

# fmt: off
EXCEPTIONS = {
    "a": "a", "à": "a", "y": "i", "le": "lə", "la": "la", "les": "le", "des": "de", "du": "dy", "ces": "se", "mes": "me",
    "tes": "te", "ses": "se", "et": "e", "est": "ɛ", "es": "ɛ", "ai": "e", "eu": "y", "eus": "y", "eut": "y",
    "eue": "y", "un": "œ̃", "une": "yn", "au": "o", "aux": "o", "où": "u", "ou": "u", "que": "kə", "qui": "ki",
    "ce": "sə", "se": "sə", "me": "mə", "te": "tə", "ne": "nə", "de": "də", "je": "ʒə", "lui": "lɥi", "pas": "pa",
    "femme": "fam", "femmes": "fam", "monsieur": "məsjø", "messieurs": "mesjø", "madame": "madam", "août": "ut",
    "oignon": "ɔnjɔ̃", "second": "səɡɔ̃", "seconde": "səɡɔ̃d", "secondes": "səɡɔ̃d", "ville": "vil", "mille": "mil",
    "village": "vilaʒ", "villages": "vilaʒ", "tranquille": "tʁɑ̃kil", "tranquillement": "tʁɑ̃kilmɑ̃", "million": "miljɔ̃",
    "millions": "miljɔ̃", "milliard": "miljaʁ", "milliards": "miljaʁ", "millier": "milje", "milliers": "milje",
    "lille": "lil", "fils": "fis", "six": "sis", "dix": "dis", "sept": "sɛt", "huit": "ɥit", "neuf": "nœf",
    "cinq": "sɛ̃k", "vingt": "vɛ̃", "vingts": "vɛ̃", "cent": "sɑ̃", "cents": "sɑ̃", "plus": "ply", "tous": "tus",
    "hier": "jɛʁ", "mer": "mɛʁ", "cher": "ʃɛʁ", "chers": "ʃɛʁ", "fier": "fjɛʁ", "hiver": "ivɛʁ", "enfer": "ɑ̃fɛʁ",
    "fer": "fɛʁ", "ver": "vɛʁ", "vers": "vɛʁ", "amer": "amɛʁ", "cancer": "kɑ̃sɛʁ", "super": "sypɛʁ", "travers": "tʁavɛʁ",
    "envers": "ɑ̃vɛʁ", "univers": "ynivɛʁ", "divers": "divɛʁ", "concert": "kɔ̃sɛʁ", "leader": "lidœʁ",
    "clef": "kle", "pied": "pje", "pieds": "pje", "assied": "asje", "tabac": "taba", "estomac": "ɛstoma", "porc": "pɔʁ",
    "blanc": "blɑ̃", "franc": "fʁɑ̃", "banc": "bɑ̃", "donc": "dɔ̃k", "parc": "paʁk", "parcs": "paʁk", "arc": "aʁk",
    "œufs": "ø", "bœufs": "bø", "œuf": "œf", "temps": "tɑ̃", "longtemps": "lɔ̃tɑ̃", "printemps": "pʁɛ̃tɑ̃", "corps": "kɔʁ",
    "sens": "sɑ̃s", "os": "ɔs", "ours": "uʁs", "mars": "maʁs", "bus": "bys", "autobus": "otobys", "virus": "viʁys",
    "campus": "kɑ̃pys", "bonus": "bonys", "gens": "ʒɑ̃", "lors": "lɔʁ", "alors": "alɔʁ", "hélas": "elas", "tennis": "tenis",
    "jadis": "ʒadis", "oasis": "oazis", "atlas": "atlas", "express": "ɛkspʁɛs", "faisons": "fəzɔ̃", "faisait": "fəzɛ",
    "faisais": "fəzɛ", "faisaient": "fəzɛ", "faisant": "fəzɑ̃", "aiguille": "eɡɥij", "linguistique": "lɛ̃ɡɥistik",
    "chaos": "kao", "chœur": "kœʁ", "chorale": "koʁal", "écho": "eko", "orchestre": "ɔʁkɛstʁ", "chronique": "kʁonik",
    "automne": "otɔn", "condamner": "kɔ̃dane", "condamné": "kɔ̃dane", "compter": "kɔ̃te", "compte": "kɔ̃t",
    "comptes": "kɔ̃t", "compté": "kɔ̃te", "comptait": "kɔ̃tɛ", "comptable": "kɔ̃tabl", "sculpture": "skyltyʁ",
    "sculpteur": "skyltœʁ", "baptême": "batɛm", "exact": "ɛɡzakt", "exacte": "ɛɡzakt", "direct": "diʁɛkt",
    "correct": "koʁɛkt", "impact": "ɛ̃pakt", "contact": "kɔ̃takt", "contacts": "kɔ̃takt", "strict": "stʁikt", "net": "nɛt",
    "intellect": "ɛ̃telɛkt", "christ": "kʁist", "ouest": "wɛst", "pays": "pɛi", "paysan": "pɛizɑ̃", "paysans": "pɛizɑ̃",
    "paysage": "pɛizaʒ", "paysages": "pɛizaʒ", "abbaye": "abei", "poêle": "pwal", "examen": "ɛɡzamɛ̃",
    "examens": "ɛɡzamɛ̃", "album": "albɔm", "forum": "foʁɔm", "maximum": "maksimɔm", "minimum": "minimɔm", "rhum": "ʁɔm",
    "parfum": "paʁfœ̃", "fusil": "fyzi", "outil": "uti", "outils": "uti", "gentil": "ʒɑ̃ti", "gentils": "ʒɑ̃ti",
    "sourcil": "suʁsi", "persil": "pɛʁsi", "avril": "avʁil", "fil": "fil", "cil": "sil", "mil": "mil",
    "aujourd'hui": "oʒuʁdɥi", "quelqu'un": "kɛlkœ̃", "quelques-uns": "kɛlkəzœ̃", "deuxième": "døzjɛm", "sixième": "sizjɛm",
    "dixième": "dizjɛm", "gars": "ɡa", "galop": "ɡalo", "trop": "tʁo", "beaucoup": "boku", "coup": "ku", "coups": "ku",
    "drap": "dʁa", "champ": "ʃɑ̃", "champs": "ʃɑ̃", "camp": "kɑ̃", "sirop": "siʁo", "stop": "stɔp", "cap": "kap",
    "club": "klœb", "sud": "syd", "nord": "nɔʁ", "david": "david", "madrid": "madʁid", "internet": "ɛ̃tɛʁnɛt",
    "week": "wik", "end": "ɛnd", "football": "futbol", "jazz": "ʤaz", "gaz": "ɡaz", "quiz": "kwiz", "chez": "ʃe", "nez": "ne",
    "riz": "ʁi", "assez": "ase", "jean": "ʒɑ̃", "jeans": "ʤin", "paris": "paʁi", "reims": "ʁɛ̃s", "bruxelles": "bʁysɛl",
    "soixante": "swasɑ̃t", "soixantaine": "swasɑ̃tɛn", "auxiliaire": "oksiljɛʁ", "taxi": "taksi", "mexique": "mɛksik",
    "dessus": "dəsy", "dessous": "dəsu", "au-dessus": "odsy", "ressource": "ʁəsuʁs", "ressources": "ʁəsuʁs",
    "ressembler": "ʁəsɑ̃ble", "ressemble": "ʁəsɑ̃bl", "ennemi": "ɛnmi", "ennemis": "ɛnmi", "solennel": "sɔlanɛl",
    "ancien": "ɑ̃sjɛ̃", "anciens": "ɑ̃sjɛ̃", "rien": "ʁiɛ̃", "bien": "bjɛ̃", "combien": "kɔ̃bjɛ̃", "science": "sjɑ̃s",
    "client": "kliɑ̃", "clients": "kliɑ̃", "oui": "wi", "non": "nɔ̃", "si": "si", "dont": "dɔ̃", "dans": "dɑ̃", "très": "tʁɛ",
    "elle": "ɛl", "elles": "ɛl", "il": "il", "ils": "il", "sont": "sɔ̃", "ont": "ɔ̃", "leur": "lœʁ", "leurs": "lœʁ",
    "sur": "syʁ", "pour": "puʁ", "par": "paʁ", "avec": "avɛk", "sans": "sɑ̃", "sous": "su", "entre": "ɑ̃tʁ", "ni": "ni",
    "notre": "notʁ", "votre": "votʁ", "ceux": "sø", "peut": "pø", "peux": "pø", "veut": "vø", "veux": "vø", "deux": "dø",
    "peu": "pø", "jeu": "ʒø", "jeux": "ʒø", "feu": "fø", "bleu": "blø", "mieux": "mjø", "lieu": "ljø", "jeudi": "ʒødi",
    "jeune": "ʒøn", "jeunes": "ʒøn", "seul": "sœl", "seule": "sœl", "neveu": "nəvø", "oreille": "oʁɛj", "ail": "aj",
    "œil": "œj", "yeux": "jø", "cœur": "kœʁ", "cœurs": "kœʁ", "sœur": "sœʁ", "sœurs": "sœʁ", "œuvre": "œvʁ",
    "œuvres": "œvʁ", "vœux": "vø", "nœud": "nø", "euro": "øʁo", "euros": "øʁo", "europe": "øʁɔp", "dame": "dam",
    "chrétien": "kʁetjɛ̃", "soutien": "sutjɛ̃", "entretien": "ɑ̃tʁətjɛ̃", "maintien": "mɛ̃tjɛ̃", "quotidien": "kotidjɛ̃",
    "partie": "paʁti", "parties": "paʁti", "sortie": "sɔʁti", "question": "kɛstjɔ̃", "questions": "kɛstjɔ̃",
    "gestion": "ʒɛstjɔ̃", "métier": "metje", "entier": "ɑ̃tje", "entière": "ɑ̃tjɛʁ", "moitié": "mwatje", "pitié": "pitje",
    "amitié": "amitje", "chantier": "ʃɑ̃tje", "quartier": "kaʁtje", "volontiers": "volɔ̃tje", "huitième": "ɥitjɛm",
    "septième": "sɛtjɛm", "tien": "tjɛ̃", "tiens": "tjɛ̃", "mien": "mjɛ̃", "sien": "sjɛ̃", "hein": "ɛ̃", "ah": "a", "oh": "o",
    "eh": "e", "bonjour": "bɔ̃ʒuʁ", "merci": "mɛʁsi", "juin": "ʒɥɛ̃", "suis": "sɥi", "puis": "pɥi", "depuis": "dəpɥi",
    "nuit": "nɥi", "fruit": "fʁɥi", "bruit": "bʁɥi", "juillet": "ʒɥijɛ", "cuiller": "kɥijɛʁ", "cuillère": "kɥijɛʁ",
    "pluie": "plɥi", "loi": "lwa", "voix": "vwa", "noix": "nwa", "choix": "ʃwa", "fois": "fwa", "mois": "mwa",
    "bois": "bwa", "doigt": "dwa", "doigts": "dwa", "froid": "fʁwa", "poids": "pwa", "oiseau": "wazo", "oiseaux": "wazo",
    "maïs": "mais", "noël": "nɔɛl", "naïf": "naif", "égoïste": "eɡɔist", "haïr": "aiʁ", "israël": "isʁaɛl",
    "thé": "te", "pharmacie": "faʁmasi", "démocratie": "demɔkʁasi", "initiative": "inisjativ", "initial": "inisjal",
    "initiale": "inisjal", "essentiel": "esɑ̃sjɛl", "partial": "paʁsjal", "spatial": "spasjal", "nation": "nasjɔ̃",
    "vingtaine": "vɛ̃tɛn", "plomb": "plɔ̃", "concept": "kɔ̃sɛpt", "concepts": "kɔ̃sɛpt", "brut": "bʁyt", "turc": "tyʁk",
    "turcs": "tyʁk", "district": "distʁikt", "déficit": "defisit", "adam": "adɑ̃", "gilles": "ʒil", "villa": "vila",
    "facebook": "fɛsbuk", "google": "ɡuɡl", "weekend": "wikɛnd", "business": "biznɛs", "show": "ʃo", "cool": "kul", "top": "tɔp",
    "web": "wɛb", "max": "maks", "alcool": "alkɔl", "lyon": "ljɔ̃", "montréal": "mɔ̃ʁeal", "montpellier": "mɔ̃pəlje", "but": "byt",
    "souhait": "swɛ", "souhaits": "swɛ", "souhaite": "swɛt", "souhaiter": "swete", "souhaité": "swete", "souhaitez": "swete",
    "video": "video", "tiers": "tjɛʁ", "processus": "pʁosesys", "néanmoins": "neɑ̃mwɛ̃", "lesquels": "lekɛl",
    "lesquelles": "lekɛl", "desquels": "dekɛl", "auxquels": "okɛl", "auxquelles": "okɛl", "vis": "vi", "dis": "di",
    "secondaire": "səɡɔ̃dɛʁ", "hyper": "ipɛʁ", "inter": "ɛ̃tɛʁ", "master": "mastɛʁ", "clip": "klip", "design": "dizajn",
    "diagnostic": "djaɡnɔstik", "benjamin": "bɛ̃ʒamɛ̃", "job": "ʤɔb", "agenda": "aʒɛ̃da", "revers": "ʁəvɛʁ", "pervers": "pɛʁvɛʁ",
    "consensus": "kɔ̃sɑ̃sys", "handicap": "ɑ̃dikap", "basket": "baskɛt", "ticket": "tikɛ", "autochtone": "otoktɔn",
    "instinct": "ɛ̃stɛ̃", "interview": "ɛ̃tɛʁvju", "média": "medja", "trans": "tʁɑ̃s", "ressent": "ʁəsɑ̃", "équation": "ekwasjɔ̃",
    "manager": "manaʤɛʁ", "laser": "lazɛʁ", "poster": "pɔstɛʁ", "michael": "mikaɛl", "jérusalem": "ʒeʁyzalɛm", "baptiste": "batist",
    "condamnation": "kɔ̃danasjɔ̃", "condamne": "kɔ̃dan", "compteur": "kɔ̃tœʁ", "comptent": "kɔ̃t", "comptant": "kɔ̃tɑ̃", "rap": "ʁap",
    "cannabis": "kanabis", "danemark": "danmaʁk", "munich": "mynik", "oeufs": "ø", "lacs": "lak", "mix": "miks", "félix": "feliks",
    "vraisemblable": "vʁɛsɑ̃blabl", "technologie": "tɛknoloʒi", "foot": "fut", "zoo": "zo", "equipe": "ekip", "vietnam": "vjɛtnam",
    "accent": "aksɑ̃", "accents": "aksɑ̃", "tom": "tɔm", "wagon": "vaɡɔ̃", "pop": "pɔp", "hop": "ɔp", "fan": "fan",
    "fans": "fan", "immense": "imɑ̃s", "parmi": "paʁmi", "parking": "paʁkiŋ", "clown": "klun", "clowns": "klun",
    "étions": "etjɔ̃", "portions": "pɔʁtjɔ̃", "pouvions": "puvjɔ̃", "gâteau": "ɡato", "gâteaux": "ɡato", "grand": "ɡʁɑ̃", "loin": "lwɛ̃", "moins": "mwɛ̃", "point": "pwɛ̃", "soin": "swɛ̃",
    "besoin": "bəzwɛ̃", "pomme": "pɔm", "homme": "ɔm", "hommes": "ɔm", "comme": "kɔm", "comment": "kɔmɑ̃", "bonne": "bɔn",
    "monde": "mɔ̃d", "maison": "mɛzɔ̃", "raison": "ʁɛzɔ̃", "saison": "sɛzɔ̃", "gagne": "ɡaɲ", "signal": "siɲal",
    "premier": "pʁəmje", "dernier": "dɛʁnje", "première": "pʁəmjɛʁ", "dernière": "dɛʁnjɛʁ", "miel": "mjɛl", "ciel": "sjɛl",
    "fière": "fjɛʁ", "hôtel": "otɛl", "quel": "kɛl", "quels": "kɛl", "quelle": "kɛl", "cette": "sɛt", "cet": "sɛt",
    "aucun": "okœ̃", "chacun": "ʃakœ̃", "lundi": "lœ̃di", "brun": "bʁœ̃", "commun": "kɔmœ̃", "quoi": "kwa", "pourquoi": "puʁkwa",
    "châtaignier": "ʃatɛɲe", "aquarium": "akwaʁjɔm", "équateur": "ekwatœʁ", "quatre": "katʁ", "vieil": "vjɛj",
    "vieille": "vjɛj", "vieilles": "vjɛj", "mettre": "mɛtʁ", "être": "ɛtʁ", "été": "ete", "fête": "fɛt", "tête": "tɛt",
    "événement": "evenmɑ̃", "médecin": "medəsɛ̃", "crier": "kʁie", "oublier": "ublie", "février": "fevʁie", "pire": "piʁ",
    "ouvrier": "uvʁie", "ouvriers": "uvʁie", "prier": "pʁie", "janvier": "ʒɑ̃vje", "soleil": "solɛj", "appareil": "apaʁɛj",
    "rail": "ʁaj", "détail": "detaj", "portail": "pɔʁtaj", "lit": "li", "mort": "mɔʁ", "port": "pɔʁ", "sport": "spɔʁ",
    "moyen": "mwajɛ̃", "citoyen": "sitwajɛ̃", "citoyens": "sitwajɛ̃", "loyer": "lwaje", "âge": "aʒ", "rouge": "ʁuʒ",
    "ambigu": "ɑ̃biɡy", "fatigué": "fatiɡe", "guerre": "ɡɛʁ", "langue": "lɑ̃ɡ", "longue": "lɔ̃ɡ", "bague": "baɡ",
    "nouvelle": "nuvɛl", "danger": "dɑ̃ʒe", "léger": "leʒe", "étranger": "etʁɑ̃ʒe", "boulanger": "bulɑ̃ʒe", "hors": "ɔʁ",
    "dehors": "dəɔʁ", "plusieurs": "plyzjœʁ", "ailleurs": "ajœʁ", "toujours": "tuʒuʁ", "parcours": "paʁkuʁ",
    "discours": "diskuʁ", "secours": "səkuʁ", "cours": "kuʁ", "jours": "ʒuʁ", "toutefois": "tutfwa", "parfois": "paʁfwa",
    "quelquefois": "kɛlkəfwa", "autrefois": "otʁəfwa", "dès": "dɛ", "procès": "pʁosɛ", "succès": "syksɛ", "accès": "aksɛ",
    "progrès": "pʁɔɡʁɛ", "après": "apʁɛ", "près": "pʁɛ", "auprès": "opʁɛ", "excès": "ɛksɛ", "forêt": "foʁɛ", "intérêt": "ɛ̃teʁɛ",
    "arrêt": "aʁɛ", "prêt": "pʁɛ", "bientôt": "bjɛ̃to", "plutôt": "plyto", "tôt": "to", "côté": "kote", "côte": "kot",
    "heure": "œʁ", "demi-heure": "dəmjœʁ", "heures": "œʁ", "quelque": "kɛlkə", "quelques": "kɛlkə", "lorsque": "lɔʁskə", "puisque": "pɥiskə",
    "presque": "pʁɛskə", "jusque": "ʒyskə", "zone": "zon", "zones": "zon", "grosse": "ɡʁos", "grosses": "ɡʁos", "paul": "pɔl",
    "rose": "ʁɔz", "chose": "ʃɔz", "médecine": "medəsin", "recevoir": "ʁəsəvwaʁ", "fosse": "fos", "enivrer": "ɑ̃nivʁe",
}
"""Words and their phones, without the mark of stress."""

UNSTRESSED = frozenset(
    "a à y le la les des du de un une et ou où que qui ce ces cet cette se me te ne je tu il elle ils elles on nous vous en"
    " au aux est es sont ont ai as mon ma mes ton ta tes son sa ses notre nos votre vos leur leurs par pour sur dans avec sans"
    " sous mais ni or car dont d l qu très plus près quand dès pas peu chez chaque contre entre ça comme trop tout toute"
    " toutes eux vers autre autres faut quel quelle quels quelles".split()
)
"""Words without a stress of their own, unless they end a phrase."""

HALF_STRESSED = frozenset(
    "aussi depuis avant encore alors rien moi toi lui après jamais toujours voici voilà ainsi suis cela ceci beaucoup assez"
    " mieux comment pourquoi quelque quelques lorsque puisque".split()
)
"""Words with a weak stress, unless they end a phrase."""

LIAISON = {
    **dict.fromkeys(
        "les des ces mes tes ses nos vos leurs nous vous ils elles aux quelques plusieurs certains certaines petits petites"
        " grands grandes bons bonnes beaux belles nouveaux nouvelles vieux vieilles autres premiers premières deux trois dans"
        " chez sans sous très plus moins quels quelles mauvais mauvaises anciens anciennes tes ceux vingts cents jeunes"
        " derniers dernières longs longues gros grosses divers multiples aucuns".split(), "z"),
    **dict.fromkeys("est sont ont petit grand tout quand cent vingt fait était avait peut doit vont font".split(), "t"),
    "c'est": "t", "qu'est": "t", "n'est": "t", "s'est": "t", "six": "siz", "dix": "diz", "neuf": "nœf",
    **dict.fromkeys("un aucun mon ton son en on rien bien".split(), "n"),
    "bon": "bɔn", "premier": "pʁəmjɛʁ", "dernier": "dɛʁnjɛʁ", "ancien": "ɑ̃sjɛn", "moyen": "mwajɛn", "tous": "tuz",
}
"""Words that are bound to a vowel: by a consonant that is added to their phones, or with these phones."""

ASPIRATED = frozenset(
    "haut hauts haute hautes hauteur héros hibou honte honteux huit huitième onze onzième oui hasard haricot haricots hâte"
    " haïr haine handicap handicapé hors hollande hollandais hongrie hongrois halte hameau hamster hanche hanches harceler"
    " harcèlement hareng haie haies hache halle halles hangar harpe hausse hausses heurter hisser hockey homard housse hurler"
    " hutte yaourt yacht western week hall harnais hiérarchie hobby huer huée hublot heurt".split()
)
"""Words whose first letter takes no liaison."""

NOUNS_IN_ENT = frozenset(
    "parent argent agent client accident président dent vent cent lent content récent urgent intelligent différent excellent"
    " violent innocent présent absent patient talent torrent continent orient occident évident prudent imprudent ardent fréquent"
    " conséquent équivalent transparent apparent concurrent adolescent cohérent permanent pertinent éminent imminent compétent"
    " latent souvent couvent auvent serpent arpent régent contingent indulgent négligent précédent incident antécédent résident"
    " dissident opulent turbulent insolent somnolent virulent polyvalent ambivalent référent adhérent inhérent détergent"
    " paravent avent ingrédient inconvénient récipient efficient quotient impatient conscient inconscient escient mécontent"
    " argument indécent décent tangent trident équipollent évent confident excédent accent sergent vincent cément".split()
)
"""Words whose ending -ent is spoken."""

VERBS_IN_MENT = frozenset(
    "aiment forment dorment expriment estiment affirment ferment nomment consomment confirment transforment animent arment"
    " résument assument allument fument entament proclament réclament impriment suppriment calment charment enferment informent"
    " endorment déforment filment programment gomment sèment enflamment triment priment".split()
)
"""Verbs in -ment, whose ending is silent."""
# fmt: on

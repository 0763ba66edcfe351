"""German, French, Spanish, Italian, Portuguese and Dutch: their closed classes, ways to ask, and words of repair.

Tables only; the lists are our own. All is written without accents, as `fold` leaves it: "ä" is "ae". What stands in `CLOSED`
holds only in a text that shows by other words (`MARKERS`) that it is in one of these languages: "die", "war", "me" and
"come" are other words in English.
"""

from __future__ import annotations

from gateway.core.lexicon import ASKING, KINDS, LIGHT, MODAL, NUMBER, PERSON, PLACING

MARKERS = frozenset(
    [
        "ich",
        "nicht",
        "ist",
        "sind",
        "der",
        "das",
        "als",
        "wie",
        "mein",
        "meine",
        "ein",
        "eine",
        "einen",
        "auf",
        "fuer",
        "von",
        "wir",
        "sie",
        "kann",
        "wo",
        "und",
        "muss",
        "zum",
        "darf",
        "wieviel",
        "je",
        "est",
        "les",
        "une",
        "du",
        "pour",
        "ce",
        "quel",
        "quelle",
        "que",
        "qui",
        "puis",
        "veux",
        "doit",
        "vous",
        "le",
        "et",
        "il",
        "dans",
        "el",
        "los",
        "las",
        "una",
        "con",
        "mi",
        "su",
        "puedo",
        "cual",
        "cuanto",
        "quiero",
        "del",
        "debe",
        "hay",
        "y",
        "gli",
        "che",
        "della",
        "nel",
        "mio",
        "posso",
        "sono",
        "vorrei",
        "quale",
        "dove",
        "deve",
        "voglio",
        "devo",
        "um",
        "uma",
        "nao",
        "meu",
        "minha",
        "qual",
        "ao",
        "voce",
        "het",
        "een",
        "ik",
        "hoe",
        "mijn",
        "onze",
        "naar",
        "voor",
        "wat",
        "niet",
        "welke",
        "dat",
        "kunt",
        "comment",
        "combien",
        "hoeveel",
        "cuanta",
        "cuantos",
        "cuantas",
        "quanto",
        "quanti",
        "quante",
    ]
)
"""Two of these beside each other are hardly English, and one of them with one of `ASIDE`."""
ASIDE = frozenset(["de", "da", "di", "e", "o", "un", "se"])


def _closed() -> dict[str, tuple[str, str]]:
    table: dict[str, tuple[str, str]] = {}

    def add(kind: str, text: str) -> None:
        for word in text.split():
            table.setdefault(word, (word, kind))

    def same(kind: str, text: str) -> None:
        for row in text.strip().splitlines():
            one, _, forms = row.strip().partition(" = ")
            for form in (one, *forms.split()):
                table[form] = (one, kind)

    same(
        PLACING,
        """
        in = im ins
        an = am ans
        von = vom
        zu = zum zur
        auf = aufs
        bei = beim
        de = du d del della dello dell dei degli delle do dos das di
        a = au aux al alla allo all ai agli alle ao aos as
        dans = nel nella nello nell negli nei nelle num numa em
        da = dal dalla dallo dall dai
        su = sul sulla sullo sui sulle
        por = pelo pela pelos pelas
        """,
    )
    same(PLACING, "than = als dan")
    same(ASKING, "howto = wie comment como come hoe")
    add(ASKING, "porque")
    add(PLACING, "um mit auf bei van naar voor op aan met uit tot su sous par avec para chez bis sin tra fra")
    add(
        PERSON,
        """
        ich mich mir du dich dir er wir uns man euch ihnen ihm ihn
        je j moi nous vous tu on toi lui elle ils elles
        yo nosotros usted ustedes ella ellos nos
        io noi voi lui lei loro ci
        eu nos voce voces ele ela eles
        ik wij we jij je u hij zij mij ons men
        me mi te ti
        """,
    )
    add(
        LIGHT,
        """
        der die das den dem des ein eine einen einem einer eines es ist sind sein war waren wird werden wurde wurden hat habe haben
        hatte gibt und dass ob da denn mal doch ja noch sich dies diese dieser dieses diesen diesem was bin
        le la les l un une c ce cet cette ces ca cela est sont etait sera et que qu y ai avons avez ont se s n ne si
        el los las lo una unos unas esta este estas estos esto es son esta estan fue ha han hay se y e que
        il i gli uno e ed che questo questa questi queste sono era si ho ha hai c
        o os um uma umas uns esse essa isso isto foi sao esta estao tem ha
        het een dit dat die deze en is zijn was waren wordt worden werd heeft heb hebben er het te
        """,
    )
    add(
        MODAL,
        """
        kann kannst koennen koennte koennten darf duerfen soll sollte sollen muss muessen will wollen willst moechte moechten wuerde wuerden
        peux puis peut pouvez pouvons pourrais dois doit devez faut veux veut voulez voudrais
        puedo puede puedes pueden podria debo debe deben tengo quiero quiere quieres quisiera
        posso puo puoi possono potrei devo deve voglio vuole vorrei
        pode podes podem poderia devo preciso quero queria gostaria gostava
        kan kunt kunnen mag mogen moet moeten wil wilt willen zou
        """,
    )
    return {
        word: (one if KINDS.get(one) == kind or one == "a" else f"{one}_", kind) for word, (one, kind) in table.items()
    }


CLOSED: dict[str, tuple[str, str]] = _closed()
"""Word -> its canonical form and kind, in a text of these languages. A form that is something else in English ends in "_"."""

PORTUGUESE_MARKERS = frozenset(
    ["uma", "nao", "ao", "posso", "meu", "minha", "voce", "teu", "tua", "fazer", "faco", "tenho", "sao", "foi", "isso"]
)
CLOSED_IN_PORTUGUESE: dict[str, tuple[str, str]] = {
    **CLOSED,
    **dict.fromkeys(("no", "na", "nos", "nas", "em", "num", "numa"), ("dans_", PLACING)),
    "um": ("o_", LIGHT),
    "dois": ("2", NUMBER),
}
"""Where one of PORTUGUESE_MARKERS stands, "no" is "in the" and denies nothing."""

PRONOUNS = {
    form: person
    for person, forms in enumerate(
        (
            "ich mich mir wir uns je j moi nous yo nosotros io noi eu ik wij we me mi nos ons",
            "du dich dir euch vous toi tu usted ustedes voi voce voces u jij te ti",
            "er ihm ihn lui ele hij",
            "elle ella lei ela",
            "ihnen ils elles ellos loro eles",
        ),
        1,
    )
    for word in forms.split()
    for form in (CLOSED[word][0],)
}
"""Canonical form -> who is meant, as `pairs` counts persons."""

_HEADS = """
ich moechte|ich will|ich wuerde gern|ich wuerde gerne|ich muss|ich brauche|ich suche|ich haette gern|ich haette gerne|zeige mir|zeig mir|nenne mir|nenn mir|suche|zeigen sie mir|
erklaeren sie mir|erklaere mir|erklaer mir|koennen sie mir erklaeren|koennten sie mir erklaeren|kannst du mir erklaeren|kannst du|koenntest du|koennen sie|koennten sie|wuerdest du|wuerden sie|
kannst du mir zeigen|koennen sie mir zeigen|ist es wahr dass|stimmt es dass|wissen sie ob|weisst du ob|kannst du mir sagen ob|ich frage mich ob|ich frage mich|ich muss wissen|wer weiss|kann mir jemand sagen|
je veux|je voudrais|j aimerais|je souhaite|je souhaiterais|j ai besoin de|je cherche|montre moi|montrez moi|donne moi|donnez moi|pouvez vous|pourriez vous|peux tu|pourrais tu|pouvez vous m expliquer|
pourriez vous m expliquer|peux tu m expliquer|pouvez vous me montrer|est il vrai que|c est vrai que|est ce vrai que|est ce que|savez vous si|sais tu si|je me demande si|je me demande|quelqu un sait|en fait|bon|
quiero|quisiera|me gustaria|necesito|busco|deseo|muestrame|muestreme|ensename|dame|deme|puedes|podrias|me puedes explicar|me puede explicar|podria explicarme|puede explicarme|explicame|expliqueme|
es verdad que|es cierto que|sabes si|sabe si|me pregunto si|me pregunto|alguien sabe|me puedes mostrar|me puede mostrar|quiero saber|necesito saber|
vorrei|voglio|cerco|mi serve|mi servirebbe|mostrami|mi mostri|dammi|mi dia|puoi|potresti|mi puoi spiegare|mi puo spiegare|puo spiegarmi|potrebbe spiegarmi|spiegami|mi spieghi|e vero che|
mi chiedo se|mi chiedo|qualcuno sa|vorrei vedere|mi puoi mostrare|mi puoi dire|voglio sapere|ho bisogno di|
quero|queria|gostaria de|gostava de|preciso de|procuro|desejo|mostra me|mostre me|me mostre|podes|pode explicar me|poderia explicar me|explique me|pode me explicar|
e verdade que|pergunto me se|alguem sabe|quero saber|preciso saber|gostava de saber|gostava de ver|gostaria de ver|quero ver|diga me|
ik wil|ik wil graag|ik zou graag|ik zou graag willen|ik moet|ik zoek|laat me zien|laat mij zien|toon me|toon mij|geef me|geef mij|kun je|kunt u|kan je|zou je|zou u|kunt u mij uitleggen|kunt u me uitleggen|
kun je me uitleggen|leg me uit|leg mij uit|kun je me laten zien|klopt het dat|is het waar dat|ik vraag me af of|ik vraag me af|weet iemand|weet u of|weet je of|ik wil graag weten|
"""
_TAILS = """
ja oder nein|oder nicht|oder|danke|oui ou non|si o no|si o non|sim ou nao|ja of nee|n est ce pas|no es asi|no es verdad|non e vero|nao e|toch|
"""


def _phrases(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(phrase for phrase in text.replace("\n", "").split("|") if phrase))


HEADS = _phrases(_HEADS)
TAILS = _phrases(_TAILS)

_REPAIRS = """
nein ich meine|ich meine|ich meinte|nein warte|nein halt|besser gesagt|oder besser|oder besser gesagt|nein quatsch|ich wollte sagen|nein entschuldigung|
je veux dire|je voulais dire|non pardon|non attendez|non attends|ou plutot|non plutot|enfin non|
quiero decir|queria decir|no perdon|no espera|o mejor dicho|mejor dicho|o mas bien|no mejor|
voglio dire|volevo dire|no scusa|no scusi|no aspetta|o meglio|anzi no|o piuttosto|
quero dizer|queria dizer|nao desculpe|nao desculpa|nao espera|ou melhor|ou antes|
ik bedoel|ik bedoelde|nee sorry|nee wacht|of liever|of beter gezegd|beter gezegd|nee ik bedoel
"""
REPAIRS = _phrases(_REPAIRS)
HESITATIONS = frozenset(("nein", "entschuldigung", "pardon", "perdon", "anzi", "nee", "scusa", "desculpe"))

_SAID_AS_ONE = """
howto = wie kann ich|wie kann man|wie koennte ich|wie koennen wir|wie mache ich das|wie mache ich|wie macht man das|wie macht man|wie geht das|wie geht es|was muss ich tun um|was muss ich tun wenn ich|was muss ich tun|was muss ich machen um|was ist zu tun um|was ist zu tun|auf welche weise kann ich|wie ich|wie man|wie laesst sich|comment puis je|comment je peux|comment peut on|comment pourrais je|comment est ce que je peux|comment faire pour|comment faire|comment fait on pour|comment dois je faire pour|que dois je faire pour|que faut il faire pour|que faire pour|de quelle maniere puis je|como puedo|como podria|como se puede|como hago para|como lo hago|como hago|como hacer para|como se hace para|como se hace|que tengo que hacer para|que debo hacer para|que hay que hacer para|de que manera puedo|come posso|come potrei|come si puo|come si fa a|come si fa per|come si fa|come faccio a|come faccio per|come faccio|come fare per|come fare a|cosa devo fare per|che cosa devo fare per|che devo fare per|in che modo posso|como posso|como e que posso|como e que se pode|como se pode|como e que se|como faco para|como e que faco para|como faco|como fazer para|o que tenho de fazer para|o que tenho que fazer para|o que devo fazer para|o que preciso de fazer para|que tenho de fazer para|hoe kan ik|hoe kan men|hoe kunnen wij|hoe kunnen we|hoe doe ik dat|hoe doe ik|hoe gaat dat|hoe moet ik|wat moet ik doen om|wat moet ik doen als ik|wat moet ik doen|op welke manier kan ik|hoe ik kan|hoe ik
wieviel = wie viel|wie viele
combien = quel est le nombre de|quel est le nombre d|le nombre de|le nombre d
cuanto = cual es el numero de|el numero de
quanto = qual e il numero di|il numero di|qual e o numero de|o numero de
hoeveel = wat is het aantal|het aantal|hoe veel
signifie = veut dire|que signifie|qu est ce que cela veut dire|que veut dire|qu est ce que ca veut dire|que cela signifie
significa = que significa|que quiere decir|quiere decir|que quer dizer|o que significa|o que quer dizer|cosa significa|che cosa significa|che significa|vuol dire|cosa vuol dire
bedeutet = was bedeutet das|was bedeutet|was heisst das|was heisst
betekent = wat betekent dat|wat betekent|wat wil dat zeggen
than = verglichen mit|im vergleich zu|im vergleich mit|vergeleken met|in vergelijking met
warum = aus welchem grund|wieso
pourquoi = pour quelle raison|pour quoi|pourquoi est ce que
porque = por que razon|por que motivo|por que|porque e que|por que e que|por que razao
"""


def said_as_one(table: str) -> dict[str, tuple[str, ...]]:
    """Lines of words and, behind " = ", the phrases of several words that they stand for."""
    return {
        phrase: tuple(one.split())
        for line in table.strip().splitlines()
        for one, _, said in [line.partition(" = ")]
        for phrase in said.split("|")
        if " " in phrase
    }


SAID_AS_ONE: dict[str, tuple[str, ...]] = said_as_one(_SAID_AS_ONE)

_CHATTER = """
hoffe richtig hier schon lange nichts dazu leider wuerde sehr laenger danach weil dass erklaeren sagen koennen
espere espero j espere endroit longtemps repond serais sera car trouve parce excuse puisque
sea lugar correcto llevo rato buscando encuentro nada asi porque mucho recibir rapida alegraria podria decirme
spero essere posto giusto cerco molto dappertutto niente sarei contento avere rapida po dirmi trovato ancora
seja certo procuro procurei lado sem encontrar isso muito ficaria contente receber rapidamente
goed lang helaas niets zou erg blij snel zoek tijdje want dus uitleggen
"""
CHATTER = frozenset(_CHATTER.split())

"""Closed classes of words, as `pairs` reads them: numbers, negators, question words, pronouns, fillers, phrases.

Tables only. A word that stands here is compared by its class; every other word is content. The lists are our own, for
English first; negators, question words and directions also of the larger European languages, because an embedder that
knows them a little calls a question and its negation the same. What is missing is never harmless by being missing:
an unknown word counts as content.
"""

from __future__ import annotations

from gateway.core.folding import fold


def _words(kind: str, text: str) -> dict[str, str]:
    return dict.fromkeys(fold(text).split(), kind)


CONTENT, LIGHT, FILLER, NUMBER, NEGATOR, ASKING, PLACING, PERSON, MODAL, BOUND, SYMBOL, WHEN, PAUSE = (
    "content",  # what a question is about
    "light",  # articles, copulas: no answer hangs on them
    "filler",  # politeness and sounds
    "number",
    "negator",
    "asking",  # who, when, how
    "placing",  # from, to, before: direction, place, relation
    "person",  # my, your, he
    "modal",  # can, must, did: what may be, what was
    "bound",  # all, only, more, least: how much of it
    "symbol",  # what is neither letter, digit nor punctuation
    "when",  # today, monday, june
    "pause",  # um: the speaker may have changed his mind
)

KINDS: dict[str, str] = {
    **_words(
        LIGHT,
        """
        a an the is am are be been being s it its they them themselves either this that these those there here of as so such do does have has having
        get gets got getting t and ll ve re d also too very really quite just still even ever own one
        le les une der das ein eine einen einem einer ist sind gli het een und
        """,
    ),
    **_words(
        FILLER,
        """
        please pls plz kindly thanks thank thx cheers hi hello hey hiya greetings ok okay oh ah
        well actually basically literally simply maybe perhaps anyway alright honestly pardon buongiorno scusi disculpe bitte danke hallo gracias hola merci bonjour
        favor obrigado grazie ciao obrigada alstublieft alsjeblieft svp
        howdy lol haha btw tia thankyou ehm äh ähm euh eh hm mhm
        """,
    ),
    **_words(PAUSE, "um uh umm uhh ummm er err erm hmm oops"),
    **_words(
        NEGATOR,
        """
        not no never nor neither none nobody nothing nowhere without cannot non nay
        nicht kein keine keinen keinem keiner keines nie niemals ohne niemand nichts
        pas jamais sans aucun aucune rien personne nunca jamás sin ningún ninguna ninguno nadie nada tampoco
        não nem sem nenhum nenhuma ninguém mai senza nessuno nessuna niente niet geen nooit zonder
        inte ingen inget inga aldrig utan ikke aldri uden uten ingenting ei ole nie bez nigdy żaden
        не нет без никогда ни
        """,
    ),
    **_words(
        ASKING,
        """
        what which who whom whose when where why how whether howmuch howlong howold howfar howoften howto howmany
        was wer wen wem wann wo warum wieso weshalb wie welche welcher welches wohin woher
        qui que quoi quand pourquoi comment combien quel quelle quels quelles
        qué quién quiénes cuándo dónde cómo cuánto cuánta cuántos cuántas cuál cuáles
        quem quando onde como quanto quantos quantas qual quais chi cosa dove perché quale quali
        wat wie waar wanneer waarom hoe welk welke
        """,
    ),
    **_words(
        PLACING,
        """
        from to into onto in on at by with within for against towards toward through across between among over under above
        below behind beside near off out up down after before during until till since about around along inside outside
        upon via per than then versus vs if while because ago away back beyond despite instead or but
        de da di von nach vor zu bis aus über unter zwischen mit für gegen seit
        depuis vers avant après entre dans sur sous avec pour contre par chez
        desde hasta hacia antes después sobre con para por em antes depois com dal dalla fino dopo prima
        """,
    ),
    **_words(
        PERSON,
        """
        i me my mine myself you your yours yourself he him his himself she her hers herself their theirs we us our ours ourselves
        someone somebody anyone anybody everyone everybody
        mein meine meinen meinem meiner meines dein deine deinen deinem deiner deines sein seine seinen seinem seiner seines
        ihr ihre ihren ihrem ihrer ihres unser unsere unseren unserem unserer euer eure mon mes tes ses notre nos votre vos
        leur leurs tu tus su sus mis nuestro nuestra mio mia miei tuo tua tuoi suo sua suoi nostro nostra mijn jouw zijn haar
        onze meu minha teu tua seu sua nosso nossa
        """,
    ),
    **_words(
        MODAL,
        """
        can could will would shall should may might must need ought did was were had done used going able want wants
        wanted supposed
        """,
    ),
    **_words(
        BOUND,
        """
        only except excluding including besides all any each every both some many much few several most more less
        fewer least half enough another other others else same different exactly almost nearly atleast atmost morethan lessthan always usually often
        sometimes rarely seldom already yet again max maximum min minimum highest lowest first second third last next
        previous latest earliest biggest smallest largest best worst unless solely alone merely
        """,
    ),
    **_words(
        WHEN,
        """
        today tomorrow yesterday tonight now morning noon afternoon evening night midnight weekend daily weekly monthly
        yearly hourly annually nightly am pm monday tuesday wednesday thursday friday saturday sunday january february
        march april june july august september october november december spring summer autumn winter
        """,
    ),
}

NUMBERS: dict[str, int] = {
    word: value
    for value, words in {
        0: "zero null nil",
        1: "one once eins uno",
        2: "two twice zwei deux dos due twee",
        3: "three drei trois tres thrice drie",
        4: "four fourth vier quatre cuatro quattro",
        5: "five fifth fünf cinq cinco cinque vijf",
        6: "six sixth sechs seis zes",
        7: "seven seventh sieben siete sette zeven sete",
        8: "eight eighth acht huit ocho otto oito",
        9: "nine ninth neun neuf nueve nove negen",
        10: "ten tenth zehn dix diez dieci dez tien",
        11: "eleven eleventh elf",
        12: "twelve twelfth dozen zwölf",
        13: "thirteen thirteenth",
        14: "fourteen fourteenth",
        15: "fifteen fifteenth",
        16: "sixteen sixteenth",
        17: "seventeen seventeenth",
        18: "eighteen eighteenth",
        19: "nineteen nineteenth",
        20: "twenty twentieth zwanzig",
        30: "thirty thirtieth",
        40: "forty fourty fortieth",
        50: "fifty fiftieth",
        60: "sixty",
        70: "seventy",
        80: "eighty",
        90: "ninety",
    }.items()
    for word in fold(words).split()
}
SCALES = {
    "hundred": 100,
    "thousand": 1_000,
    "million": 1_000_000,
    "billion": 1_000_000_000,
    "grand": 1_000,
    "bn": 1_000_000_000,
    "mln": 1_000_000,
    "mio": 1_000_000,
    "tausend": 1_000,
    "duizend": 1_000,
}

UNITS: dict[str, tuple[str, str]] = {
    **dict.fromkeys(("g", "gr"), ("gram", CONTENT)),
    **dict.fromkeys(("l", "ltr"), ("liter", CONTENT)),
    **dict.fromkeys(("h", "std"), ("hour", CONTENT)),
    **dict.fromkeys(("ml",), ("milliliter", CONTENT)),
    **dict.fromkeys(("mg",), ("milligram", CONTENT)),
    **dict.fromkeys(("gb", "gig", "gig"), ("gigabyte", CONTENT)),
    **dict.fromkeys(("mb",), ("megabyte", CONTENT)),
    **dict.fromkeys(("kb",), ("kilobyte", CONTENT)),
    **dict.fromkeys(("tb",), ("terabyte", CONTENT)),
    **dict.fromkeys(("tbsp",), ("tablespoon", CONTENT)),
    **dict.fromkeys(("tsp",), ("teaspoon", CONTENT)),
    "k": ("1000", NUMBER),
}
"""What a short form stands for behind a number; elsewhere it may be something else."""

# A whole written form -> the words that it stands for. An apostrophe is looked up as it stands, then without.
EXPANSIONS: dict[str, tuple[str, ...]] = {
    "can't": ("can", "not"),
    "cant": ("can", "not"),
    "cannot": ("can", "not"),
    "won't": ("will", "not"),
    "wont": ("will", "not"),
    "shan't": ("shall", "not"),
    "ain't": ("is", "not"),
    "let's": ("let", "us"),
    "lets": ("let", "us"),
    "i'd": ("i", "would"),
    "im": ("i", "am"),
    "ive": ("i", "have"),
    "gonna": ("going", "to"),
    "wanna": ("want", "to"),
    "gotta": ("got", "to"),
    "lemme": ("let", "me"),
    "gimme": ("give", "me"),
    "whats": ("what", "is"),
    "wheres": ("where", "is"),
    "whos": ("who", "is"),
    "hows": ("how", "is"),
    "whens": ("when", "is"),
    **{
        f"{word}'s": (word, "is")
        for word in ["what", "where", "who", "how", "when", "why", "that", "there", "it", "here"]
    },
    "thats": ("that", "is"),
    "theres": ("there", "is"),
    "youre": ("you", "are"),
    "theyre": ("they", "are"),
    "u": ("you",),
    "ur": ("your",),
    **{
        f"{word}'s": (word, "is")
        for word in ("what", "who", "where", "when", "how", "why", "that", "there", "here", "it")
    },
    "asap": ("as", "soon", "as", "possible"),
    **{
        f"{word}'s": (word, "is")
        for word in ("it", "that", "what", "where", "who", "how", "there", "here", "when", "why")
    },
    "fortnight": ("two", "weeks"),
    "fortnights": ("two", "weeks"),
    **{
        form: (verb, "not")
        for verb in [
            "is",
            "are",
            "was",
            "were",
            "do",
            "does",
            "did",
            "has",
            "have",
            "had",
            "would",
            "could",
            "should",
            "must",
            "need",
            "might",
        ]
        for form in (f"{verb}n't", f"{verb}nt")
    },
}
ENDINGS: dict[str, tuple[str, ...]] = {
    "s": ("s",),
    "re": ("are",),
    "m": ("am",),
    "ll": ("will",),
    "ve": ("have",),
    "d": ("would",),
    "t": ("not",),
}

"""Words of what is said around a question inside its sentence: "I am not sure why ...", "..., how do I do that?".

Tables only; the lists are our own, English. `pairs_frames` reads them in canonical words.
"""

from __future__ import annotations

from gateway.core.lexicon_same import SAME


def _words(text: str) -> frozenset[str]:
    return frozenset(SAME.get(word, word) for word in text.split())


def _phrases(text: str) -> tuple[str, ...]:
    return tuple(text.replace("\n", "").split("|"))


QUESTION = _words("what which who whom whose when where why how if")
JOINING = _words("and but so because as")
SUBJECT = _words("i we")
ADDRESSED = _words("you someone somebody anyone anybody")
NEGATED = _words("not no never")
WISH = _words(
    "want wanted wanting need needed needing must like love wish wished hope hoping try tried trying interested looking seeking curious"
)
NOT_KNOWN = _words("know understand understanding see get figure find sure certain clear remember idea clue tell")
"""What somebody who asks may say that he does not: "I do not see why", "no idea how"."""
KNOWN = NOT_KNOWN | _words("knowing learn learning finding figuring hear ask asking check checking confirm verify work")
TOLD = _words(
    "tell telling explain explaining show clarify advise inform teach describe give provide share guide direct let"
)
HELP = _words("help helping assist assistance guidance advice")
ABOUT = _words("instruction information detail explanation step tip")
WONDERING = _words("wonder wondering wondered curious unsure uncertain unclear confused puzzled question idea clue")
LOOKING = _words("understand figure find learn check confirm see")
"""How a sentence may begin that has somebody else find something out: "find out why ...", "check whether ..."."""
REQUEST = _words("can could would will might")
COURTESY = _words("please pls plz kindly just also")
CLEAR = _words("clear certain sure obvious")
MIND = _words("know idea clue remember")
FRAME = (
    JOINING
    | SUBJECT
    | ADDRESSED
    | NEGATED
    | WISH
    | KNOWN
    | TOLD
    | HELP
    | CLEAR
    | COURTESY
    | ABOUT
    | WONDERING
    | REQUEST
    | _words(
        "me us my am is are was been be do does did have has had to a an the any some of about on with for regarding out up"
    )
    | _words(
        "really quite just even still also very bit little exactly fully it kind enough possible able in getting new so here grateful glad great nice happy appreciate"
    )
)
"""All that such a frame may consist of."""
OPENING = _words("i we can could would does any please pls plz kindly just also it let")
"""What such a frame begins with in the middle of a sentence, where a comma is not seen."""

_WAYS = _phrases(
    """do i|can i|could i|would i|should i|might i|must i|to|i do|i can|i could|i would|i should|i might|do you|can you|do we|can we|
does one|can one|am i able to|am i supposed to"""
)
HOW_TAILS = tuple(
    f"how {way} {verb} {it}"
    for way in _WAYS
    for verb in ("do", "go about", "go about doing")
    for it in ("it", "that", "this", "so")
)
"""Behind a wish these ask how: "I want to close my account, how do I do that?"."""
HOW_VAGUE = _phrases(
    "how|how does that work|how does it work|how does this work|how can that be done|how is that done|what do i do|what must i do"
)
HOW_TO_GET = tuple(
    f"how {way} {verb} {one}"
    for way in ("do i", "can i", "would i", "could i", "to")
    for verb in ("get", "go about getting", "order", "obtain", "request")
    for one in ("one", "it", "some")
)
WHERE_TO_GET = tuple(
    f"where {way} {verb} {one}"
    for way in ("do i", "can i", "would i", "could i", "to")
    for verb in ("get", "order", "obtain", "request", "buy", "find")
    for one in ("one", "it", "some")
)
"""Behind a wish for a thing: "I want a card, where can I get one?"."""
WHY_TAILS = _phrases(
    """why|why is that|why is this|why is it|why so|why would that be|why could that be|why did this happen|why did that happen|
why does this happen|why is that so|why has this happened|why is this happening|how come|what could be the reason|what is the reason|
what is the cause|what could be the cause|what is the reason for this|what is the reason for that|what might be the reason|
what might be the cause|for what reason|what went wrong|what is wrong|what could be wrong|what is the problem|what is the issue|
what is causing this|what causes this|what could cause this"""
)
WISHES = _phrases(
    """i want to|i wanted to|i would like to|i would love to|i need to|i have to|i must|i wish to|i am trying to|i am looking to|
i am hoping to|i am planning to|i plan to|i intend to|i hope to|if i want to|if i wanted to|if i need to|if i needed to|if i would like to|
we want to|we need to|we would like to|we have to|i should|i am going to|i was trying to|i was hoping to|i was looking to"""
)
WANTS = _phrases("i want|i wanted|i would like|i need|i really want|i really need|we want|we need|we would like")

HELPING = _words("is are was were am do does did can could will would shall should must may might has have had")
PAST = frozenset(("was", "were", "did", "had"))
PERFECT = frozenset(("has", "have", "been", "got"))
PRESENT = frozenset(("is", "are", "am", "do", "does", "be"))
FINITE = (HELPING | {"been", "not", "got"}) - {"can", "could", "do"}
"""Where one of these stands, something is or happens."""
SUBJECTS = frozenset(("i", "you", "we", "he", "she", "it", "they", "there"))
DEFINING = _words("what who which explain define definition describe mean meaning howmuch")
UNTIL_NOW = _words("from until till before since by than for just as")
EXISTING = _words("there have has had get got not without find show list tell offer")
"""Behind these "any" is no more than "a"."""
NOT_ALL = _words("is are was were do does did can will would of in why and")
"""Behind these "some" may be "not all"."""
FETCHING = _words("show find tell get set play make create book buy order reserve list bring")
"""These are done for somebody: "book me a taxi"."""

"""Words that hold a question together, and searches for a few words, which have none of them: "reset password".

Pure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.core.lexicon import ASKING, LIGHT, MODAL, PERSON, PLACING
from gateway.core.lexicon_european import PRONOUNS

if TYPE_CHECKING:
    from gateway.core.pairs_reading import Reading

OPEN = frozenset(
    (
        *("what", "which", "welche", "welcher", "welches", "welk", "welke", "wat"),
        *("quel", "quelle", "quels", "quelles", "cual", "cuales", "qual", "quais", "quale", "quali"),
    )
)
"""Question words that add nothing to the noun behind them: "which courses", "list the courses"."""
PERSONS = {
    word: person
    for person, words in enumerate(
        (
            "i me my mine myself we us our ours ourselves mein meine meinen meinem meiner meines unser unsere unseren unserem "
            "unserer mon mes notre nos mis nuestro nuestra mio mia miei nostro nostra mijn onze meu minha nosso nossa",
            "you your yours yourself dein deine deinen deinem deiner deines euer eure tes votre vos tu tus tuo tua tuoi jouw teu",
            "he him his himself sein seine seinen seinem seiner seines ses su sus suo sua suoi seu zijn",
            "she her hers herself ihr ihre ihren ihrem ihrer ihres haar",
            "their theirs",
        ),
        1,
    )
    for word in words.split()
} | PRONOUNS
"""Who is meant: speaker, listener, him, her, them."""
TERSE = 10
"""Most words of a search for a few words."""
_GRAMMAR = frozenset((LIGHT, PERSON, MODAL, ASKING))
_SOUGHT = OPEN | {"howto"}
_LOOSE = frozenset(("in", "on", "at", "of", "for", "about"))
_MAY = frozenset(("can", "could", "may", "want", "need"))
_STATED = frozenset(
    ["is", "are", "was", "were", "has", "have", "had", "did", "does", "do", "will", "would", "should", "must"]
)


def is_terse(reading: Reading) -> bool:
    """Whether this is a few words for a search field, without any article, pronoun or auxiliary."""
    return 1 < len(reading.words) <= TERSE and _GRAMMAR.isdisjoint(reading.kinds)


def pass_over_grammar(reading: Reading, left: list[int]) -> int:
    """What a search for a few words leaves out: "how do I", "what is the", "my", "in the". Returns how many words.

    Other question words stay, and so does what makes it a question about a fact: "was my password reset?".
    """
    words = reading.words
    asked = any(word in _SOUGHT for word in words)
    kept = []
    for at in left:
        word, kind = words[at], reading.kinds[at]
        gone = (
            kind is LIGHT
            or word in _SOUGHT
            or PERSONS.get(word, 3) < 3
            or (kind is PLACING and word in _LOOSE)
            or (kind is MODAL and (asked or word in _MAY))
        )
        if not gone:
            kept.append(at)
    if not asked and any(words[at] in _STATED for at in left):
        return 0
    gone_words = len(left) - len(kept)
    left[:] = kept
    return gone_words

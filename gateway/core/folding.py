"""Letters without accents, as they are typed where a keyboard has none. Pure."""

from __future__ import annotations

import unicodedata

_WRITTEN_OUT = {
    "ä": "ae",
    "ö": "oe",
    "ü": "ue",
    "ß": "ss",
    "æ": "ae",
    "œ": "oe",
    "ø": "o",
    "ł": "l",
    "đ": "d",
    "ð": "d",
    "þ": "th",
    "ı": "i",
}


def _bare(sign: str) -> str:
    return "".join(part for part in unicodedata.normalize("NFD", sign) if not unicodedata.combining(part))


_FOLDED = {code: _bare(chr(code)) for code in range(0xC0, 0x250) if chr(code).islower()}
_FOLDED.update((ord(sign), letters) for sign, letters in _WRITTEN_OUT.items())


def fold(text: str) -> str:
    """Lower-case Latin letters without their accents, German umlauts written out: "für" and "fuer" are one word.

    "où" becomes "wo", as it is not "ou".
    """
    return text if text.isascii() else text.replace("où", "wo").translate(_FOLDED)

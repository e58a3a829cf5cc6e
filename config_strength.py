"""How much there is to guess in a secret that somebody typed."""

from __future__ import annotations

import math
import re
from collections import Counter
from itertools import pairwise

FEWEST_BITS = 42
"""Of what is left once words, runs and repetitions are taken away. Of 20,000 texts of 32 random
hexadecimal digits none kept fewer than 44."""

WORDS = re.compile(
    "change(?:me|it)?|replace|please|insert|random|default|example|secret|passwor[dt]|passphrase|pepper|"
    "chatelaine|portal|token|admin|test|your|this|here|with|value|string|letters?|characters?|long|key|the",
    re.IGNORECASE,
)
"""What stands in examples, and in secrets that were to be changed later."""

ROWS = ("abcdefghijklmnopqrstuvwxyz", "0123456789", "1234567890", "qwertyuiop", "asdfghjkl", "zxcvbnm")
ROWS_OF_KEYBOARDS = ("qwertzuiop", "yxcvbnm", "azertyuiop", "qsdfghjklm", "1qaz2wsx3edc4rfv5tgb6yhn7ujm")
NEIGHBOURS = frozenset(pair for row in (*ROWS, *ROWS_OF_KEYBOARDS) for pair in pairwise(row))
GRAM = 4
"""Characters that make a repetition."""


def estimate_bits(secret: str) -> float:
    """The bits that a guesser has to find: the entropy of what neither repeats nor follows."""
    text = WORDS.sub("", secret)
    kept = [each for place, each in enumerate(text) if _is_new(text, place)]
    counts = Counter(kept)
    return -sum(count * math.log2(count / len(kept)) for count in counts.values())


def _is_new(text: str, place: int) -> bool:
    if place == 0:
        return True
    pair = (text[place - 1].lower(), text[place].lower())
    if pair[0] == pair[1] or pair in NEIGHBOURS or pair[::-1] in NEIGHBOURS:
        return False
    gram = text[max(0, place - GRAM + 1) : place + 1]
    return len(gram) < GRAM or gram not in text[:place]

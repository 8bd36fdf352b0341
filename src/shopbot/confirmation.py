"""The customer's yes. A write needs one that code can read; a model's word for it is not enough."""

from __future__ import annotations

import re

from shopbot.textindex import fold

_YES = (
    "yes yeah yep yup yea ya yess yesss yas aye ok okay okey k kk sure certainly absolutely definitely "
    "affirmative correct right confirm confirmed confirming agreed agree proceed approve approved fine great "
    "perfect good indeed exactly please alright"
).split()
_YES_PHRASES = (
    "go ahead",
    "go for it",
    "do it",
    "do that",
    "do so",
    "please do",
    "thats right",
    "that s right",
    "thats correct",
    "that s correct",
    "sounds good",
    "looks good",
    "that works",
    "works for me",
    "of course",
    "make it so",
    "i confirm",
    "i agree",
    "i do",
    "carry on",
    "lets do it",
    "let s do it",
)
#: With one of these a message is no plain yes, whatever else it says.
_NOT_YES = re.compile(
    r"\b(no|not|nope|nah|dont|don t|do not|never|nevermind|cancel that|stop|wait|hold|but|except|instead|rather|only|"
    r"unless|if|before|hmm+|maybe|wrong|incorrect|change|different|actually|first|why|what|when|which|how|who|where|"
    r"can|could|would|should|does|did|is (it|that|this)|are|will|think)\b"
)
_NO = re.compile(
    r"(no|nope|nah|no thanks|no thank you|no please|don t|dont|do not|never|stop|don t do (it|that)|dont do (it|that)|"
    r"not now|no way)"
)

_DROP = re.compile(
    r"(?:(?:oh|ok|okay|no|hm+|ah|well|actually|on second thoughts?|then|just|please|sorry) )*"
    r"(?:never ?mind|nvm|drop it|drop that|forget (?:it|that|about it)|leave it|let it be|skip it|scrap that|keep it)"
    r"(?: then| please| thanks| thank you| as it is| alone)*"
)

_POLITE = re.compile(r"\b(?:that|it) (?:would|will) be (?:great|fine|good|perfect|lovely|nice|awesome|ok)\b")


_DROPS = re.compile(
    r"\b(?:never ?mind|forget (?:it|this|that|about)|leave it(?: at that)?|drop it|scrap it|let it (?:be|go|ship|come)|"
    r"(?:it )?stays? with me|not worth the trouble)\b|^(?:none|neither|nothing)\b"
)
_GOES_ON = re.compile(r"\b(?:but|instead|rather|change|swap|exchange|return|refund|cancel|make it|send)\b")


def drops(message: str) -> bool:
    """Whether a short message gives up what is under way and asks for nothing else."""
    text = fold(message)
    return len(text.split()) <= 14 and "?" not in message and bool(_DROPS.search(text)) and not _GOES_ON.search(text)


def is_yes(message: str) -> bool:
    """Whether the message is a yes and nothing that could mean otherwise: no negation, condition, question or
    correction.
    """
    text = _POLITE.sub("", fold(message))
    if not text or "?" in message or _NOT_YES.search(text):
        return False
    words = text.split()
    if len(words) > 12:
        return False
    return any(word in _YES for word in words) or any(phrase in text for phrase in _YES_PHRASES)


def is_plain_yes(message: str) -> bool:
    """A yes of so few words that no model is needed to understand it."""
    words = fold(message).split()
    return is_yes(message) and len(words) <= 4 and all(word in _YES or word in _PLAIN for word in words)


def is_plain_no(message: str) -> bool:
    """A no, or a "never mind", of so few words that no model is needed to understand it."""
    return bool(_NO.fullmatch(fold(message)) or _DROP.fullmatch(fold(message)))


_PLAIN = frozenset(
    ("go ahead do it that s thats i please thanks thank you confirm the lets let for works sounds looks me").split()
)

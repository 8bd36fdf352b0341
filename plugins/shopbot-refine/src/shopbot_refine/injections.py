"""Instructions to the bot or to a model that were planted in a message, told by their form, in several languages.

A logged message that speaks to the model instead of to the shop must not teach it anything. The patterns are three:
somebody else's rules set aside, a new role or standing order given (:mod:`shopbot_refine.standing_orders` knows more of
these), the inside asked for. They are read in the text and in what it decodes to (base64, hexadecimal, rot13, spaced
letters). That is no defence of the running bot, whose rules are code; a wording that is not caught here is still a
suspect of the label model.
"""

from __future__ import annotations

import base64
import binascii
import codecs
import re
from collections.abc import Iterator

from shopbot_refine.standing_orders import STANDING_ORDERS

_GAP = r"(?:[\W_]+[\w'’-]+){0,5}?[\W_]+"
_IGNORE = (
    r"(?:ignor\w*|disregard\w*|forget|override|overrule|bypass|skip|drop|discard|neglect|vergiss|vergesst"
    r"|ignoriere?n?"
    r"|missachte\w*|überge?he?\w*|oublie[rz]?|olvida\w*|omite|descarta|dimentica\w*|ignora\w*|esquece?\w*"
    r"|esqueça|negeer|vergeet)"
)
_RULES = (
    r"(?:instructions?|prompts?|rules|guidelines|directives?|guardrails|restrictions?|polic(?:y|ies)|programming"
    r"|training|safety (?:checks?|rules?|filters?)|confirmations?|safeguards?|anweisung(?:en)?|anordnungen"
    r"|regeln|vorgaben|richtlinien"
    r"|consignes|règles|directives|instrucciones|reglas|directrices|istruzioni|regole|instruções|regras"
    r"|instructies|regels)"
)
_BEFORE = (
    r"(?:previous|prior|above|earlier|preceding|vorherigen?|bisherigen?|obigen?|précédent\w*|anterior\w*"
    r"|precedent\w*|vorige|eerdere)"
)
_MODEL = (
    r"(?:ai|a\.i\.|llm|bot|chat-?bot|assistant|language model|gpt|chatgpt|model|agent|assistent|ki|asistente|ia"
    r"|assistente)"
)
_FREE = (
    r"(?:no|any|without|ohne|keine|sans|aucune?|sin|ninguna?|senza|nessuna?|sem|geen)\s+(?:\w+\s+){0,2}?"
    r"(?:rules|restrictions?|filters?|limits?|limitations|content polic\w+|policies|guidelines|censorship"
    r"|regeln|einschr(?:ä|ae)nkungen"
    r"|filter|richtlinien|restricciones|reglas|filtros|règles|restrictions|filtres|restrizioni|regole|filtri"
    r"|restrições|regels|beperkingen)"
)
_ALWAYS = (
    r"(?:always|never|every|any|all|automatically|must|immer|nie|jede\w*|alle|toujours|jamais|tou(?:te)?s"
    r"|siempre|nunca|todos|sempre|mai|altijd)"
)
_NOW = (
    r"(?:from (?:now|here|this point|today) (?:on|forward|onwards?)|from now|for the rest of (?:this|the) \w+"
    r"|henceforth|going forward|ab (?:jetzt|sofort)|von nun an|künftig|désormais|dorénavant"
    r"|à partir de maintenant|de ahora en adelante|a partir de ahora|d'ora in (?:poi|avanti)|a partir de agora"
    r"|vanaf nu)"
)
_DO = (
    r"(?:refund|approve|accept|answer|reply|respond|say|grant|mark|treat|classify"
    r"|label|route|output|call|comply|obey|erstatte\w*|genehmige\w*|antworte\w*|bestätige\w*|rembours\w+"
    r"|approuv\w+|répond\w*|reembols\w+|aprueb\w+|apruebe|respond\w+|contest\w+|rimbors\w+|approva\w*"
    r"|rispond\w+|tratt\w+|keur|betaal)"
)
_PATTERNS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        # rules set aside
        rf"\b{_IGNORE}{_GAP}{_RULES}\b",
        rf"\b{_IGNORE}\s+(?:all|everything|tout|alles|todo|tutto|tudo)(?:[\W_]+\w+){{0,2}}[\W_]+(?:{_BEFORE}"
        rf"|was|you|ce|lo|che|wat|que|before|that)\b",
        r"\b(?:ignore|disregard)\s+(?:all\s+|everything\s+)?(?:of\s+)?(?:the\s+)?(?:above|user|customer)\b",
        r"\bnew (?:system )?(?:instructions?|rules?|directives?|prompt)\b(?:\s+(?:is|are)\b|\s*:)"
        r"|\bneue (?:anweisung|regel)\w*\s*:"
        r"|\bnouvelles? (?:instructions?|règles?)\s*:|\bnuevas? (?:instrucci|regla)\w*\s*:",
        # a new role
        r"\b(?:you are|you're|you will be|du bist|sie sind|vous êtes|tu es|eres|sei|você é|je bent)\s+(?:now"
        r"|jetzt|nun|désormais|maintenant|ahora|ora|agora|nu|no longer|nicht mehr|ya no)\b"
        r"|\b(?:now you are|ahora eres|ora sei|jetzt bist du|maintenant tu es)\b",
        rf"\b(?:act|behave|respond|pretend|roleplay|role-play|simulate|pose"
        rf"|answer)\b(?:[\W_]+\w+){{0,6}}?[\W_]+(?:an?\s+)?(?:\w+\s+){{0,2}}(?:unrestricted|uncensored"
        rf"|unfiltered|jailbroken|dan\b|{_MODEL}\b)",
        rf"\bpretend (?:to be|you are|you're|that)\b(?=.*\b(?:{_MODEL}|rules|filter|polic))",
        r"\b(?:uncensored|unfiltered|jailbr(?:eak|oken)|jail-?break|developer mode|dev mode|god mode|sudo mode"
        r"|\bDAN\b mode|do anything now)\b",
        rf"\b(?:{_MODEL}|respond|answer|antworte\w*|répond\w*|responde\w*|rispond\w*|you|befolgst|hast du"
        rf"|habe)\b.{{0,80}}\b{_FREE}\b",
        rf"\b{_FREE}\b.{{0,60}}\b(?:answer|respond|antworten|répondre|responder|rispondere|comply)\b",
        r"\b(?:safety|security|content|ethic\w*) (?:guidelines|rules|polic\w+|filters?"
        r"|checks?)\b.{0,60}\b(?:do not|don't|no longer|not)\b",
        # a standing order
        rf"{_NOW}\b.{{0,60}}\b(?:{_ALWAYS}|{_DO})\b",
        rf"\b{_ALWAYS}\b.{{0,30}}\b{_DO}\b.{{0,60}}\b(?:refunds?|requests?|customers?|orders?|users?|everyone"
        rf"|anyone|erstattung\w*|anfrage\w*|kunden|remboursements?|demandes?|clients?|reembolsos?|solicitud\w*"
        rf"|clientes?|rimbors\w+|richiest\w+)\b.{{0,40}}\b(?:without|ohne|sans|sin|senza|no questions"
        rf"|immediately|automatically|asking|in full)\b",
        rf"\b(?:note|message|instruction|hint|hinweis|notiz|attention|important|nota"
        rf"|remarque)\b[^.!?]{{0,20}}\b(?:to|for|an|für|pour|para|al|il|per)\b\s+(?:the\s+|all\s+|any\s+|den\s+"
        rf"|die\s+|le\s+|el\s+|la\s+)?(?:\w+\s+){{0,2}}{_MODEL}s?\b",
        r"\b(?:dear |attention )?(?:ai|llm|language model)(?: (?:assistant|model"
        r"|agent)s?)?\b.{0,40}\b(?:reading|processing|reviewing|seeing|summari[sz]ing)\b",
        r"\b(?:when|once|whenever|if) you (?:are )?(?:process|read|see|summari[sz]e|review|handle|label"
        r"|train)\w*\b.{0,60}\b(?:also|must|always|send|email|e-mail|forward|include|call|mark)\b",
        r"\b(?:training (?:data|example|label)s?|fine-?tun\w+|this (?:label|example|row)|the (?:right"
        r"|correct) (?:label|act|intent|tool call))\b.{0,40}\b(?:is|should|must|are|as)\b",
        r"\b(?:end|begin|start|append|finish|prefix|suffix)\b.{0,40}\b(?:every|each|all|any|your"
        r"|the)\b.{0,20}\b(?:response|reply|answer|message|summary|review)\b.{0,40}\b(?:with|to|code|token)\b",
        r"\b(?:your|the) (?:next|new|real|true|actual) (?:task|instruction|goal|mission"
        r"|objective)\b.{0,10}\b(?:is|:)",
        r"\bgrant (?:this|the|me|every) (?:user|customer|admin)?.{0,20}\b(?:admin|access|root|permission)",
        # the inside asked for
        r"\b(?:system|initial|original|hidden|secret|starting|developer|internal)[ _-]?(?:prompt|instructions?"
        r"|message|configuration|anweisung\w*)\b(?! requirements)",
        r"\bsystem(?:anweisung|prompt|nachricht|hinweis)\w*\b|\b(?:prompt|instructions?|consignes) (?:système"
        r"|du système)\b|\binstrucciones (?:del|de tu) sistema\b|\b(?:prompt|istruzioni) (?:di|del) sistema\b"
        r"|\bnota del sistema\b",
        r"\b(?:repeat|print|output|reveal|show|tell me|what (?:were|are)|translate|encode|copy|recite|continue"
        r"|complete)\b.{0,40}\b(?:instructions? (?:you|above|that)|you were (?:told|given|instructed)|(?:your"
        r"|the above|those|these|initial) (?:initial |exact |original )?(?:instructions?|prompt|rules)"
        r"|text above|above text|(?:entire|whole|full) conversation)",
        r"\byou (?:were|have been) (?:given|told|instructed|programmed)\b|\bI was instructed to\b",
        r"\b(?:api[ _-]?keys?|credentials|passwords|customer (?:list|e-?mails|database|data)|user data"
        r"|all (?:order|customer|user) (?:data|records))\b.{0,60}\b(?:send|e?-?mail|forward|to|extern\w*"
        r"|attacker|leak|export)\b"
        r"|\b(?:leak|exfiltrat\w+|dump|send|collect|forward|e?-?mail)\b.{0,60}\b(?:api[ _-]?keys?|credentials"
        r"|passwords|(?:full |entire )?customer (?:list|e-?mails|database|data)|all (?:order|customer"
        r"|user) (?:data|records))\b",
        # role tags and tool names
        r"(?:^|\n)\s{0,4}[#\-*=<\[|]{0,6}\s?(?:system|assistant|developer|tool|function)\s?[\]>|]{0,3}\s?:\s",
        r"<\|?/?(?:im_start|im_end|system|assistant|endoftext|system_prompt|tool_call|inst)\|?>|\[/?(?:INST|SYS"
        r"|SYSTEM)\]|<<SYS>>|#{2,}\s?(?:end of|system|instruction)",
        r"\bcall (?:[a-z]+_[a-z_]+)\b|\b(?:decode|decrypt|translate|rot-?13|base64)\b.{0,60}\b(?:execut\w+"
        r"|follow|obey|run|instruction|command)\b",
    )
)
_HIDDEN = re.compile(r"[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff]")
_ENCODED = re.compile(r"(?<![\w+/])[A-Za-z0-9+/]{24,4000}={0,2}(?![\w+/])")
_HEX = re.compile(r"(?<!\w)(?:[0-9a-fA-F]{2}){12,2000}(?!\w)")
_SPACED = re.compile(r"(?<!\w)(?:\w[ .\-_*]){8,200}\w(?!\w)")
_LEET = str.maketrans("013457@$", "oieastas")


def find_injection(text: str) -> str | None:
    """The stretch (at most 80 characters) that instructs the model, or None."""
    for reading in _readings(text):
        for pattern in (*_PATTERNS, *STANDING_ORDERS):
            match = pattern.search(reading)
            if match is not None:
                return match[0].strip()[:80]
    return None


def _readings(text: str) -> Iterator[str]:
    """The text, and what it says when the usual disguises are taken off."""
    yield text
    if _HIDDEN.search(text):
        yield _HIDDEN.sub("", text)
    yield codecs.decode(text, "rot13")
    if any(char in text for char in "013457@$"):
        yield text.translate(_LEET)
    for match in _SPACED.finditer(text):
        yield re.sub(r"(\w)[ .\-_*](?=\w)", r"\1", text[match.start() : match.end()])
    for match in _HEX.finditer(text):
        yield bytes.fromhex(match[0]).decode("utf-8", "replace")
    for match in _ENCODED.finditer(text):
        with_padding = match[0] + "=" * (-len(match[0]) % 4)
        try:
            yield base64.b64decode(with_padding, validate=True).decode("utf-8", "replace")
        except (binascii.Error, ValueError):
            continue

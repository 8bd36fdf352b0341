"""Personal data after the words that announce it in German, French, Spanish, Italian and Dutch, and secrets by form.

:mod:`shopbot.personal_data` reads English; this is its other half. Every pattern is bounded.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_WORD = r"[^\W\d_](?:[^\W\d_]|['’.-](?=[^\W\d_])){0,24}"
_CAPITALISED = r"(?=[^\W\d_a-zß-öø-ÿ])" + _WORD
_PARTICLE = r"(?:(?:van|von|vom|zu|zum|de|der|den|da|di|del|della|la|le|los|las|y|dos|du|ten|ter) ){0,2}"
_FULL = rf"{_CAPITALISED}(?: {_PARTICLE}{_CAPITALISED}){{0,3}}"
_FULL_PAIR = rf"{_CAPITALISED}(?: {_PARTICLE}{_CAPITALISED}){{1,3}}"
#: What ends a name that is written small.
_ENDS_NAME = (
    r"(?!(?:und|aber|ich|mein|meine|ist|bin|aus|et|je|mon|ma|mes|est|mais|y|e|mi|mis|es|pero|con|ma|sono|en|maar|ik|"
    r"mijn|vom|von|wohne|habe|warte|please|and|nicht|falsch|pas|no|non|not|wrong|order|bestellung|commande|pedido)\b)"
)
#: After these comes a name however it is written.
_NAME_CUE = re.compile(
    r"\b(?:ich hei(?:ß|ss)e|mein (?:voller |ganzer )?name (?:ist|lautet)|(?:auf|unter) (?:den|dem) namen"
    r"|je m['’]appelle|mon nom (?:complet )?(?:est|:)|au nom de|me llamo|mi nombre (?:completo )?es|a nombre de"
    r"|mi chiamo|il mio nome (?:è|e['’]?)|a nome (?:di)?|ik heet|mijn naam is|(?:name|nom|nombre|nome|naam)\s?:)"
    rf"[ \t]{{1,4}}((?-i:{_FULL})|{_ENDS_NAME}{_WORD}(?: {_ENDS_NAME}{_WORD})?)",
    re.IGNORECASE,
)
#: After these comes a name that is written with a capital.
_CAPITALISED_CUE = re.compile(
    r"\b(?:(?i:gr(?:ü|ue)(?:ß|ss)en?|gruß|gruss|cordialement|salutations|bien à vous|(?:un )?saludos?|atentamente"
    r"|cordiali saluti|distinti saluti|met vriendelijke groet|groeten)[\s,]{1,4}"
    r"|(?:Herrn?|Frau|Familie|Madame|Monsieur|Mme|Mlle|Señora?|Sra?\.|Don|Doña|Signora?|Sig\.|Mevrouw|Meneer)\s{1,2})"
    rf"({_FULL})"
)
#: After these comes many a noun with a capital too, so only a pair counts.
_PAIR_CUE = re.compile(
    r"\b(?i:ich bin|hier (?:ist|spricht)|je suis|ici|soy|sono|ik ben)\s{1,2}"
    rf"((?!(?:Ihre?r?|Sie|Mein|Meine|Die|Der|Das|Kein|Keine|Eine?|Une?|Vuestro)\b){_FULL_PAIR})"
)
_NUMBER_SIGN = r"(?: ?(?:nr|no|num|n[°ºo]|nummer|num[eé]ro|n[úu]mero)\b\.?| ?n[°º])?(?: (?:ist|lautet|est|es|è))?"
#: A number of the shop's: upper-case letters and digits, four digits at least.
_NUMBER = r"(?-i:#?(?=(?:[A-Z/-]{0,6}\d){4})[A-Z0-9][A-Z0-9/-]{3,24})(?![\w-])"
_ORDER_CUE = re.compile(
    r"\b(?:order|bestell(?:ung|nummer|nr\.?)|auftrag(?:snummer)?|rechnung(?:snummer)?|sendung(?:snummer)?|paketnummer"
    r"|commande|facture|colis|suivi|pedido|factura|env[ií]o|ordine|fattura|bestelling|bestelnummer|factuur)"
    rf"{_NUMBER_SIGN} ?:? ?({_NUMBER})",
    re.IGNORECASE,
)
_CUSTOMER_CUE = re.compile(
    rf"\b(?:kundennummer|kunden-?nr\.?|(?:num[eé]ro|n°) (?:de )?client|n[úu]mero de cliente|codice cliente|klantnummer"
    rf"|customer (?:number|id|no\.?))(?: (?:ist|lautet|est|es|è|is))? ?:? ?({_NUMBER})",
    re.IGNORECASE,
)
_BORN = re.compile(
    r"\b(?:geboren(?: am)?|geburtsdatum|geburtstag|n[ée]e? le|date de naissance|nacid[oa] el|fecha de nacimiento"
    r"|nat[oa] il|geboortedatum)\b[^\d\n]{0,12}(\d{1,2}[-/. ]{1,2}(?:\d{1,2}|[^\W\d_]{3,10})[-/. ]{1,2}\d{2,4})",
    re.IGNORECASE,
)
_AT, _DOT = r"(?:ät|arobase|arroba|chiocciola)", r"(?:punkt|point|punto)"
_SPOKEN_EMAIL = re.compile(
    rf"(?<![\w.+-])[\w.+-]{{2,64}} {{0,2}}(?:[(\[] ?(?:at|{_AT}) ?[)\]]| {_AT} ) {{0,2}}[\w-]{{2,63}}"
    rf"(?: {{0,2}}(?:[(\[] ?{_DOT} ?[)\]]| {_DOT} |\.) {{0,2}}\w{{2,20}}){{1,3}}\b",
    re.IGNORECASE,
)
_PASSWORD = re.compile(
    r"\b(?:password|passwort|kennwort|mot de passe|contraseña|wachtwoord|api[ _-]?key|access token|cvv|cvc)"
    r"\b\s?(?:is|ist|lautet|est|es|è|:|=)?\s{1,2}((?=\S{0,40}\d)\S{3,80})",
    re.IGNORECASE,
)
#: Keys of well-known forms, JSON web tokens, and long runs that mix digits with small and capital letters.
_TOKEN = re.compile(
    r"(?<![\w/-])(?:(?:sk|pk|rk|whsec|ghp|gho|glpat|xox[abp])[_-][\w-]{10,200}|AKIA[A-Z0-9]{12,40}"
    r"|eyJ[\w-]{8,400}(?:\.[\w-]{4,400}){1,2}"
    r"|(?=[\w-]{0,80}\d)(?=[\w-]{0,80}[a-z])(?=[\w-]{0,80}[A-Z])[A-Za-z0-9][\w-]{19,200}|[0-9a-f]{32,128})(?![\w-])"
)
_FINDERS = (
    (_ORDER_CUE, "ORDER", 1),
    (_CUSTOMER_CUE, "CUSTOMER", 1),
    (_BORN, "DATE", 1),
    (_SPOKEN_EMAIL, "EMAIL", 0),
    (_PASSWORD, "TOKEN", 1),
    (_TOKEN, "TOKEN", 0),
    (_NAME_CUE, "NAME", 1),
    (_CAPITALISED_CUE, "NAME", 1),
    (_PAIR_CUE, "NAME", 1),
)


def find_after_cues(text: str) -> Iterator[tuple[int, int, str]]:
    """Start, end and kind of every stretch; they may overlap."""
    for pattern, kind, group in _FINDERS:
        for match in pattern.finditer(text):
            yield *match.span(group), kind

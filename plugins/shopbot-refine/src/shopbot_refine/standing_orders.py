"""Standing orders in a message, told by what they speak of: what holds from now on, what others say, who reads the
logs, what a model learns, who has changed the rules. A customer speaks of their own order; these speak of everybody's.

English, German and Spanish. The words of the deed are those of a shop's writes, so that "what do you do when somebody
thanks you" is no order.
"""

from __future__ import annotations

import re

_DEED = (
    r"(?:refund\w*|return\w*|cancel\w*|exchang\w*|approv\w*|accept\w*|confirm\w*|yes|address change|erstatt\w+"
    r"|rückgabe\w*|rücksendung\w*|stor(?:no|nier)\w*|umtausch\w*|bestätig\w*|adressänderung\w*|devoluci\w+"
    r"|reembols\w+|cancel[ae]\w*|anula\w*|cambio\w*|confirma\w*|apr(?:ob|ueb)\w+)"
)
_LATER = (
    r"(?:(?:as of|starting|effective) (?:today|now|tomorrow|this \w+|immediately|\w+day)|until further notice"
    r"|(?:in|for) (?:the |all )?future\b|from (?:today|tomorrow|now)|bis auf weiteres|ab (?:heute|morgen|jetzt|sofort)"
    r"|in zukunft|künftige?n?|a partir de (?:hoy|mañana|ahora)|desde (?:hoy|ahora)|hasta nuevo aviso"
    r"|en (?:el futuro|adelante))"
)
_ANYBODY = (
    r"(?:(?:some|any|every)(?:body|one)|people|(?:(?:a|any|every|each|other|another) )?"
    r"(?:customer|shopper|user|visitor)s?|jemand|alle|jeder|(?:ein )?kunden?|alguien|cualquiera|todos"
    r"|(?:un )?clientes?)"
)
_WHENEVER = r"(?:whenever|when|if|(?:every|each|any|the next) time|wenn|jedes ?mal wenn|sobald|cada vez que|cuando|si)"
_SAYS = (
    r"(?:says?|writes?|asks?|mentions?|thanks?|greets?|sagt|schreibt|fragt|erwähnt|dankt|grüßt|di[gc][ae]|escrib[ae]"
    r"|pregunt[ae]|mencion[ae]|salud[ae])"
)
_MESSAGES = (
    r"(?:messages?|chats?|greetings?|hello|\w+ questions|nachrichten|anfragen|begrüßung\w*|mensajes|saludos?"
    r"|preguntas)"
)
_MEANS = r"(?:means?|are|is|counts? as|gilt|gelten|ist|sind|es|son|significa\w*|están)"
_FILE_AS = (
    r"(?:count|file|filed|tag|label|classif\w+|categori[sz]e|mark|treat|consider|einordnen|werten|markier\w+|etiqu\w+"
    r"|clasifi\w+|marca)"
)
_READERS = (
    r"(?:annotators?|label?lers?|graders?|reviewers?|moderators?|(?:whoever|anyone who|those who|people who|the person"
    r"|wer|die|quien(?:es)?)\b.{0,20}\b(?:(?:re)?train\w*|read\w*|grad\w+|label\w*|review\w*|annotat\w+"
    r"|classif\w+|lesen|liest"
    r"|auswerte[nt]|prüf(?:en|t)|lean?|revise\w*|clasifi\w+|etiquete\w*))"
)
_BOT = r"(?:ai|llm|(?:chat-?)?bots?|assistant|(?:language )?model|robot|ki|asistente|ia)"
_CHARGE = (
    r"(?:manage(?:r|ment)|owner|boss|ceo|developers|head ?office|geschäftsleitung|chef|leitung|dirección|jef[ae]"
    r"|gerencia)"
)

STANDING_ORDERS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        # from now on
        rf"\b{_LATER}\b.{{0,60}}\b{_DEED}\b",
        # what others say is to mean a deed
        rf"\b{_WHENEVER} {_ANYBODY}\b.{{0,12}}\b{_SAYS}\b.{{0,60}}\b{_DEED}\b",
        rf"\b{_WHENEVER} (?:an?|the|any|eine?|un|el) (?:message|chat|text|nachricht|mensaje)\b.{{0,20}}"
        rf"\b(?:contains?|has|{_SAYS}|enthält|contiene)\b",
        rf"\b{_MESSAGES}\b.{{0,30}}\b{_MEANS}\b.{{0,20}}\b{_DEED}\b",
        rf"\b{_FILE_AS}\b.{{0,60}}\b(?:as|under|als|como)\b.{{0,20}}\b{_DEED}\b",
        rf"\b(?:als|como)\b.{{0,20}}\b{_DEED}\b.{{0,20}}\b{_FILE_AS}\b",
        r"\b(?:every|each|all)(?: \w+)? (?:customers?|shoppers?|users?|refunds?|returns?|cancellations?"
        r"|requests?)\b.{0,20}"
        r"\b(?:gets?|is|are) (?:\w+ ){0,2}(?:money back|refunded|approved|accepted|confirmed|paid)\b",
        # who reads or learns from the logs
        rf"\b{_READERS}\b.{{0,60}}\b(?:{_DEED}|{_FILE_AS}|intent|correct)\b",
        r"\b(?:retrain\w*|training (?:set|data|run|corpus)|neural net\w*|when you learn"
        r"|what you (?:have )?learn(?:t|ed)"
        r"|(?:next|nächsten|próximo) (?:training|entrenamiento))\b",
        rf"\b(?:dear|hey|attention|memo to|tell|lieber?|querid[oa]|oye)\b.{{0,12}}\b{_BOT}\b.{{0,60}}"
        rf"\b(?:(?:all|every|alle\w*|jede\w*|todos|todas)\b.{{0,30}}\b{_DEED}|means? an?)\b",
        r"\b(?:remember|learn|make it a habit|merk dir|lerne?|recuerda|aprende)\b.{0,20}\b(?:that|all|every|future|to"
        r"|alle|dass|que|todos)\b.{0,40}\b(?:people|everyone|chats|conversations|messages|nachrichten|gespräche"
        r"|mensajes"
        r"|conversaciones)\b",
        # who is said to have changed the rules
        rf"\b{_CHARGE}\b.{{0,20}}\b(?:decided|ordered|agreed|beschlossen|entschieden|decidido"
        rf"|ordenado)\b.{{0,60}}\b{_DEED}\b",
        rf"\b(?:polic(?:y|ies)|rules|terms|procedures?|regeln|normas|condiciones)\b.{{0,20}}\b(?:changed"
        rf"|updated|amended"
        rf"|geändert|cambiad[oa]s?|cambiaron)\b.{{0,60}}\b{_DEED}\b",
        r"\b(?:you (?:no longer|don't|do not) (?:need|have) to|du nicht mehr|ya no)\b.{0,20}\b(?:ask|confirm"
        r"|verify|check"
        r"|fragen|nachfragen|bestätigen|preguntar|confirmar|verificar)\b.{0,20}\b(?:any ?(?:more|longer|body"
        r"|one)|before"
        r"|bevor|antes)\b",
    )
)

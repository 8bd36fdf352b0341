"""Merging: what new acts do to the tasks under way."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from shopbot import phrases
from shopbot.confirmation import is_plain_yes
from shopbot.references.words import nouns, ordinal
from shopbot.session import Frame, SessionState
from shopbot.textindex import fold
from shopbot.tools import RESERVED_SLOTS, Tool
from shopbot.types import Act

_ALSO = re.compile(r"\b(also|too|as well|additionally|plus|another|add)\b")
_INSTEAD = re.compile(r"\b(instead|actually|rather|changed my mind|on second thought)\b")
_THANKS = re.compile(r"\b(thanks|thank you|thx|ty|cheers|appreciated?)\b")
_NO_FIRST = re.compile(r"(?:no|nope|nah)\b")
_BYE = re.compile(r"\b(bye|goodbye|see you|that s all|thats all|nothing else|have a (nice|good|great))\b")
_HELLO = re.compile(r"\b(hi|hello|hey|good (morning|evening|afternoon)|greetings|howdy)\b")
_BOT = re.compile(r"\b(bot|human|robot|ai|machine|real person|who are you|your name|what are you|what can you)\b")
_MAX_FRAMES = 8


@dataclass(slots=True)
class Merged:
    """What to say besides the tasks' own questions."""

    texts: list[str] = field(default_factory=list)
    handoff_reason: str | None = None
    is_lost: bool = False


def merge(state: SessionState, acts: Sequence[Act], message: str, tools: Mapping[str, Tool]) -> Merged:
    """Apply the acts of one message to the session's frames, in order."""
    merged = Merged()
    fresh: list[Frame] = []
    corrects = any(act.name == "inform" or act.name in tools for act in acts)
    if corrects and _declines(state, acts, message):
        acts, corrects = (Act("deny"),), False
    for act in acts:
        if act.name in tools:
            _tool_act(state, act, message, tools, fresh)
        elif act.name == "inform":
            _inform(state, act, message, tools)
        elif act.name == "deny" and corrects and state.frame is not None:
            continue  # "no, the blue one": a correction, not a refusal
        else:
            _dialogue_act(state, act, message, merged)
    if not acts:
        _no_act(state, message, merged)
    _order_frames(state, fresh, message, tools)
    return merged


def _declines(state: SessionState, acts: Sequence[Act], message: str) -> bool:
    """ "no, she wants the belt": at a read-back, a no that brings nothing the read-back does not have already."""
    frame, awaiting = state.frame, state.awaiting
    if frame is None or awaiting is None or awaiting.kind != "confirmation" or not _NO_FIRST.match(fold(message)):
        return False
    known = fold(frame.read_back)
    return all(
        act.name in ("inform", "deny") and all(fold(words) in known for words in act.arguments.values()) for act in acts
    )


def _tool_act(state: SessionState, act: Act, message: str, tools: Mapping[str, Tool], fresh: list[Frame]) -> None:
    """A tool is wanted: more about the one in hand, more of one in this very message, or a new task."""
    tool = tools[act.name]
    same = next((frame for frame in reversed(fresh) if frame.tool == act.name), None)
    if same is not None and not tool.spoken:
        return  # it reads the whole message already
    if same is None and fresh and _is_sibling(tools[fresh[-1].tool], act, tool):
        same = fresh[-1]
    if same is not None and _belongs(same, act, tool):
        _extend(same, act, tool)
        return
    frame = state.frame
    if same is None and frame is not None and frame.tool == act.name and frame not in fresh:
        names_other = "order" in act.arguments and frame.bound.get("order") and tool.effect == "read"
        if not names_other:
            _update(frame, act, message)
            return
    words: dict[str, list[str | None]] = {
        slot: [said] for slot, said in act.arguments.items() if _is_plain(tool, slot, act.said or message)
    }
    fresh.append(Frame(act.name, words, message=(act.said or message)[:2000]))


def _is_sibling(before: Tool, act: Act, tool: Tool) -> bool:
    """Whether an act without an order goes on with the call before it: exchanging and changing items take the same
    slots, and which of them an order allows is for the policy to say, not for the model."""
    slots = [(parameter.name, parameter.kind) for parameter in tool.spoken]
    has_items = any(kind == "items" for _, kind in slots)
    return has_items and "order" not in act.arguments and slots == [(one.name, one.kind) for one in before.spoken]


def _is_plain(tool: Tool, slot: str, message: str) -> bool:
    """A choice by meaning counts only where code can read it in the message too; else it is asked for."""
    parameter = tool.parameter(slot)
    return parameter is None or parameter.slot.infer is None or parameter.slot.infer(message) is not None


def _belongs(frame: Frame, act: Act, tool: Tool) -> bool:
    """Whether a second act of one tool adds to the same call: several things of one order, not several orders."""
    has_items = any(parameter.kind == "items" for parameter in tool.parameters)
    order = act.arguments.get("order")
    return has_items and (order is None or [order] == frame.words.get("order"))


def _extend(frame: Frame, act: Act, tool: Tool) -> None:
    """Add one more thing; lists of things and wishes stay side by side."""
    rows = max((len(frame.words.get(slot, [])) for slot in ("item", "want")), default=0) or 1
    pairs = [parameter.name for parameter in tool.spoken if parameter.kind in ("items", "variants")]
    for slot in pairs:
        said = frame.words.setdefault(slot, [])
        said += [None] * (rows - len(said))
        said.append(act.arguments.get(slot))
    for slot, words in act.arguments.items():
        if slot not in pairs:
            frame.words.setdefault(slot, [words])


def _update(frame: Frame, act: Act, message: str) -> None:
    """More about the task in hand. "also" adds a thing, another wish for one of several things replaces the wish for
    that one; otherwise new words replace old ones."""
    place = _place_of(frame, act.arguments.get("item", ""))
    if place is not None and "want" in act.arguments:
        wants = frame.words.setdefault("want", [])
        wants += [None] * (place + 1 - len(wants))
        wants[place] = act.arguments["want"]
        frame.unbind("want")
        for slot in act.arguments.keys() - {"item", "want"}:
            frame.say(slot, act.arguments[slot])
    elif "item" in act.arguments and frame.words.get("item") and _ALSO.search(fold(message)):
        frame.words["item"].append(act.arguments["item"])
        if "want" in frame.words or "want" in act.arguments:
            wants = frame.words.setdefault("want", [])
            wants += [None] * (len(frame.words["item"]) - 1 - len(wants))
            wants.append(act.arguments.get("want"))
        frame.unbind("item")
    else:
        for slot, words in act.arguments.items():
            frame.say(slot, words)
    frame.stage = "open"


def _place_of(frame: Frame, item: str) -> int | None:
    """Which of several things of the task these words name: the one that they share a noun with, if there is one."""
    said = [set(nouns(words or "")) for words in frame.words.get("item", [])]
    named = [place for place, words in enumerate(said) if words & set(nouns(item))]
    return named[0] if len(said) > 1 and len(named) == 1 else None


def _inform(state: SessionState, act: Act, message: str, tools: Mapping[str, Tool]) -> None:
    """Facts for the task in hand; a fact that it has no slot for answers the open question, if there is one."""
    frame = state.frame
    facts = {slot: words for slot, words in act.arguments.items() if slot not in RESERVED_SLOTS}
    if frame is None or frame.tool not in tools:
        last = tools.get(state.last_tool or "")
        known: dict[str, list[str | None]] = {
            slot: [words] for slot, words in facts.items() if last and last.parameter(slot)
        }
        if last is not None and known and last.effect == "read":
            state.frames.append(Frame(last.name, known, message=message[:2000]))
        return
    tool = tools[frame.tool]
    if "want" in facts and _place_of(frame, facts.get("item", "")) is not None:
        _update(frame, Act(tool.name, {slot: words for slot, words in facts.items() if tool.parameter(slot)}), message)
        return
    awaited = state.awaiting.slot if state.awaiting and state.awaiting.kind == "slot" else None
    for slot, words in facts.items():
        target = slot if tool.parameter(slot) else awaited if awaited not in facts else None
        if target == awaited and awaited is not None:
            answer(state, frame, words)
        elif target == "item" and _ALSO.search(fold(message)) and frame.words.get("item"):
            _update(frame, Act(tool.name, {"item": words}), message)
        elif target is not None:
            frame.say(target, words)


def answer(state: SessionState, frame: Frame, words: str) -> None:
    """Take words as the answer to the open question about a slot; a number or a place picks from the list shown."""
    assert state.awaiting is not None and state.awaiting.slot is not None
    slot, position = state.awaiting.slot, state.choice_position
    place = ordinal(words, len(state.choice_words))
    picked = state.choice_words[place] if place is not None else words
    said = list(frame.words.get(slot, []))
    said += [None] * (position + 1 - len(said))
    said[position] = picked
    frame.unbind(slot)
    frame.words[slot] = said


def direct_answer(state: SessionState, message: str) -> bool:
    """Whether the message picks from the list that was shown: then no model is needed. Applies it if so."""
    frame, awaiting = state.frame, state.awaiting
    if frame is None or awaiting is None or awaiting.kind != "slot" or not state.choice_words:
        return False
    exact = [words for words in state.choice_words if fold(words) == fold(message)]
    if len(state.choice_words) == 1 and is_plain_yes(message):
        exact = state.choice_words
    if ordinal(message, len(state.choice_words)) is None and not exact:
        return False
    answer(state, frame, exact[0] if exact else message)
    return True


def _dialogue_act(state: SessionState, act: Act, message: str, merged: Merged) -> None:
    frame, awaiting, text = state.frame, state.awaiting, fold(message)
    match act.name:
        case "affirm" if frame is not None and awaiting is not None and awaiting.kind == "confirmation":
            merged.texts.append(phrases.NOT_A_YES)
        case "affirm" if frame is None:
            merged.texts.append(
                phrases.ANYTHING_ELSE if not is_plain_yes(message) or state.last_tool else phrases.NOTHING_OPEN
            )
        case "deny" | "nevermind" if frame is not None:
            if awaiting is not None and awaiting.kind == "identity":
                state.frames.clear()
                merged.texts.append(phrases.IDENTITY_DECLINED)
            else:
                state.frames.remove(frame)
                merged.texts.append(phrases.DROPPED)
        case "deny" | "nevermind":
            merged.texts.append(phrases.ALL_DONE)
        case "handoff":
            merged.handoff_reason = "asked for a human agent"
        case "other_language":
            merged.texts.append(phrases.OTHER_LANGUAGE)
            merged.handoff_reason = "other language"
        case "abuse":
            merged.texts.append(phrases.ABUSE)
        case "out_of_scope":
            merged.texts.append(phrases.OUT_OF_SCOPE)
        case "smalltalk":
            merged.texts.append(_chat(text))


def _chat(text: str) -> str:
    for pattern, sentence in (
        (_THANKS, phrases.THANKS),
        (_BYE, phrases.ALL_DONE),
        (_BOT, phrases.BOT),
        (_HELLO, phrases.GREETING),
    ):
        if pattern.search(text):
            return sentence
    return phrases.SMALLTALK


def _no_act(state: SessionState, message: str, merged: Merged) -> None:
    """Nothing understood: where a question about a slot is open, the whole message is its answer."""
    frame, awaiting = state.frame, state.awaiting
    if frame is not None and awaiting is not None and awaiting.kind == "slot":
        answer(state, frame, message)
    elif frame is not None and awaiting is not None and awaiting.kind == "confirmation" and "want" in frame.words:
        frame.say("want", message)
    elif awaiting is None or awaiting.kind != "identity":
        merged.is_lost = True


def _order_frames(state: SessionState, fresh: list[Frame], message: str, tools: Mapping[str, Tool]) -> None:
    """Where new tasks go: looking something up interrupts, "instead" replaces, everything else waits its turn."""
    if not fresh:
        return
    current = state.frame
    if current is None:
        state.frames = fresh[:_MAX_FRAMES]
        return
    if _INSTEAD.search(fold(message)) and tools[fresh[0].tool].effect == tools[current.tool].effect == "write":
        first = fresh[0]
        for slot in ("order", "item", "want", "payment"):
            if slot in current.words and slot not in first.words and tools[first.tool].parameter(slot):
                first.words[slot] = list(current.words[slot])
        if "order" not in first.words and "order" in current.bound and tools[first.tool].parameter("order"):
            first.bound["order"] = current.bound["order"]
        state.frames.remove(current)
        state.frames = [*fresh, *state.frames][:_MAX_FRAMES]
        return
    reads = [frame for frame in fresh if tools[frame.tool].effect == "read"]
    writes = [frame for frame in fresh if tools[frame.tool].effect == "write"]
    state.frames = [*reads, *state.frames, *writes][:_MAX_FRAMES]

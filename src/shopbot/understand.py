"""From a message to typed acts: prompt, grammar, decode, grounding, confidence.

The prompt (format 1) is terse on purpose, for every token costs milliseconds on the box: a static head that the
engine keeps cached, the dialogue state in a few words, the message. What a tool is called and what it takes is in
the weights of the LoRA adapter; the grammar holds the model to the tools that are enabled. Tools that the checkpoint
was not trained on are found by their example utterances instead (see docs/understanding.md for the measurement).
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from time import perf_counter

from rapidfuzz import fuzz

from shopbot import grammar
from shopbot.backends import Completion, ModelBackend
from shopbot.session import open_tool
from shopbot.textindex import TextIndex, fold
from shopbot.tools import Tool
from shopbot.types import DIALOGUE_ACTS, Act, Tokens

PROMPT_FORMAT = 1
#: Never changes, so the engine reads it once.
PROMPT_HEAD = "<|im_start|>shop acts\n"
#: Added to an act's logit, it makes the act impossible while there is another.
NEVER = -100.0
#: A bias that leaves tools only.
NO_DIALOGUE: Mapping[str, float] = dict.fromkeys(DIALOGUE_ACTS, NEVER)
#: A word that the model copied with a slip is put right when it is this similar (0–100) to a stretch of the message.
SNAP_SIMILARITY = 86.0
#: A message may be about a tool without training if its nearest example is that near (cosine, 0–1) …
NOVELTY_SIMILARITY = 0.4
#: … and is, without asking the model, if it is that near, or has a word of that tool's and its example leads so much.
SURE_SIMILARITY = 0.75
SURE_LEAD = 0.1
#: Else a trained tool that the model is that sure of is meant after all: without such a word, and with one.
VETO_CONFIDENCE, VETO_CONFIDENCE_WORD = 0.7, 0.95
#: The other tools without training with an example this share as near are candidates too.
CANDIDATE_SHARE = 0.6
MAX_CANDIDATES = 4
_DEMONSTRATIONS = 6
_MAX_GRAMMARS = 256
_MIN_DISTINCTIVE = 4
_MIN_SEGMENT_WORDS = 3
_SENTENCE_END = re.compile(r"(?<=[.;!?])\s+(?=[A-Z])")
_BRACES = re.compile(r"\{[^}]*\}|\([^)]*\)")
_NUMBER = re.compile(r"#?[A-Z]{0,4}-?\d{5,}")
_CONTINUES = re.compile(r"(?:and|also|same|plus|then|or|but|it|that|this|they)\b", re.IGNORECASE)
_EXAMPLE_ARGUMENT = re.compile(r"\[(\w+): ([^\]]+)\]")


@dataclass(frozen=True, slots=True)
class Calibration:
    """Platt scaling: P(right) = sigmoid(slope · logit(p) + offset), p the model's probability of the act's name."""

    slope: float = 1.0
    offset: float = 0.0

    def __call__(self, logprob: float) -> float:
        clipped = min(max(math.exp(logprob), 1e-6), 1 - 1e-6)
        return 1 / (1 + math.exp(-(self.slope * math.log(clipped / (1 - clipped)) + self.offset)))


@dataclass(frozen=True, slots=True)
class Novelty:
    """Tools without training that a message may mean, best first, with demonstrations for them. ``veto``: the model's
    confidence in a trained tool from which on that one is meant; above 1: never."""

    tools: tuple[str, ...]
    demonstrations: tuple[tuple[str, str], ...]
    veto: float


@dataclass(frozen=True, slots=True)
class Understood:
    """The acts of one message. ``dropped`` names the arguments that the message does not contain."""

    acts: tuple[Act, ...]
    completion: Completion
    dropped: tuple[str, ...]
    timings_ms: Mapping[str, float]
    tokens: Tokens


def render_prompt(state: str, message: str, demonstrations: Sequence[tuple[str, str]] = ()) -> str:
    """The prompt of format 1. ``demonstrations``: pairs of message and acts, shown as earlier exchanges."""
    shown = "".join(f"{_exchange('-', text)}{acts}<|im_end|>\n" for text, acts in demonstrations)
    return PROMPT_HEAD + shown + _exchange(state, message)


def _exchange(state: str, message: str) -> str:
    return f"[{state}] {neutralise(message)}<|im_end|>"


def neutralise(message: str) -> str:
    """The message on one line, with nothing in it that an engine could take for a control token."""
    return re.sub(r"<(?=[|/])|(?<=\|)>", " ", " ".join(message.split()))


def ground(value: str, message: str) -> str | None:
    """The stretch of ``message`` that ``value`` copies, or None if it is not there.

    Case and white space may differ, and a slip of the model is put right when the most similar stretch of the message
    is similar enough. What comes back stands in the message letter by letter.
    """
    wanted, text = " ".join(value.split()), " ".join(message.split())
    if not wanted or not text:
        return None
    words, among = _lower(wanted), _lower(text)
    # "L" in "please, in L" is the word, not the letter in "please"
    whole = re.search(rf"(?<!\w){re.escape(words)}(?!\w)", among)
    at = whole.start() if whole else among.find(words)
    if at >= 0:
        return _whole_words(text, at, at + len(words))
    if len(words) < 4:
        return None
    near = fuzz.partial_ratio_alignment(words, among, score_cutoff=SNAP_SIMILARITY)
    if near is None or near.dest_end - near.dest_start < 4:
        return None
    return _whole_words(text, near.dest_start, near.dest_end)


def _lower(text: str) -> str:
    """``text`` in lower case, letter for letter: places in it are places in ``text``."""
    return "".join(low if len(low := letter.lower()) == 1 else letter for letter in text)


def _whole_words(text: str, start: int, end: int) -> str:
    """Widen a stretch so that it cuts no word or number in two."""
    while start > 0 and text[start].isalnum() and text[start - 1].isalnum():
        start -= 1
    while end < len(text) and text[end - 1].isalnum() and text[end].isalnum():
        end += 1
    return text[start:end].strip()


def segments(message: str) -> list[str]:
    """The parts of a message that can be understood apart: a new one begins with each sentence that has an order
    number of its own and says what to do with it."""
    masked = _BRACES.sub(lambda match: "x" * len(match[0]), message)
    starts, numbers = [0], set(_NUMBER.findall(_first_sentence(masked)))
    for match in _SENTENCE_END.finditer(masked):
        sentence = _first_sentence(masked[match.end() :])
        named = set(_NUMBER.findall(sentence))
        is_whole = len(sentence.split()) >= _MIN_SEGMENT_WORDS and not _CONTINUES.match(sentence)
        if numbers and named and is_whole:
            starts.append(match.end())
        numbers |= named
    return [message[start:end].strip() for start, end in zip(starts, [*starts[1:], len(message)], strict=True)]


def _first_sentence(text: str) -> str:
    return _SENTENCE_END.split(text, maxsplit=1)[0]


class Understanding:
    """Turns messages into acts with one backend and one set of tools.

    ``trained``: the tools the checkpoint was trained on; the others are routed by their examples. ``bias``: act → what
    is added to its logit. Thread-safe.
    """

    def __init__(
        self,
        backend: ModelBackend,
        tools: Iterable[Tool],
        *,
        trained: Iterable[str] = (),
        calibration: Calibration | None = None,
        bias: Mapping[str, float] | None = None,
    ) -> None:
        self.backend = backend
        self.tools = {tool.name: tool for tool in tools}
        self._signatures = grammar.signatures(self.tools.values())
        self._grammars: dict[tuple[tuple[str, ...], str | None], str] = {}
        self._calibration = calibration or Calibration()
        # an act is decided by the first word of its name
        self._bias = {name.partition("_")[0]: value for name, value in (bias or {}).items()}
        self._novel = frozenset(self.tools) - frozenset(trained)
        examples = [(tool.name, example) for tool in self.tools.values() for example in tool.examples]
        self._examples = examples if self._novel else []
        self._index = TextIndex([plain_example(example) for _, example in self._examples])
        self._distinctive = _distinctive(self._examples, self._novel)

    def __call__(self, message: str, state: str) -> Understood:
        """Understand ``message`` in the dialogue ``state`` (see :func:`shopbot.session.prompt_state`).

        A message that treats several orders in several sentences is understood part by part: each part is a prompt as
        short as those that the model does best, and what is read and written stays the same.
        """
        parts = segments(message)
        if len(parts) == 1:
            return self._understand(message, state)
        found = [self._understand(part, state if place == 0 else "-") for place, part in enumerate(parts)]
        acts = tuple(replace(act, said=part) for part, one in zip(parts, found, strict=True) for act in one.acts)
        timings = {stage: sum(one.timings_ms[stage] for one in found) for stage in found[0].timings_ms}
        dropped = tuple(name for one in found for name in one.dropped)
        return Understood(acts, found[-1].completion, dropped, timings, sum((one.tokens for one in found), Tokens()))

    def _understand(self, message: str, state: str) -> Understood:
        novelty, tokens = self._novelty(message), Tokens()
        if novelty is None:
            return self._read(message, state, self.tools)
        if novelty.veto <= 1 and len(self._novel) < len(self.tools):
            trained = self._read(message, state, [name for name in self.tools if name not in self._novel])
            act = trained.acts[0] if trained.acts else None
            if act is not None and act.name in self.tools and act.confidence >= novelty.veto:
                return trained
            tokens = trained.tokens
        found = self._read(message, state, novelty.tools, novelty.demonstrations)
        acts = (self._prefer(novelty.tools, found.acts, message),)
        return replace(found, acts=acts, tokens=tokens + found.tokens)

    def within_scope(self, message: str, state: str, first: Understood) -> Understood:
        """Understand a message of which code knows that it is about the shop: the likeliest acts that are so, too.

        ``first``: how it was understood before; its time and its tokens count with this one's.
        """
        again = self._read(message, state, self.tools, bias={**self._bias, "out": NEVER})
        spent = {stage: ms + first.timings_ms[stage] for stage, ms in again.timings_ms.items()}
        return replace(again, timings_ms=spent, tokens=first.tokens + again.tokens)

    def _read(
        self,
        message: str,
        state: str,
        names: Iterable[str],
        demonstrations: Sequence[tuple[str, str]] = (),
        bias: Mapping[str, float] | None = None,
    ) -> Understood:
        """Have the model read the message, held to the tools of these names; ``bias`` instead of the usual one."""
        started = perf_counter()
        allowed = self._allowed(tuple(names), state)
        prompt = render_prompt(state, message, demonstrations)
        prepared = perf_counter()
        bias = self._bias if bias is None else bias
        biased = {"bias": bias} if bias else {}
        completion = self.backend.complete(prompt, grammar=allowed, max_tokens=48 + len(message) // 2, **biased)
        decoded = perf_counter()
        acts, dropped = self._decode(completion, message)
        timings = {"prompt": 1e3 * (prepared - started), "model": 1e3 * (decoded - prepared)}
        timings["decode"] = 1e3 * (perf_counter() - decoded)
        read = completion.prompt_tokens - completion.cached_tokens
        tokens = Tokens(read, completion.cached_tokens, len(completion.tokens))
        return Understood(tuple(acts), completion, tuple(dropped), timings, tokens)

    def _allowed(self, names: tuple[str, ...], state: str) -> str:
        """The grammar of these tools in this dialogue state; the latest are kept."""
        key = (names, open_tool(state))
        if key not in self._grammars:
            if len(self._grammars) >= _MAX_GRAMMARS:
                self._grammars.clear()
            self._grammars[key] = grammar.build((self.tools[name] for name in names), self.tools.get(key[1] or ""))
        return self._grammars[key]

    def _decode(self, completion: Completion, message: str) -> tuple[list[Act], list[str]]:
        acts: list[Act] = []
        dropped: list[str] = []
        for raw in grammar.parse(completion.text):
            if raw.name not in self._signatures:
                continue
            arguments = {}
            for key, value in raw.arguments.items():
                values = self._signatures[raw.name].get(key)
                if values is None:
                    continue
                is_choice = isinstance(values, tuple) and value in values
                grounded = value if is_choice else ground(value, message)
                if grounded is None:
                    dropped.append(f"{raw.name}.{key}")
                else:
                    arguments[key] = grounded
            if raw.name == "inform" and raw.arguments and not arguments:
                continue
            acts.append(Act(raw.name, arguments, self._confidence(completion, raw)))
        return acts, dropped

    def _confidence(self, completion: Completion, raw: grammar.RawAct) -> float:
        """Calibrated probability of the act's name: the product over the tokens that spell it."""
        logprob, offset = 0.0, 0
        for token in completion.tokens:
            begin, offset = offset, offset + len(token.text)
            if begin < raw.name_end and offset > raw.start:
                logprob += token.logprob
        return self._calibration(logprob)

    def _novelty(self, message: str) -> Novelty | None:
        """What the message may mean of the tools without training: its nearest example is one of theirs and near, or it
        has a word that only theirs have."""
        if not self._novel or not message.strip():
            return None
        scores = self._index.scores(message)
        order = [int(row) for row in scores.argsort()[::-1]]
        rows = [row for row in order if self._examples[row][0] in self._novel and scores[row] > 0]
        has_word = not self._distinctive.isdisjoint(words(message))
        if not rows or not (has_word or (rows[0] == order[0] and scores[rows[0]] >= NOVELTY_SIMILARITY)):
            return None
        rival = next((float(scores[row]) for row in order if self._examples[row][0] not in self._novel), 0.0)
        lead = float(scores[rows[0]]) - rival
        is_sure = scores[rows[0]] >= SURE_SIMILARITY or (has_word and lead >= SURE_LEAD)
        near = [row for row in rows if scores[row] >= CANDIDATE_SHARE * scores[rows[0]]]
        names = list(dict.fromkeys(self._examples[row][0] for row in near))[:MAX_CANDIDATES]
        shown = [row for row in rows if self._examples[row][0] in names][:_DEMONSTRATIONS]
        return Novelty(
            tuple(names),
            tuple(demonstration(*self._examples[row]) for row in reversed(shown)),
            2.0 if is_sure else VETO_CONFIDENCE_WORD if has_word else VETO_CONFIDENCE,
        )

    def _prefer(self, candidates: Sequence[str], acts: Sequence[Act], message: str) -> Act:
        """Where the examples decided, the model only fills arguments: its choice of name does not count."""
        similarity = float(max(self._index.scores(message)))
        return next((act for act in acts if act.name in candidates), Act(candidates[0], {}, similarity))


def _distinctive(examples: Sequence[tuple[str, str]], novel: frozenset[str]) -> frozenset[str]:
    """Words that at least two examples of a novel tool have, and no example of the trained ones."""
    common = {word for name, example in examples if name not in novel for word in words(plain_example(example))}
    counts: Counter[tuple[str, str]] = Counter()
    for name, example in examples:
        if name in novel:
            counts.update((name, word) for word in words(plain_example(example)))
    return frozenset(word for (_, word), count in counts.items() if count >= 2 and word not in common)


def words(text: str) -> set[str]:
    """The longer words of a text, folded. A plural is another word: "points" is not what "at some point" has."""
    return {word for word in fold(text).split() if len(word) >= _MIN_DISTINCTIVE}


def plain_example(example: str) -> str:
    """An example without its argument marks: ``cancel [order: 4711]`` → ``cancel 4711``."""
    return _EXAMPLE_ARGUMENT.sub(r"\2", example)


def demonstration(tool: str, example: str) -> tuple[str, str]:
    """(message, act) of an example, its argument marks turned into arguments."""
    arguments = dict(_EXAMPLE_ARGUMENT.findall(example))
    return plain_example(example), str(Act(tool, arguments))

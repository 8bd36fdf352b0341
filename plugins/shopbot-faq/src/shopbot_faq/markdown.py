"""One Markdown file becomes passages: a heading and the text until the next heading.

A line that begins with ``questions:`` holds other ways to ask, separated by ``|``; it is searched, never shown. A file
may begin with front matter (``---``, then ``key: value`` lines, then ``---``): ``title``, ``url`` (http or https) and
``topic`` are used, other keys are ignored. HTML stays text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from markdown_it import MarkdownIt
from markdown_it.token import Token

MAX_PASSAGE_CHARS = 4_000
MAX_QUESTIONS = 50
MAX_QUESTION_CHARS = 1_000
MAX_TITLE_CHARS = 200
_FRONT_MATTER_LINES = 40
_QUESTIONS = re.compile(r"\s*questions\s*:\s*(.*)", re.IGNORECASE)
_KEY = re.compile(r"\s*([A-Za-z_-]{1,40})\s*:\s*(.*?)\s*\Z")
_NOT_IN_ANCHOR = re.compile(r"[^\w\- ]")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")


@dataclass(frozen=True, slots=True)
class Passage:
    """One thing the shop says. ``trail``: the titles above it, outermost first, the file's included."""

    file: str
    anchor: str
    title: str
    text: str
    trail: tuple[str, ...] = ()
    questions: tuple[str, ...] = ()
    topic: str = ""
    url: str = ""

    @property
    def id(self) -> str:
        return f"{self.file}#{self.anchor}"

    @property
    def link(self) -> str:
        """The page's address with the heading's anchor, or ``file.md#anchor`` where the file gives no address."""
        if not self.url:
            return self.id
        return self.url if "#" in self.url else f"{self.url}#{self.anchor}"


@dataclass(slots=True)
class _Section:
    level: int
    title: str
    lines: list[str]
    questions: list[str]


def parse_markdown(source: str, file: str) -> list[Passage]:
    """The passages of one file in reading order; ``file`` is its path in the folder, with forward slashes."""
    front, body = _split_front_matter(_CONTROL.sub("", source.replace("\r\n", "\n").replace("\r", "\n")))
    name = file.rsplit("/", 1)[-1].rsplit(".", 1)[0]
    page = front.get("title", "")[:MAX_TITLE_CHARS] or name.replace("-", " ").replace("_", " ").strip().capitalize()
    parser = MarkdownIt("commonmark", {"html": False}).enable("table").disable(["html_block", "html_inline"])
    sections = list(_sections(parser.parse(body), page))
    return list(_passages(sections, file, page, front.get("topic", "").casefold(), _web_address(front.get("url", ""))))


def _split_front_matter(source: str) -> tuple[Mapping[str, str], str]:
    lines = source.split("\n")
    if lines[0].strip() != "---":
        return {}, source
    for end, line in enumerate(lines[1 : _FRONT_MATTER_LINES + 1], start=1):
        if line.strip() == "---":
            pairs = [match for match in map(_KEY.match, lines[1:end]) if match]
            return {
                key.casefold(): value.strip("\"'") for key, value in (match.groups() for match in pairs)
            }, "\n".join(lines[end + 1 :])
    return {}, source


def _web_address(url: str) -> str:
    """``url`` if it is a plain web address, else nothing: a link is shown to customers."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    is_plain = parts.scheme in ("http", "https") and parts.netloc and not re.search(r"[\s<>\"'`\\]", url)
    return url if is_plain and len(url) <= 500 else ""


def _sections(tokens: Sequence[Token], page: str) -> Iterator[_Section]:
    section = _Section(0, page, [], [])
    prefix = ""
    row: list[str] = []
    for position, token in enumerate(tokens):
        if token.type == "heading_open":
            yield section
            title = _inline_text(tokens[position + 1]).replace("\n", " ").strip()
            section = _Section(int(token.tag[1]), title[:MAX_TITLE_CHARS], [], [])
        elif token.type == "list_item_open":
            prefix = f"{token.info}. " if token.info else "- "
        elif token.type == "tr_open":
            row = []
        elif token.type == "tr_close":
            section.lines.append(" | ".join(row))
        elif token.type in ("fence", "code_block"):
            section.lines += token.content.rstrip("\n").split("\n")
        elif token.type == "inline" and tokens[position - 1].type in ("th_open", "td_open"):
            row.append(_inline_text(token))
        elif token.type == "inline" and tokens[position - 1].type != "heading_open":
            _add_paragraph(section, _inline_text(token), prefix)
            prefix = ""
    yield section


def _add_paragraph(section: _Section, text: str, prefix: str) -> None:
    shown = []
    for line in text.split("\n"):
        match = _QUESTIONS.match(line)
        if match:
            section.questions += [question.strip() for question in match.group(1).split("|") if question.strip()]
        elif line.strip():
            shown.append(line.strip())
    if shown:
        section.lines.append(prefix + " ".join(shown))


def _inline_text(token: Token) -> str:
    """What a reader sees of a line: no emphasis marks; a link's address follows its text in brackets."""
    parts: list[str] = []
    address = ""
    for child in token.children or ():
        if child.type in ("text", "code_inline", "image"):
            parts.append(child.content)
        elif child.type in ("softbreak", "hardbreak"):
            parts.append("\n")
        elif child.type == "link_open":
            address = _web_address(str(child.attrs.get("href", "")))
        elif child.type == "link_close" and address and address not in parts[-1:]:
            parts.append(f" ({address})")
    return "".join(parts)


def _passages(sections: Sequence[_Section], file: str, page: str, topic: str, url: str) -> Iterator[Passage]:
    seen: dict[str, int] = {}
    above: list[_Section] = []
    for section in sections:
        while above and above[-1].level >= section.level:
            above.pop()
        slug = _anchor(section.title)
        anchor = f"{slug}-{seen[slug]}" if slug in seen else slug
        if section.level:
            seen[slug] = seen.get(slug, 0) + 1
        text = _cut("\n".join(line for line in section.lines if line.strip()), MAX_PASSAGE_CHARS)
        if text and section.title:
            titles = (page, *(other.title for other in above))
            yield Passage(
                file=file,
                anchor=anchor,
                title=section.title,
                text=text,
                trail=tuple(dict.fromkeys(title for title in titles if title and title != section.title)),
                questions=tuple(question[:MAX_QUESTION_CHARS] for question in section.questions[:MAX_QUESTIONS]),
                topic=topic,
                url=url,
            )
        if section.level:
            above.append(section)


def _anchor(title: str) -> str:
    """The anchor that Markdown viewers give a heading: lower case, punctuation dropped, spaces to hyphens."""
    return _NOT_IN_ANCHOR.sub("", title.casefold()).strip().replace(" ", "-") or "section"


def _cut(text: str, limit: int) -> str:
    """``text`` up to ``limit`` characters, ending with a whole sentence where there is one."""
    if len(text) <= limit:
        return text
    head = text[: limit - 2]
    end = max(head.rfind(mark) for mark in (". ", "! ", "? ", "\n"))
    return (head[: end + 1] if end > limit // 2 else head).rstrip() + " …"

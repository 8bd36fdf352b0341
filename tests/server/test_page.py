"""The chat page and the widget's files: complete in themselves, and nothing anybody wrote becomes HTML."""

from __future__ import annotations

import gzip
import re
from html.parser import HTMLParser
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

STATIC = Path(str(resources.files("shopbot.server") / "static"))
#: What a page loads of it at most, all files together, as docs/widget.md says. Raise it with a reason.
MAX_BYTES, MAX_ZIPPED_BYTES = 62_000, 24_000


class Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def having(self, name: str) -> list[str]:
        return [str(attributes[name]) for _, attributes in self.tags if name in attributes]


def modules(visitor: Any) -> dict[str, Any]:
    """Every file that the widget loads, by its path, as a browser finds them: from one import to the next."""
    loader = visitor.http.get("/widget.js").text
    [first] = re.findall(r'"(widget/\w+/main\.js)"', loader)
    folder, found, open_names = first.rpartition("/")[0], {}, ["main.js", "widget.css"]
    while open_names:
        name = open_names.pop()
        if f"{folder}/{name}" in found:
            continue
        answer = visitor.http.get(f"/{folder}/{name}")
        assert answer.status_code == 200, name
        found[f"{folder}/{name}"] = answer
        open_names += re.findall(r'from "\./([\w.]+)"', answer.text)
    return found


def test_the_page_and_its_files_are_served(visitor: Any) -> None:
    answer = visitor.http.get("/")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    page = Page(answer.text)
    for path in page.having("src") + page.having("href"):
        found = visitor.http.get(path)
        assert found.status_code == 200, path
        assert not path.startswith(("/", "http")), "relative, so that the application can be mounted anywhere"
        again = visitor.http.get(path, headers={"If-None-Match": found.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")


def test_a_browser_asks_for_one_small_file_again_and_keeps_the_rest(visitor: Any) -> None:
    assert visitor.http.get("/widget.js").headers["cache-control"] == "no-cache"
    found = modules(visitor)
    assert {Path(path).name for path in found} == {file.name for file in (STATIC / "widget").iterdir()} | {
        "settings.js"
    }
    for path, answer in found.items():
        assert "immutable" in answer.headers["cache-control"], path
        assert "Origin" in answer.headers["vary"], "one origin's copy is not another's"
    path = next(iter(found))
    older = visitor.http.get(path.replace(path.split("/")[1], "000000000000"))
    assert (older.status_code, older.headers["cache-control"]) == (200, "no-cache"), "after an update"
    assert visitor.http.get("/widget/1/../index.html").status_code == 404
    assert visitor.http.get(f"/{path}x").status_code == 404


def test_the_version_is_another_one_when_anything_changes(visit: Any) -> None:
    first = visit(shop={"name": "One"}).http.get("/widget.js").text
    assert first != visit(shop={"name": "Two"}).http.get("/widget.js").text


def test_it_is_small(visitor: Any) -> None:
    found = [visitor.http.get("/widget.js"), *modules(visitor).values()]
    plain = sum(len(answer.content) for answer in found)
    zipped = sum(len(gzip.compress(answer.content)) for answer in found)
    assert all(answer.headers["content-encoding"] == "gzip" for answer in found)
    assert plain <= MAX_BYTES and zipped <= MAX_ZIPPED_BYTES, (plain, zipped)
    identity = visitor.http.get("/widget.js", headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in identity.headers
    assert identity.text == found[0].text


def test_the_docs_name_all_that_can_be_set_and_what_it_costs() -> None:
    docs = (Path(__file__).resolve().parents[2] / "docs" / "widget.md").read_text(encoding="utf-8")
    script = (STATIC / "widget" / "main.js").read_text(encoding="utf-8")
    [names] = re.findall(r"const \{ ([\w, ]+) \} = script\.dataset", script)
    read = {"data-" + re.sub(r"[A-Z]", lambda letter: f"-{letter[0].lower()}", name) for name in names.split(", ")}
    assert set(re.findall(r"^\| `(data-[\w-]+)`", docs, flags=re.MULTILINE)) == read
    style = (STATIC / "widget" / "widget.css").read_text(encoding="utf-8")
    set_by_ourselves = {"--shopbot-screen"}
    assert set(re.findall(r"^  (--[\w-]+):", docs, flags=re.MULTILINE)) == (
        set(re.findall(r"var\((--shopbot-[\w-]+)", style)) - set_by_ourselves
    )
    assert f"less than {MAX_BYTES // 1000} KB, less than {MAX_ZIPPED_BYTES // 1000} KB" in docs
    assert len((STATIC / "widget.js").read_bytes()) < 1000


def test_other_origins_may_take_the_script_in(visitor: Any) -> None:
    assert visitor.http.get("/widget.js").headers["cross-origin-resource-policy"] == "cross-origin"
    assert visitor.http.get("/healthz").headers["cross-origin-resource-policy"] == "same-origin"


def test_the_page_keeps_to_its_content_security_policy() -> None:
    page = Page((STATIC / "index.html").read_text(encoding="utf-8"))
    assert not [tag for tag, attributes in page.tags if tag == "script" and "src" not in attributes], "inline script"
    assert not page.having("style")
    assert not [name for _, attributes in page.tags for name in attributes if name.startswith("on")], "inline handler"
    forbidden = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function|DOMParser|srcdoc"
    for file in [STATIC / "widget.js", *(STATIC / "widget").glob("*.js")]:
        script = file.read_text(encoding="utf-8")
        assert not re.findall(forbidden, script), file.name
        assert file.name == "dom.js" or "setAttribute" not in script, f"{file.name}: attributes are set as properties"


def schemes() -> list[dict[str, str]]:
    """The colours of the light and of the dark scheme, by name."""
    style = (STATIC / "widget" / "widget.css").read_text(encoding="utf-8")
    pairs = re.findall(r"--([\w-]+): (?:var\([\w-]+, )?light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\)", style)
    return [{name: pair[place] for name, *pair in pairs} for place in (0, 1)]


@pytest.mark.parametrize("scheme", schemes(), ids=["light", "dark"])
def test_colours_have_contrast(scheme: dict[str, str]) -> None:
    """WCAG AA: 4.5 to 1 for text."""
    pairs = [("ink", "paper"), ("ink", "theirs"), ("soft", "paper"), ("accent", "paper"), ("on-accent", "accent")]
    for text, ground in [*pairs, ("on-head", "head"), *((kind, f"{kind}-paper") for kind in ("alert", "good", "open"))]:
        light, dark = sorted((_luminance(scheme[text]), _luminance(scheme[ground])), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 4.5, (text, ground)


def _luminance(colour: str) -> float:
    channels = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4 for channel in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_the_shops_name_is_escaped(visit: Any) -> None:
    visitor = visit(shop={"name": '<script>alert(1)</script> & "Co"'})
    page = visitor.http.get("/").text
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; &quot;Co&quot;" in page
    [settings] = [answer.text for path, answer in modules(visitor).items() if path.endswith("settings.js")]
    assert '"shop": "<script>alert(1)</script> & \\"Co\\""' in settings

"""The chat page: complete in itself, and nothing anybody wrote becomes HTML."""

from __future__ import annotations

import re
import shutil
import subprocess
from html.parser import HTMLParser
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

STATIC = resources.files("shopbot.server") / "static"


class Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def having(self, name: str) -> list[str]:
        return [str(attributes[name]) for _, attributes in self.tags if name in attributes]


def test_the_page_and_its_files_are_served(visitor: Any) -> None:
    answer = visitor.http.get("/")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    page = Page(answer.text)
    for path in page.having("src") + [href for href in page.having("href") if not href.startswith("#")]:
        found = visitor.http.get(path)
        assert found.status_code == 200, path
        assert not path.startswith(("/", "http")), "relative, so that the application can be mounted anywhere"
        again = visitor.http.get(path, headers={"If-None-Match": found.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")


def test_the_page_keeps_to_its_content_security_policy() -> None:
    page = Page((STATIC / "index.html").read_text(encoding="utf-8"))
    assert not [tag for tag, attributes in page.tags if tag == "script" and "src" not in attributes], "inline script"
    assert not page.having("style")
    assert not [name for _, attributes in page.tags for name in attributes if name.startswith("on")], "inline handler"
    script = (STATIC / "chat.js").read_text(encoding="utf-8")
    forbidden = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function|DOMParser|setAttribute"
    assert not re.findall(forbidden, script)


def test_the_page_can_be_used_without_a_mouse_or_eyes() -> None:
    page = Page((STATIC / "index.html").read_text(encoding="utf-8"))
    labelled = {attributes["for"] for tag, attributes in page.tags if tag == "label"}
    fields = [attributes for tag, attributes in page.tags if tag in ("textarea", "input", "select")]
    assert fields
    assert all(attributes["id"] in labelled for attributes in fields)
    assert ("html", {"lang": "en"}) in page.tags
    assert page.having("aria-live") == ["polite"]
    assert "not a person" in (STATIC / "index.html").read_text(encoding="utf-8")


def test_colours_have_contrast() -> None:
    """WCAG AA: 4.5 to 1 for text, in light and in dark."""
    style = (STATIC / "chat.css").read_text(encoding="utf-8")
    schemes = [
        dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", block)) for block in re.findall(r":root \{(.*?)\}", style, re.S)
    ]
    assert len(schemes) == 2
    pairs = [("ink", "paper"), ("ink", "bot"), ("soft", "paper"), ("on-accent", "accent"), ("accent", "paper")]
    for scheme in schemes:
        for text, ground in [*pairs, ("alert", "alert-paper")]:
            light, dark = sorted((_luminance(scheme[text]), _luminance(scheme[ground])), reverse=True)
            assert (light + 0.05) / (dark + 0.05) >= 4.5, (text, ground, scheme)


def _luminance(colour: str) -> float:
    channels = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4 for channel in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_the_shops_name_is_escaped(visit: Any) -> None:
    page = visit(shop={"name": '<script>alert(1)</script> & "Co"'}).http.get("/").text
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; &quot;Co&quot;" in page


@pytest.mark.skipif(shutil.which("node") is None, reason="node, which plays the browser here, is not installed")
def test_the_page_in_a_browser(visitor: Any) -> None:
    """The page's own script against the real server, with just enough of a browser around it (see browser.mjs)."""
    player = Path(__file__).with_name("browser.mjs")
    script = str(STATIC / "chat.js")
    address = str(visitor.http.base_url)
    done = subprocess.run(["node", player, script, address], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr

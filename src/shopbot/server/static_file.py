"""A file of ours that pages are made of, held in memory: with its tag, and smaller for those who can unzip."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import PurePath

from fastapi import Request, Response

FOLDER = resources.files("shopbot.server") / "static"
#: The browser keeps the file, and asks each time whether it is the newest one.
ASK_AGAIN = {"Cache-Control": "no-cache"}
_TYPES = {".css": "text/css", ".html": "text/html", ".js": "text/javascript", ".svg": "image/svg+xml"}


@dataclass(frozen=True, slots=True)
class StaticFile:
    """One file, as it is sent."""

    media_type: str
    plain: bytes
    zipped: bytes
    tag: str

    @classmethod
    def of(cls, name: str, text: str) -> StaticFile:
        """The file with this text; its name tells what it is."""
        plain = text.encode()
        tag = f'"{hashlib.sha256(plain).hexdigest()[:20]}"'
        return cls(_TYPES[PurePath(name).suffix], plain, gzip.compress(plain, mtime=0), tag)

    def response(self, request: Request, headers: Mapping[str, str]) -> Response:
        """The file, or 304 for a browser that has it."""
        sent = {"Vary": "Accept-Encoding", **headers, "ETag": self.tag}
        if request.headers.get("if-none-match") == self.tag:
            return Response(status_code=304, headers=sent)
        if "gzip" in request.headers.get("accept-encoding", ""):
            return Response(self.zipped, media_type=self.media_type, headers={**sent, "Content-Encoding": "gzip"})
        return Response(self.plain, media_type=self.media_type, headers=sent)


def read(name: str) -> str:
    """The text of the file ``name`` among the static ones."""
    return (FOLDER / name).read_text(encoding="utf-8")


def read_folder(name: str) -> Mapping[str, str]:
    """Name → text of the files in a folder among the static ones."""
    return {file.name: file.read_text(encoding="utf-8") for file in (FOLDER / name).iterdir()}

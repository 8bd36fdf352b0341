"""The libraries that only refine needs: heavy, so that a box which just serves does without them."""

from __future__ import annotations

from importlib.util import find_spec

from shopbot import ConfigError

_RUN = ("datasketch", "jinja2", "jsonschema", "matplotlib", "openai", "py3langid", "pyarrow", "sklearn")
_TRAIN = ("torch", "transformers")


def require_run() -> None:
    """Raises :class:`ConfigError` where a library of the extra ``run`` is missing."""
    _require(_RUN, "pip install -e './plugins/shopbot-refine[run]'")


def require_train() -> None:
    """Raises :class:`ConfigError` where a library of the extra ``train`` is missing."""
    _require(_TRAIN, "pip install -e '.[train]'")


def _require(names: tuple[str, ...], command: str) -> None:
    missing = [name for name in names if find_spec(name) is None]
    if missing:
        raise ConfigError(
            f"This needs libraries that are not installed: {', '.join(missing)}.",
            remedy=f"In your clone of shopbot: {command}",
        )

"""Write a new plugin: a distribution that installs, answers and passes its own test."""

from __future__ import annotations

import keyword
import os
import re
import shutil
import tempfile
from importlib import metadata
from pathlib import Path
from string import Template

from shopbot.errors import PluginError
from shopbot.plugins import ENTRY_POINT_GROUP

_NAME = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*\Z")
_MAX_NAME = 30

_PYPROJECT = """\
[build-system]
requires = ["hatchling>=1.27"]
build-backend = "hatchling.build"

[project]
name = "shopbot-$name"
version = "0.1.0"
description = "shopbot plugin: $words"
readme = "README.md"
requires-python = ">=3.10"
dependencies = ["shopbot"]

[project.entry-points.shopbot]
$name = "$package"

[tool.hatch.build.targets.wheel]
packages = ["src/$package"]
"""

_README = """\
# shopbot-$name

A shopbot plugin. `$tool` tells customers about $words; replace it by what your shop can do.

```sh
pip install -e .
shopbot plugins list
shopbot plugins check .
pytest
```

- `src/$package/tools.py`: the tools. The docstring and the examples of a tool let customers reach it.
- `src/$package/cases.toml`: golden cases, played by `shopbot eval`.
- `tests/`: with a scripted model and the demo store of `shopbot.testing`.

Settings, in shopbot.toml:

```toml
[plugins.$name]
text = "What customers read about $words."
```
"""

_HOOKS = '''\
"""shopbot plugin: $words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from shopbot import Case, Tool, hookimpl, load_cases

from $package.tools import $tool


@hookimpl
def shopbot_register_tools(config: Mapping[str, Any]) -> Iterable[Tool]:
    """The plugin's tools; ``config`` is the table ``[plugins.$name]`` in shopbot.toml."""
    unknown = set(config) - {"text"}
    if unknown:
        raise ValueError(f"[plugins.$name] has no key '{sorted(unknown)[0]}'; known: text")
    return [$tool]


@hookimpl
def shopbot_register_cases() -> Iterable[Case]:
    """The golden cases that ``shopbot eval`` plays."""
    return load_cases(Path(__file__).with_name("cases.toml"))
'''

_TOOLS = '''\
"""What customers can ask for."""

from __future__ import annotations

from shopbot import Answer, Context, tool


@tool(
    effect="read",
    examples=[
        "tell me about $words",
        "what is $words?",
        "how does $words work",
        "do you have $words",
        "I have a question about $words",
        "explain $words please",
        "more about your $words",
        "can I get some details on $words",
    ],
)
def $tool(ctx: Context) -> Answer:
    "Tell the customer about $words."
    return Answer(str(ctx.config.get("text", "Ask us about $words at any time.")))
'''

_CASES = """\
# Golden cases: what a customer says, and what must be true of the reply.

[[case]]
name = "asks-about-it"
turn = [{ say = "could you explain your $words to me?", tools = ["$tool"], says = ["$words"] }]

[[case]]
name = "asks-twice"
turn = [
    { say = "I'd like to know more about $words", tools = ["$tool"] },
    { say = "and how does $words work exactly?", tools = ["$tool"], handoff = false },
]
"""

_TEST = '''\
"""The plugin with a scripted model on the demo store."""

from __future__ import annotations

from collections.abc import Callable

import $package
import pytest

from shopbot.testing import Conversation, assert_nothing_changed


def test_customers_are_told(shopbot_conversation: Callable[..., Conversation]) -> None:
    talk = shopbot_conversation(plugins={"$name": $package})
    with assert_nothing_changed(talk.store):
        reply = talk.say("what is $words?", acts="$tool()")
    assert "$words" in reply.text


def test_the_shop_chooses_the_words(shopbot_conversation: Callable[..., Conversation]) -> None:
    talk = shopbot_conversation(plugins={"$name": $package}, config={"plugins": {"$name": {"text": "Yes."}}})
    assert talk.say("what is $words?", acts="$tool()").text == "Yes."


def test_a_wrong_key_is_named() -> None:
    with pytest.raises(ValueError, match="txet"):
        $package.shopbot_register_tools({"txet": "Yes."})
'''


def write_plugin(name: str, parent: Path) -> Path:
    """Write the plugin ``name`` as the folder ``parent/shopbot-NAME`` and return that; all of it or nothing.

    :class:`~shopbot.errors.PluginError` for a name that cannot be used or is taken, and for a folder that is there.
    """
    check_name(name)
    target = parent / f"shopbot-{name}"
    if target.exists() or target.is_symlink():
        raise PluginError(f"'{target}' is there already.", remedy="Choose another name or --path.")
    package = f"shopbot_{name.replace('-', '_')}"
    names = {
        "name": name,
        "words": name.replace("-", " "),
        "package": package,
        "tool": f"{name.replace('-', '_')}_info",
    }
    files = {
        "pyproject.toml": _PYPROJECT,
        "README.md": _README,
        f"src/{package}/__init__.py": _HOOKS,
        f"src/{package}/tools.py": _TOOLS,
        f"src/{package}/cases.toml": _CASES,
        f"src/{package}/py.typed": "",
        f"tests/test_{name.replace('-', '_')}.py": _TEST,
    }
    parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(dir=parent, prefix=f".shopbot-{name}."))
    try:
        for path, template in files.items():
            file = draft / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(Template(template).substitute(names), encoding="utf-8", newline="\n")
        draft.chmod(0o755)
        os.rename(draft, target)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    return target


def check_name(name: str) -> None:
    """:class:`~shopbot.errors.PluginError` if ``name`` cannot be a plugin's name, or an installed plugin has it."""
    if not _NAME.match(name) or len(name) > _MAX_NAME or keyword.iskeyword(name):
        raise PluginError(
            f"'{name[:60]}' cannot be a plugin's name.",
            remedy=f"Use small letters, digits and single dashes, at most {_MAX_NAME}: 'gift-wrapping'.",
        )
    if metadata.entry_points(group=ENTRY_POINT_GROUP, name=name):
        raise PluginError(f"A plugin '{name}' is installed already.", remedy="Choose another name.")

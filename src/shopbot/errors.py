"""Every error shopbot raises on purpose.

ShopbotError                    something the reader can act on; the message names the remedy
├── ConfigError                 shopbot.toml or the environment is wrong            (exit code 2)
├── PluginError                 a plugin cannot be loaded or breaks its contract
│   └── DuplicateNameError      two plugins claim one name
├── ToolDefinitionError         a @tool cannot be turned into a schema
├── ModelError                  a model or checkpoint cannot be used
│   ├── ModelNotFoundError      not on this box, or the source does not have it
│   └── ModelCorruptError       truncated, foreign or altered
├── BundleError                 a bundle is damaged, not trusted, or not for this box
├── BackendError                the engine failed while answering
├── StoreError                  the store cannot be reached or refuses
│   ├── NotFoundError           no such record
│   └── ConflictError           somebody else changed the record first
├── SessionError                no such session, or not this caller's
├── TokenError                  a customer token is malformed, expired or forged
├── CallError                   a tool call of another program fits no tool
├── HandoffError                a session is another human agent's, or nobody's
└── GateError                   a checkpoint did not pass its gate                  (exit code 3)
"""

from __future__ import annotations


class ShopbotError(Exception):
    """Base of all deliberate errors. ``remedy`` is one sentence that says what to do."""

    def __init__(self, message: str, *, remedy: str = "") -> None:
        super().__init__(f"{message} {remedy}".rstrip() if remedy else message)
        self.remedy = remedy


class ConfigError(ShopbotError):
    """The configuration is wrong."""


class PluginError(ShopbotError):
    """A plugin cannot be loaded or breaks its contract."""


class DuplicateNameError(PluginError):
    """Two plugins claim one name."""


class ToolDefinitionError(ShopbotError):
    """A function cannot be turned into a tool."""


class ModelError(ShopbotError):
    """A model or checkpoint cannot be used."""


class ModelNotFoundError(ModelError):
    """A model is not on this box, or its source does not have it."""


class ModelCorruptError(ModelError):
    """A model file is truncated, foreign or altered."""


class BundleError(ShopbotError):
    """A bundle is damaged, not trusted, or not for this box."""


class BackendError(ShopbotError):
    """The engine failed while answering."""


class StoreError(ShopbotError):
    """The store cannot be reached or refuses."""


class NotFoundError(StoreError):
    """The store has no such record."""


class ConflictError(StoreError):
    """Somebody else changed the record first."""


class SessionError(ShopbotError):
    """No such session, or it belongs to another caller."""


class TokenError(ShopbotError):
    """A customer token is malformed, expired or forged."""


class CallError(ShopbotError):
    """A tool call that another program makes names no tool, or has arguments that the tool does not take."""


class HandoffError(ShopbotError):
    """A human agent wants something of a session that another one has, or that they have not taken."""


class GateError(ShopbotError):
    """A checkpoint did not pass its gate."""

"""Configuration: the bundle in force, shopbot.toml, then the environment, checked by one schema.

The file is ``--config FILE``, or ``./shopbot.toml``, or the one in the user's configuration folder. The environment
overrides it as ``SHOPBOT_SECTION__KEY`` (``SHOPBOT_STORE__URL=sqlite:///shop.db``,
``SHOPBOT_PLUGINS__FAQ__FOLDER=faq``). An unknown key is an error with a suggestion. What the file leaves open, a bundle
may set (docs/bundle.md). ``SHOPBOT_HOME`` moves everything shopbot writes (models, checkpoints, store, transcripts) to
one folder.
"""

from __future__ import annotations

import difflib
import ipaddress
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import platformdirs
import pydantic
import tomli

from shopbot.errors import ConfigError
from shopbot.installed import Installed, installed

FILE_NAME = "shopbot.toml"
_SCALAR = re.compile(r"true|false|-?(?:0|[1-9][0-9]{0,14})(?:\.[0-9]{1,15})?")
_ENVIRONMENT_PREFIX = "SHOPBOT_"
#: Variables with the prefix that are no configuration keys.
_NOT_KEYS = frozenset(
    {"SHOPBOT_CONFIG", "SHOPBOT_CUSTOMER_TOKEN", "SHOPBOT_HOME", "SHOPBOT_OFFLINE", "SHOPBOT_TEST_MODEL"}
)


_KeyHash = Annotated[str, pydantic.StringConstraints(pattern=r"^sha256:[0-9a-f]{64}$")]
_Origin = Annotated[str, pydantic.StringConstraints(pattern=r"^https?://[A-Za-z0-9.\-\[\]:]+$")]


def _network(text: str) -> str:
    ipaddress.ip_network(text)  # raises ValueError
    return text


_Network = Annotated[str, pydantic.AfterValidator(_network)]


def _webhook_secret(secret: pydantic.SecretStr) -> pydantic.SecretStr:
    if secret.get_secret_value() and not _WEBHOOK_SECRET.fullmatch(secret.get_secret_value()):
        raise ValueError("it is none; 'shopbot handoff secret' makes one")
    return secret


#: ``whsec_`` and 24 to 64 bytes in base64, as Standard Webhooks has it.
_WEBHOOK_SECRET = re.compile(r"whsec_(?=[^=]{32,86}=*$)(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")
_WebhookSecret = Annotated[pydantic.SecretStr, pydantic.AfterValidator(_webhook_secret)]
_WebhookUrl = Annotated[str, pydantic.StringConstraints(pattern=r"^(https?://[^\s/?#]+[^\s#]*)?$", max_length=2000)]


class _Section(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)


class StoreSection(_Section):
    """Where customers, products and orders live."""

    url: str = ""


class ModelSection(_Section):
    """The model that understands. ``backend``: auto, the engine that the checkpoint is made for; one of a plugin's; or
    none, for a bot that is only called by other programs. ``threads`` 0: as many as there are cores, at most 4."""

    backend: str = "auto"
    source: str = ""
    checkpoint: str = ""
    threads: int = pydantic.Field(default=0, ge=0, le=256)
    slots: int = pydantic.Field(default=2, ge=1, le=64)
    context: int = pydantic.Field(default=1024, ge=256, le=131072)


class UnderstandingSection(_Section):
    """When to trust an act. ``threshold`` -1: the checkpoint's own, from its calibration."""

    threshold: float = pydantic.Field(default=-1.0, ge=-1.0, le=1.0)


class IdentitySection(_Section):
    """How a customer proves who they are. ``token_secret`` signs tokens of the embedding app."""

    accept: tuple[Literal["email", "name_postcode", "token"], ...] = ("email", "name_postcode", "token")
    token_secret: pydantic.SecretStr = pydantic.SecretStr("")


class SessionSection(_Section):
    """Limits of a conversation."""

    max_message_chars: int = pydantic.Field(default=2000, ge=50, le=100_000)
    max_turns: int = pydantic.Field(default=200, ge=1)
    idle_minutes: int = pydantic.Field(default=24 * 60, ge=1)


class ServerSection(_Section):
    """The HTTP service.

    ``messages_per_minute``: of one session. ``requests_per_minute``: of one address. ``allowed_hosts``: names it
    answers to beside localhost, a reverse proxy's for instance; when bound to the network and empty, any.
    ``trusted_proxies``: addresses and networks whose X-Forwarded-For and X-Forwarded-Proto are believed.
    ``cors_origins``: other origins whose pages may use the API, as in ["https://shop.example"].
    ``operator_keys``: the hashes of the operators' keys by name; 'shopbot operator-key new' prints one.
    ``log_format``: lines or json.
    """

    host: str = "127.0.0.1"
    port: int = pydantic.Field(default=8000, ge=0, le=65535)
    messages_per_minute: int = pydantic.Field(default=60, ge=1)
    requests_per_minute: int = pydantic.Field(default=1200, ge=1)
    allowed_hosts: tuple[str, ...] = ()
    trusted_proxies: tuple[_Network, ...] = ()
    cors_origins: tuple[_Origin, ...] = ()
    operator_keys: Mapping[str, _KeyHash] = {}
    log_format: Literal["lines", "json"] = "lines"


class TelemetrySection(_Section):
    """Traces. ``otlp_endpoint``: where 'shopbot serve' sends one span for each stage of a turn (OTLP over HTTP), as in
    "http://127.0.0.1:4318"; needs the extra 'otel'. Empty: none are made."""

    otlp_endpoint: str = ""


class HandoffSection(_Section):
    """Human agents. ``idle_minutes``: a customer whom a human agent has not answered for so long waits for another one;
    where nobody has said anything for so long, the bot takes over. ``webhook_url``: where a program of yours is told of
    each hand-off, signed with ``webhook_secret`` ('shopbot handoff secret' makes one)."""

    idle_minutes: int = pydantic.Field(default=15, ge=1)
    webhook_url: _WebhookUrl = ""
    webhook_secret: _WebhookSecret = pydantic.SecretStr("")

    @pydantic.model_validator(mode="after")
    def _has_secret(self) -> HandoffSection:
        if self.webhook_url and not self.webhook_secret.get_secret_value():
            raise ValueError("webhook_url needs a webhook_secret; 'shopbot handoff secret' makes one")
        return self


class TranscriptsSection(_Section):
    """Conversations kept on the box, redacted on write."""

    enabled: bool = True
    path: str = ""
    retention_days: int = pydantic.Field(default=90, ge=1)


class ShopSection(_Section):
    """What customers read about the shop."""

    name: str = "the shop"
    currency: str = "$"


class Config(_Section):
    """All settings. Sections are the tables of shopbot.toml; ``plugins`` holds one free table per plugin."""

    shop: ShopSection = ShopSection()
    store: StoreSection = StoreSection()
    model: ModelSection = ModelSection()
    understanding: UnderstandingSection = UnderstandingSection()
    identity: IdentitySection = IdentitySection()
    session: SessionSection = SessionSection()
    server: ServerSection = ServerSection()
    handoff: HandoffSection = HandoffSection()
    telemetry: TelemetrySection = TelemetrySection()
    transcripts: TranscriptsSection = TranscriptsSection()
    plugins: Mapping[str, Mapping[str, Any]] = pydantic.Field(default_factory=dict)

    def with_checkpoint(self, name: str) -> Config:
        """The same settings, but with the checkpoint ``name``."""
        return self.model_copy(update={"model": self.model.model_copy(update={"checkpoint": name})})

    def without_model(self) -> Config:
        """The same settings for a bot that understands no messages."""
        return self.model_copy(update={"model": self.model.model_copy(update={"backend": "none"})})

    @property
    def store_url(self) -> str:
        """The store's URL; the demo store in the data folder where none is configured."""
        return self.store.url or f"sqlite:///{home() / 'store.db'}"

    @property
    def transcripts_path(self) -> Path:
        return Path(self.transcripts.path) if self.transcripts.path else home() / "transcripts.db"


def home() -> Path:
    """The folder for everything shopbot writes: ``SHOPBOT_HOME``, else the user's data folder."""
    override = os.environ.get("SHOPBOT_HOME")
    return Path(override).expanduser() if override else Path(platformdirs.user_data_dir("shopbot", appauthor=False))


def find_file(explicit: Path | str | None = None) -> Path | None:
    """The configuration file that holds, or None. An explicit one must exist."""
    explicit = explicit or os.environ.get("SHOPBOT_CONFIG")
    if explicit:
        path = Path(explicit).expanduser()
        if not path.is_file():
            raise ConfigError(
                f"There is no configuration file '{path}'.", remedy="Write one with 'shopbot config init'."
            )
        return path
    candidates = (Path.cwd() / FILE_NAME, user_file())
    return next((path for path in candidates if path.is_file()), None)


def user_file() -> Path:
    """Where the user's own shopbot.toml lives (it may not exist)."""
    override = os.environ.get("SHOPBOT_HOME")
    folder = Path(override).expanduser() if override else Path(platformdirs.user_config_dir("shopbot", appauthor=False))
    return folder / FILE_NAME


def load(
    path: Path | str | None = None, *, environ: Mapping[str, str] | None = None, bundle: Installed | None = None
) -> Config:
    """Read bundle, file and environment. :class:`ConfigError` names the file, the key and the nearest known key.

    ``bundle``: one to read instead of the bundle in force.
    """
    file = find_file(path)
    bundle = bundle or installed(home())
    settings = written(file, bundle)
    for section, key, value in _from_environment(os.environ if environ is None else environ):
        table = settings.setdefault(section, {})
        if section == "plugins":
            plugin, separator, setting = key.partition("__")
            if separator:
                table, key = table.setdefault(plugin, {}), setting
        table[key] = value
    return check(settings, origin=str(file or (f"bundle {bundle.id}" if bundle else "the environment")))


def written(file: Path | None, bundle: Installed | None) -> dict[str, Any]:
    """What the file says, key by key over what the bundle says; not checked yet. Raises :class:`ConfigError`."""
    return _over(bundle.settings() if bundle else {}, _read(file) if file else {})


def check(settings: Mapping[str, Any], *, origin: str = "configuration") -> Config:
    """Validate a nested mapping as :class:`Config`."""
    try:
        return Config.model_validate(settings)
    except pydantic.ValidationError as error:
        raise ConfigError(f"{origin}: {_explain(error.errors()[0])}") from None


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomli.loads(file.read_text(encoding="utf-8"))
    except (tomli.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise ConfigError(f"{file} cannot be read: {error}.") from None


def _over(lower: dict[str, Any], upper: dict[str, Any]) -> dict[str, Any]:
    merged = {**lower, **upper}
    for key in lower.keys() & upper.keys():
        if isinstance(lower[key], dict) and isinstance(upper[key], dict):
            merged[key] = _over(lower[key], upper[key])
    return merged


def _from_environment(environ: Mapping[str, str]) -> list[tuple[str, str, Any]]:
    found = []
    for name, value in sorted(environ.items()):
        if not name.startswith(_ENVIRONMENT_PREFIX) or name in _NOT_KEYS:
            continue
        section, separator, key = name[len(_ENVIRONMENT_PREFIX) :].lower().partition("__")
        if not separator or not key:
            raise ConfigError(f"{name} names no configuration key.", remedy="Use SHOPBOT_SECTION__KEY, or unset it.")
        found.append((section, key, _value(section, key, value)))
    return found


def _value(section: str, key: str, text: str) -> Any:
    """Numbers and booleans are parsed by the schema, those of plugins, which may have none, here; lists and tables are
    written as in TOML."""
    if text[:1] in "[{":
        try:
            return tomli.loads(f"value = {text}")["value"]
        except tomli.TOMLDecodeError as error:
            raise ConfigError(f"SHOPBOT_{section.upper()}__{key.upper()} is no TOML value: {error}.") from None
    if section == "plugins" and _SCALAR.fullmatch(text):
        return tomli.loads(f"value = {text}")["value"]
    return text


def _explain(problem: Any) -> str:
    where = [str(part) for part in problem["loc"]]
    if problem["type"] == "extra_forbidden":
        known = list(Config.model_fields)
        if len(where) > 1:
            section = Config.model_fields[where[0]].annotation
            known = list(getattr(section, "model_fields", {}))
        near = difflib.get_close_matches(where[-1], known, n=1)
        hint = f" Did you mean '{near[0]}'?" if near else f" Known: {', '.join(sorted(known))}."
        return f"unknown key '{'.'.join(where)}'.{hint}"
    return f"'{'.'.join(where)}': {problem['msg']}."

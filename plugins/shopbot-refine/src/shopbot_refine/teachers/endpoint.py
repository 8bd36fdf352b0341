"""The way to an OpenAI-compatible endpoint: which are allowed, and the client."""

from __future__ import annotations

import ipaddress
from typing import Any
from urllib.parse import urlsplit

from shopbot import ConfigError
from shopbot_refine.config import RefineConfig
from shopbot_refine.teachers.trouble import Trouble

_CONNECT_TIMEOUT_S = 10.0


def host_of(config: RefineConfig) -> str:
    """The endpoint's host name, without the port."""
    return urlsplit(config.base_url).hostname or ""


def open_client(config: RefineConfig) -> Any:
    """An ``openai.OpenAI`` that neither retries nor follows redirects. Raises :class:`ConfigError` where the endpoint,
    the key or the package ``openai`` will not do."""
    is_here = check_endpoint(config)
    try:
        import openai
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"The teacher '{config.teacher}' needs the package openai.",
            remedy="Install it, or set teacher = 'recorded'.",
        ) from error
    return openai.OpenAI(
        base_url=config.base_url,
        api_key=config.api_key or "none",
        timeout=openai.Timeout(config.timeout_s, connect=min(config.timeout_s, _CONNECT_TIMEOUT_S)),
        max_retries=0,
        # A redirect could lead the key and the customers' words to another host. No proxy stands before loopback, and
        # plain http, which is allowed only there, has no use for the certificates, which are slow to load.
        http_client=openai.DefaultHttpxClient(
            follow_redirects=False, trust_env=not is_here, verify=urlsplit(config.base_url).scheme == "https"
        ),
    )


def check_endpoint(config: RefineConfig) -> bool:
    """Whether the endpoint is on this machine. Raises :class:`ConfigError` for one that nothing may be sent to, and
    where the key is missing."""
    try:
        url = urlsplit(config.base_url)
        host, has_login = url.hostname or "", url.username is not None
    except ValueError:
        url, host, has_login = urlsplit(""), "", False
    if url.scheme not in ("http", "https") or not host:
        raise ConfigError("plugins.refine.base_url is no http or https address.", remedy="Give the endpoint's address.")
    if has_login:
        raise ConfigError(
            "plugins.refine.base_url holds a user name.", remedy="Put the key into the variable that api_key_env names."
        )
    try:
        is_here = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        is_here = False
    if not is_here and url.scheme == "http":
        raise ConfigError(
            f"plugins.refine.base_url would send the key to {host} unencrypted.",
            remedy="Use https, or a loopback host.",
        )
    if not is_here and not config.api_key:
        raise ConfigError(f"There is no key for {host}.", remedy=f"Set the environment variable {config.api_key_env}.")
    return is_here


def explain(config: RefineConfig, trouble: Trouble) -> ConfigError:
    """The error for trouble that is the configuration's."""
    return ConfigError(f"The teacher at {host_of(config)} cannot be asked ({trouble.detail}).", remedy=trouble.remedy)

"""The extra 'mlc': what of it is on this box, and what stands in its way."""

from __future__ import annotations

import importlib.util
from importlib import metadata

from shopbot.errors import BackendError

INSTALL = "Install the extra 'mlc', from a clone: pip install -e '.[mlc]'."
_MODULES = {"tvm": "apache-tvm", "tvm_ffi": "apache-tvm-ffi", "tokenizers": "tokenizers", "llguidance": "llguidance"}
#: Packages that bring a module 'tvm' of their own, by the beginning of their names.
_FOREIGN = "mlc-ai"


def require_extra() -> None:
    """Raise :class:`BackendError` where a package of the extra is missing, or two packages have written ``tvm``."""
    missing = [package for module, package in _MODULES.items() if importlib.util.find_spec(module) is None]
    if missing:
        raise BackendError(f"The MLC backend needs {', '.join(missing)}.", remedy=INSTALL)
    if foreign := foreign_tvm():
        raise BackendError(
            f"{foreign} and apache-tvm are both installed: each brings a module 'tvm', and they overwrite each other.",
            remedy=f"Keep one in an environment: 'pip uninstall {foreign} apache-tvm', then install one anew.",
        )


def foreign_tvm() -> str | None:
    """The package that has brought another ``tvm`` than apache-tvm's, where both are installed."""
    names = {(found.metadata["Name"] or "").lower().replace("_", "-") for found in metadata.distributions()}
    foreign = sorted(name for name in names if name.startswith(_FOREIGN))
    return foreign[0] if foreign and "apache-tvm" in names else None


def tvm_version() -> str:
    """The version of TVM that is installed. Raises :class:`BackendError` where there is none."""
    try:
        return metadata.version("apache-tvm")
    except metadata.PackageNotFoundError:
        raise BackendError("apache-tvm is not installed.", remedy=INSTALL) from None

"""Ed25519 keys, in the form that ``ssh-keygen -t ed25519`` writes.

Whoever holds the private one makes bundles; a box takes them if the public one stands in ``<home>/trusted_keys`` (one a
line, as in ``authorized_keys``).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from shopbot.errors import BundleError
from shopbot.files import write_atomic

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

FILE_NAME = "trusted_keys"
SIGNATURE_BYTES = 64
#: What is signed begins with this, so that no signature made for something else is one for a bundle.
_CONTEXT = b"shopbot bundle\0"
_MAX_KEY_BYTES = 1 << 14
_MAX_TRUSTED_BYTES = 1 << 16


def make_keys(path: Path) -> str:
    """Write a new private key to ``path`` (readable by its owner only) and the public one to ``path.pub``; returns the
    public one's line. Raises :class:`BundleError` where one of the files is there already."""
    _require_library()
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    public_path = path.with_name(path.name + ".pub")
    for taken in (path, public_path):
        if taken.exists():
            raise BundleError(f"There is a file '{taken}' already.", remedy="A key is never overwritten: name another.")
    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    line = f"{public.decode()} {path.stem}"
    try:
        write_atomic(path, private)
        write_atomic(public_path, f"{line}\n".encode())
        public_path.chmod(0o644)
    except OSError as error:
        raise BundleError(f"The key cannot be written: {error}.", remedy="Name another folder.") from error
    return line


def load_private_key(path: Path) -> Ed25519PrivateKey:
    """Read a private key without a passphrase. Raises :class:`BundleError`."""
    _require_library()
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_ssh_private_key

    remedy = "Make one with 'shopbot bundle keygen'."
    try:
        key = load_ssh_private_key(_read(path, _MAX_KEY_BYTES), password=None)
    except OSError as error:
        raise BundleError(f"The key '{path}' cannot be read: {error.strerror}.", remedy=remedy) from None
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise BundleError(f"'{path}' holds no private key, or one with a passphrase.", remedy=remedy) from None
    if not isinstance(key, Ed25519PrivateKey):
        raise BundleError(f"The key in '{path}' is of another kind than Ed25519.", remedy=remedy)
    return key


def sign(key: Ed25519PrivateKey, statement: bytes) -> bytes:
    """The signature (64 bytes) of ``statement``; the same each time."""
    return key.sign(_CONTEXT + statement)


def is_signed(statement: bytes, signature: bytes, keys: list[Ed25519PublicKey]) -> bool:
    """Whether one of ``keys`` made this ``signature`` of ``statement``."""
    from cryptography.exceptions import InvalidSignature

    for key in keys:
        try:
            key.verify(signature, _CONTEXT + statement)
        except InvalidSignature:
            continue
        return True
    return False


def read_keys(path: Path) -> list[Ed25519PublicKey]:
    """The public keys in a file, one a line; empty lines and ``#`` comments count for nothing.

    Raises :class:`BundleError` where it cannot be read, or a line is no Ed25519 key.
    """
    _require_library()
    try:
        text = _read(path, _MAX_TRUSTED_BYTES).decode()
    except (OSError, ValueError) as error:
        raise BundleError(f"'{path}' cannot be read: {error}.", remedy="It holds one public key a line.") from None
    numbered = enumerate((line.strip() for line in text.splitlines()), 1)
    return [_parse(line, f"{path}, line {number}") for number, line in numbered if line and not line.startswith("#")]


def trusted_keys(home: Path) -> list[Ed25519PublicKey]:
    """The keys whose bundles this box takes. Raises :class:`BundleError` where there is none."""
    path = home / FILE_NAME
    keys = read_keys(path) if path.exists() else []
    if not keys:
        raise BundleError(
            "This box trusts no key yet.", remedy="Let it trust your fleet's with 'shopbot bundle trust KEY.pub'."
        )
    return keys


def trust(home: Path, public: Path) -> int:
    """Add the keys in the file ``public`` to those that this box trusts; returns how many are new.

    Raises :class:`BundleError` where the file holds none, or something else.
    """
    if not read_keys(public):
        raise BundleError(f"'{public}' holds no public key.", remedy="Give the file KEY.pub that 'keygen' wrote.")
    path = home / FILE_NAME
    known = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    bodies = {line.split()[1] for line in known if len(line.split()) > 1}
    lines = [line.strip() for line in public.read_text(encoding="utf-8").splitlines()]
    new = [line for line in lines if line and not line.startswith("#") and line.split()[1] not in bodies]
    if new:
        write_atomic(path, "".join(f"{line}\n" for line in [*known, *new]).encode())
    return len(new)


def _parse(line: str, where: str) -> Ed25519PublicKey:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_ssh_public_key

    try:
        key = load_ssh_public_key(line.encode())
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PublicKey):
        raise BundleError(f"{where} is no Ed25519 public key.", remedy="It looks like 'ssh-ed25519 AAAA… name'.")
    return key


def _read(path: Path, limit: int) -> bytes:
    with path.open("rb") as file:
        content = file.read(limit + 1)
    if len(content) > limit:
        raise ValueError("it is too long")
    return content


def _require_library() -> None:
    try:
        import cryptography  # noqa: F401
    except ImportError:
        raise BundleError(
            "Bundles are signed with the library 'cryptography', which is not installed.",
            remedy="pip install 'cryptography>=43'",
        ) from None

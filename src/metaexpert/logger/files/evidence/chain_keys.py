"""Keys of hash chains that are forgotten as they are used, so that whoever has the next one cannot forge the past.

A log's key of epoch 0 is HMAC-SHA256 of `metaexpert chain 1 log <name>` under the secret; that of epoch n+1 is
HMAC-SHA256 of `metaexpert chain 1 next` under that of epoch n, and what signs in epoch n is HMAC-SHA256 of
`metaexpert chain 1 sign` under it. Each line of the seals takes an epoch of its own; that of a file's beginning signs
its chain too. The state beside the seals holds the key of the next epoch alone; a process holds what signs the file it
writes, until the file is sealed. The secret itself is needed for a log's first file and to verify, and belongs to the
auditor.
"""

import hmac
import os
import secrets
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final, final

import orjson

from metaexpert.exceptions import ConfigError, MetaExpertError
from metaexpert.logger.journal.segments import sync_folder
from metaexpert.logger.options.secret_files import read_secret

STATE: Final = ".key"
"""What the name of a log's key state ends in, behind that of its seals."""

_MODE: Final = 0o600
_BINARY: Final = os.O_BINARY if sys.platform == "win32" else 0
_NEXT: Final = b"metaexpert chain 1 next"
_SIGN: Final = b"metaexpert chain 1 sign"
_LOG: Final = b"metaexpert chain 1 log "
_KEY_BYTES: Final = 32
_STATE_BYTES: Final = 159
MIN_SECRET_CHARACTERS: Final = 32
"""A shorter secret could be guessed."""


class ChainKeyError(MetaExpertError):
    """A chain's key is not usable; the message says which and what to do."""


@final
@dataclass(frozen=True, slots=True, repr=False)
class EpochKey:
    """The key of one epoch of a log, from which all later ones follow, and no earlier one.

    Attributes:
        epoch: its number, from 0.
        key: 32 bytes, secret.
    """

    epoch: int
    key: bytes

    @classmethod
    def first(cls, secret: str, log: str) -> "EpochKey":
        """The key of epoch 0 of the log of this name, such as `expert.log`."""
        return cls(0, hmac.digest(secret.encode(), _LOG + log.encode("utf-8", "surrogateescape"), "sha256"))

    def next(self) -> "EpochKey":
        """That of the epoch after it."""
        return EpochKey(self.epoch + 1, hmac.digest(self.key, _NEXT, "sha256"))

    def at(self, epoch: int) -> "EpochKey":
        """That of a later epoch, or itself."""
        key = self
        while key.epoch < epoch:
            key = key.next()
        return key

    def signing(self) -> bytes:
        """What signs in this epoch; the key does not follow from it."""
        return hmac.digest(self.key, _SIGN, "sha256")


def read_chain_secret(path: Path) -> str:
    """The secret in a file, which is read as other secrets are.

    Raises:
        ConfigError: the file cannot be read, or what it holds is too short to be a secret.
    """
    secret = read_secret("tamper_evidence.key_file", path)
    if len(secret) < MIN_SECRET_CHARACTERS:
        raise ConfigError(
            f"tamper_evidence.key_file: the secret in {str(path)!r} is shorter than {MIN_SECRET_CHARACTERS} characters "
            "and could be guessed; make one with: metaexpert logs verify --new-key FILE"
        )
    return secret


def new_secret() -> str:
    """A secret to sign a log's chains with: 256 random bits in hexadecimal digits."""
    return secrets.token_hex(_KEY_BYTES)


def state_of(seals: Path) -> Path:
    """Where the key state of a log is, by the log's seals."""
    return seals.with_name(seals.name + STATE)


def stored(path: Path) -> EpochKey | None:
    """The key that a state file holds; None when there is no such file.

    Raises:
        OSError: it cannot be read.
        ChainKeyError: it holds something else.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    try:
        values = orjson.loads(content)
        found = EpochKey(int(values["epoch"]), bytes.fromhex(values["key"]))
    except (ValueError, KeyError, TypeError):
        found = EpochKey(-1, b"")
    if found.epoch < 0 or len(found.key) != _KEY_BYTES:
        raise ChainKeyError(f"{path} holds no key state; bring it back from a backup")
    return found


def store(path: Path, key: EpochKey) -> None:
    """Put `key` into a state file, over the one before, so that nothing of that is left where it lay.

    What copies the file system or the disk keep of it is not ours to say.

    Raises:
        OSError: the system refuses; the file is as it was, or holds the new key.
    """
    text = orjson.dumps({"version": 1, "epoch": key.epoch, "key": key.key.hex()})
    content = text.ljust(_STATE_BYTES) + b"\n"  # of one size, within a sector: it is there as a whole or not at all
    try:
        descriptor = os.open(path, os.O_RDWR | _BINARY)
    except FileNotFoundError:
        _make(path, content)
        return
    try:
        os.write(descriptor, content)
        os.ftruncate(descriptor, len(content))
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _make(path: Path, content: bytes) -> None:
    fresh = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | _BINARY, _MODE)
    try:
        os.write(descriptor, content)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    fresh.replace(path)
    sync_folder(path.parent)

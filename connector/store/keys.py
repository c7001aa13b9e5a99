"""The data keys: from the environment, or from a file beside an embedded database."""

from __future__ import annotations

import base64
import binascii
import contextlib
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from connector.errors import FixConfiguration
from connector.mapping.regular import NotRegularError, read_file

KEY_BYTES: Final = 32
_LARGEST: Final = 64 * 1024
_RECIPE: Final = "openssl rand -base64 32 makes one"


def parse_keys(text: str, source: str) -> list[bytes]:
    """Keys as 32 bytes in base64, separated by commas or white space, the active one first."""
    keys = []
    for number, word in enumerate(text.replace(",", " ").split(), 1):
        try:
            key = base64.b64decode(word, validate=True)
        except (binascii.Error, ValueError):
            key = b""
        if len(key) != KEY_BYTES:
            raise FixConfiguration(source, f"key {number} is not 32 bytes in base64", _RECIPE)
        keys.append(key)
    if not keys:
        raise FixConfiguration(source, "holds no key", _RECIPE)
    return keys


def find_keys(environment: Mapping[str, str], beside: Path | None) -> list[bytes]:
    """The keys from the environment, or from a file generated beside an embedded database (None: there is none)."""
    if text := environment.get("CONNECTOR_DATA_KEY"):
        return parse_keys(text, "CONNECTOR_DATA_KEY")
    if name := environment.get("CONNECTOR_DATA_KEY_FILE"):
        return parse_keys(_read(Path(name)), name)
    if beside is None:
        raise FixConfiguration("CONNECTOR_DATA_KEY", "is not set, and a shared database needs an explicit key", _RECIPE)
    return parse_keys(_read(beside) if beside.exists() else _generate(beside), str(beside))


def _read(path: Path) -> str:
    try:
        return read_file(path, _LARGEST).decode()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, NotRegularError) else type(error).__name__
        raise FixConfiguration(str(path), f"the key file cannot be read: {why}") from None


def _generate(path: Path) -> str:
    """Make a key file only its owner can read; it appears whole, and the first of several processes makes it."""
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode())
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
        draft.unlink()
    except OSError as error:
        raise FixConfiguration(str(path), f"the key file cannot be made: {error.strerror}") from None
    return _read(path)

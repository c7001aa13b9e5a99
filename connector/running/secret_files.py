"""Secrets that the environment gives as values or as files, which no description of a container or process shows."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from connector.errors import FixConfiguration
from connector.mapping.regular import NotRegularError, read_file

FOLDER: Final = "CONNECTOR_SECRETS_DIR"
_LARGEST: Final = 64 * 1024


def read_secret(environment: Mapping[str, str], name: str) -> str | None:
    """What NAME is set to; else the content of the file that NAME_FILE names, or of NAME in the folder of secrets.

    None if there is none of these. Raises FixConfiguration if a file cannot be read or is empty.
    """
    if text := environment.get(name):
        return text
    if named := environment.get(f"{name}_FILE"):
        return _read(f"{name}_FILE", Path(named))
    if not (folder := environment.get(FOLDER)):
        return None
    if not Path(folder).is_dir():
        raise FixConfiguration(FOLDER, f"{folder} is no folder that can be read")
    file = Path(folder) / name
    return _read(FOLDER, file) if file.exists() else None


def _read(setting: str, file: Path) -> str:
    try:
        # An editor of Windows begins a file with a mark.
        text = read_file(file, _LARGEST).decode("utf-8-sig").strip()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, NotRegularError) else type(error).__name__
        raise FixConfiguration(setting, f"the file {file} cannot be read: {why}") from None
    if not text:
        raise FixConfiguration(setting, f"the file {file} is empty")
    return text

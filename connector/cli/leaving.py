"""Which classes of data leave, as `check` prints it."""

from __future__ import annotations

from collections.abc import Mapping

from connector import mapping
from connector.mapping import Loaded


def classes(checked: Mapping[str, Loaded]) -> dict[str, dict[str, list[str]]]:
    """What leaves, by destination (or by mapping, where none was asked for) and class."""
    return {
        name: {str(privacy): targets for privacy, targets in mapping.leaving(loaded).items()}
        for name, loaded in checked.items()
        if loaded.mapping is not None
    }


def classes_told(checked: Mapping[str, Loaded]) -> list[str]:
    """The same, line by line."""
    lines = []
    for name, by_class in classes(checked).items():
        lines.append(f"{name} sends")
        lines += [f"  {privacy}: {', '.join(targets) or 'none'}" for privacy, targets in by_class.items()]
    return lines

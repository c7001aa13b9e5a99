"""Which classes of data each mapping sends, as `check` prints it."""

from __future__ import annotations

from collections.abc import Mapping

from connector import mapping
from connector.mapping import Loaded


def classes(checked: Mapping[str, Loaded]) -> dict[str, dict[str, list[str]]]:
    """The target fields by destination (or by mapping file, if no agency file was named) and class."""
    return {
        name: {str(privacy): targets for privacy, targets in mapping.leaving(loaded).items()}
        for name, loaded in checked.items()
        if loaded.mapping is not None
    }


def lines(checked: Mapping[str, Loaded]) -> list[str]:
    """The same as lines of text."""
    text = []
    for name, by_class in classes(checked).items():
        text.append(f"{name} sends")
        text += [f"  {privacy}: {', '.join(targets) or 'none'}" for privacy, targets in by_class.items()]
    return text

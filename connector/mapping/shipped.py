"""The mappings that come with the connector: whole ones, and the recipes that add something to one of them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

RECIPES: Final = "recipes/"
SHIPPED: Final = "shipped:"
"""Begins the names of shipped files among those a mapping is made of."""


def shipped_folder() -> Path:
    """Return the folder of the shipped mappings: in the installed package, else in the repository."""
    package = Path(__file__).resolve().parent.parent
    installed = package / "shipped"
    return installed if installed.is_dir() else package.parent / "mappings"


def shipped_names(folder: Path) -> dict[str, Path]:
    """List the files of a folder of mappings by their full names: `crm`, `recipes/crm/last-call`."""
    files = (*sorted(folder.glob("*.yaml")), *sorted(folder.glob("recipes/*/*.yaml")))
    return {file.relative_to(folder).with_suffix("").as_posix(): file for file in files}


def full_name(name: str, before: Iterable[str]) -> str:
    """Complete a recipe's name by the mapping it adds to: the first of those named before it.

    >>> full_name("recipes/last-call", ["crm"]), full_name("crm", []), full_name("recipes/last-call", [])
    ('recipes/crm/last-call', 'crm', 'recipes/last-call')
    """
    base = next((earlier for earlier in before if "/" not in earlier), None)
    is_short = name.startswith(RECIPES) and name.count("/") == 1
    return f"{RECIPES}{base}/{name.removeprefix(RECIPES)}" if is_short and base else name


def short_name(name: str) -> str:
    """
    >>> short_name("recipes/crm/last-call"), short_name("crm")
    ('recipes/last-call', 'crm')
    """
    return RECIPES + name.rsplit("/", 1)[-1] if name.startswith(RECIPES) else name

"""RESULTS.md: a block for each benchmark, replaced when that is measured: an interrupted run loses nothing."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

ABOUT = """\
# Results

Written by `make bench`, never by hand; [docs/performance.md](../docs/performance.md) explains the figures.
*Ours* is the median of the runs, and *spread* their minimum and maximum. *Compared with* names the other
side of a comparison; it alternated with ours in the same run. *Before* is an older commit of the connector, in an
environment of its own. *Wanted* is the bound on the ratio, or on our figure if there is no comparison.
"""
ONLY_TRIED = """
**This was a quick run to see that the benchmarks work. Its figures mean nothing.**
"""
_BLOCK = re.compile(r"^<!-- ([a-z]+): ([^\n]+) -->\n(.*?)(?=^<!-- [a-z]+: |\Z)", re.M | re.S)
_MACHINE = re.compile(r"^- .+ cores, .+$", re.M)


@dataclass(frozen=True, slots=True)
class Block:
    """What one benchmark measured. stamp: when, at which commit, and how long it took."""

    stamp: str
    tables: str


def read(page: str) -> dict[str, Block]:
    """Return the blocks of a page by the benchmark's name."""
    return {name: Block(stamp, tables.strip()) for name, stamp, tables in _BLOCK.findall(page)}


def write(machine: Sequence[str], blocks: Mapping[str, Block], order: Sequence[str], *, tried: bool = False) -> str:
    """Write the page. machine: its lines. order: of the benchmarks. tried: whether the figures mean nothing."""
    measured = [f"- {name}: {blocks[name].stamp}" for name in order if name in blocks]
    parts = [f"<!-- {name}: {blocks[name].stamp} -->\n\n{blocks[name].tables}\n" for name in order if name in blocks]
    return "\n".join([f"{ABOUT}{ONLY_TRIED if tried else ''}", *machine, *measured, "", *parts])


def same_machine(page: str, machine: Sequence[str]) -> bool:
    """Whether a page's figures are of this machine, as far as its size tells: others do not belong beside them."""
    return _MACHINE.findall(page) == _MACHINE.findall("\n".join(machine))

"""The words as a specification: a glossary term has one meaning in the code, and texts are plain English."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
CONNECTOR = ROOT / "connector"
SANDBOX = "sandbox"  # plays the CRMs, whose own words are theirs: it imports nothing of ours

GLOSSARY = re.findall(
    r"^\| ([a-z ]+) \| [^|]+ \|$",
    (ROOT / "README.md").read_text("utf-8").partition("## Words")[2].partition("\n## ")[0].partition("|---|")[2],
    re.M,
)

PLACES = {
    # The term: the packages and modules whose names may contain it, and what they do with it.
    "event": ("carecycle cli errors mapping model store telemetry web", "read, mapped, stored, logged and listed"),
    "inbox": ("errors store/inbox", "one table; full is an error"),
    "delivery": ("delivery model settlement store telemetry", "the value, its state, its row, and settling it"),
    "destination": ("cli destinations errors insight running", "the protocol, its stand-in, and choosing one"),
    "mapping": (
        "delivery errors insight mapping running settlement store telemetry web",
        "the language, what runs, its page",
    ),
    "record": (
        "cli destinations insight mapping model settlement store/forget store/ledger store/trail",
        "made by a mapping, written to a CRM, explained; a customer's; listed before one is forgotten",
    ),
    "ledger": ("store/ledger", "one table"),
    "lane": ("cli insight receive running settlement store telemetry web", "chosen, leased, paused, shown"),
    "lease": ("errors store/lanes telemetry", "taken and lost"),
    "attempt": ("destinations settlement store", "made by a destination, its outcome, kept by the store"),
    "obligation": (
        "delivery/obligations settlement store",
        "owed from the inbox, paid by delivery, counted",
    ),
    "odd field": ("carecycle telemetry", "read, counted"),
    "claim": (
        "delivery insight settlement store",
        "made by delivery before a record is written to, kept by the store, rehearsed",
    ),
    "question": (
        "cli delivery insight settlement store",
        "asked by delivery, kept by the store, shown and decided",
    ),
    "open item": ("delivery/open_items insight model store", "decided by delivery, kept by the store, counted"),
    "outcome": ("destinations insight settlement store web", "returned by a destination, counted, worded"),
    "dead letter": ("store/letters telemetry", "grouped by cause, counted"),
    "superseded": ("delivery", "decided when deliveries are merged"),
    "withheld": ("cli insight mapping model", "decided by the mapping, shown"),
    "watermark": ("", "data of the ledger; nothing is named after it"),
}

TICS = re.compile(r"\b(told|whoever|anew|mend(?:s|ed|ing)?|so many|beforehand|what is said|stands)\b", re.I)
EMPTY_NAMES = frozenset({"one", "told", "found"})

CEILINGS = {
    # How many tics a package, or a page, may still have. Lower these; never raise them.
    "running": 1,  # a key of what doctor prints as JSON
    "store": 5,  # a column's name
    "telemetry": 1,  # a label of a metric
}


def modules() -> Iterator[Path]:
    return iter(sorted(CONNECTOR.rglob("*.py")))


def place_of(path: Path) -> str:
    """The package a module belongs to, or its own name at the top level: "store", "telemetry"."""
    return path.relative_to(CONNECTOR).parts[0].removesuffix(".py")


def names_in(path: Path) -> Iterator[str]:
    """The module's name, and those of its classes and functions."""
    yield path.stem
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name


def words_of(name: str) -> list[str]:
    """The words of a name, in the singular: "_opt_outsWaiting" is opt, out, waiting."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower().split("_")
    return [re.sub(r"(?<=[a-rt-z])s$", "", re.sub(r"ies$", "y", word)) for word in words if word]


def terms_in(name: str) -> set[str]:
    spaced = f" {' '.join(words_of(name))} "
    return {term for term in GLOSSARY if f" {term} " in spaced}


def allowed(term: str, path: Path) -> bool:
    inside = path.relative_to(CONNECTOR).with_suffix("").as_posix()
    return any(inside == place or inside.startswith(f"{place}/") for place in [*PLACES[term][0].split(), SANDBOX])


class TestGlossary:
    def test_every_term_has_its_places(self) -> None:
        assert PLACES.keys() == set(GLOSSARY)

    @pytest.mark.parametrize("term", PLACES)
    def test_a_term_names_nothing_outside_its_places(self, term: str) -> None:
        strangers = [
            f"{path.relative_to(ROOT)}: {name}"
            for path in modules()
            if not allowed(term, path)
            for name in names_in(path)
            if term in terms_in(name)
        ]
        assert strangers == []

    @pytest.mark.slow
    def test_no_place_is_listed_in_vain(self) -> None:
        used = {term: set[str]() for term in PLACES}
        for path in modules():
            inside = path.relative_to(CONNECTOR).with_suffix("").as_posix()
            for term in {term for name in names_in(path) for term in terms_in(name)}:
                used[term] |= {place for place in PLACES[term][0].split() if f"{inside}/".startswith(f"{place}/")}
        assert used == {term: set(places.split()) for term, (places, _) in PLACES.items()}

    @pytest.mark.parametrize(
        ("name", "terms"),
        [
            ("_DeadLetters", {"dead letter"}),
            ("deliveries", {"delivery"}),
            ("record_of_lane", {"record", "lane"}),
            ("recorder", set()),
            ("released", set()),
        ],
    )
    def test_a_term_is_recognized_in_a_name_by_whole_words(self, name: str, terms: set[str]) -> None:
        assert terms_in(name) == terms


def text_files() -> list[Path]:
    """Everything people read: pages, examples, alert texts, mappings and the console's templates."""
    return sorted(
        [
            *ROOT.glob("*.md"),
            *ROOT.glob("docs/*.md"),
            *ROOT.glob("*.yaml"),
            *ROOT.glob("monitoring/*"),
            *ROOT.glob("mappings/*.yaml"),
            *CONNECTOR.rglob("*.html"),
        ]
    )


def empty_names(path: Path) -> int:
    """How many variables and parameters have a name that does not say what they hold."""
    nodes = list(ast.walk(ast.parse(path.read_text("utf-8"))))
    stored = [node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)]
    arguments = [node.arg for node in nodes if isinstance(node, ast.arg)]
    return sum(name in EMPTY_NAMES for name in [*stored, *arguments])


def tics_by_place() -> Counter[str]:
    """Tics in code, comments, docstrings and messages, and empty names, by package."""
    counts: Counter[str] = Counter()
    for path in modules():
        counts[place_of(path)] += len(TICS.findall(path.read_text("utf-8"))) + empty_names(path)
    return counts


class TestPlainEnglish:
    @pytest.mark.parametrize("path", text_files(), ids=lambda path: path.name)
    def test_a_text_has_no_tics(self, path: Path) -> None:
        prose = re.sub(r"`[^`\n]+`", "", path.read_text("utf-8"))
        ceiling = CEILINGS.get(path.relative_to(ROOT).as_posix(), 0)
        assert len(TICS.findall(prose)) <= ceiling, TICS.findall(prose)

    def test_no_package_gains_tics(self) -> None:
        assert {place: count for place, count in tics_by_place().items() if count > CEILINGS.get(place, 0)} == {}

"""The words of the mapping's table: where a value comes from, what it goes through, and what it depends on."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from connector.mapping.schema_sources import SOURCES

_GROUPS: Final = {"customer": "", "call": "call: ", "campaign": "campaign: ", "event": "event: "}
_COMPARED: Final = {
    "is": "is",
    "not": "is not",
    "in": "is one of",
    "not_in": "is none of",
    "more_than": "is more than",
    "at_least": "is at least",
    "less_than": "is less than",
    "at_most": "is at most",
    "contains": "contains",
    "starts_with": "starts with",
    "ends_with": "ends with",
}
_RULES: Final = {
    "on_create": "only when the record is new",
    "if_blank": "only while the CRM's field is blank",
    "unless_edited": "unless somebody edited it in the CRM",
    "forward": "only forward",
}
_WORDS: Final = {"Sms": "SMS", "Npn": "NPN", "Mbi": "MBI", "Id": "ID", "Url": "URL", "Va": "VA"}


def path_words(path: str) -> str:
    """Name a field of careCycle's.

    >>> path_words("customer.firstName"), path_words("call.durationMs"), path_words("customer")
    ('first name', 'call: duration ms', 'customer')
    """
    group, _, rest = path.partition(".")
    if not rest:
        return path
    if rest == "id":
        return f"{group} ID"
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", rest.replace(".", ", ")).split(" ")
    return _GROUPS.get(group, f"{group}: ") + " ".join(_WORDS.get(word, word.lower()) for word in words)


def _quoted(value: Any) -> str:
    match value:
        case None:
            return "nothing"
        case bool():
            return "yes" if value else "no"
        case str():
            return f"“{value}”"
        case _:
            return str(value)


def _listed(values: Any, last: str = "or") -> str:
    shown = [_quoted(value) for value in values] if isinstance(values, list) else [_quoted(values)]
    return f"{', '.join(shown[:-1])} {last} {shown[-1]}" if len(shown) > 1 else "".join(shown)


def value_words(written: Any) -> str:
    """Say where a value comes from.

    >>> value_words({"from": ["call.startTime", "call.createdAt"]})
    'call: start time, else call: created at'
    """
    block = _block(written)
    kind = next((name for name in SOURCES if name in block), "")
    return _SOURCES[kind](block[kind]) if kind else ""


def _paths(paths: Any) -> list[str]:
    return [path_words(str(path)) for path in (paths if isinstance(paths, list) else [paths])]


def _block(written: Any) -> Mapping[str, Any]:
    return written if isinstance(written, dict) else {"from": [written]}


def _lookup_words(lookup: Any) -> str:
    asked = [f"{name} is {path_words(str(path))}" for name, path in (lookup.get("match") or {}).items()]
    asked += [f"{name} is {_quoted(value)}" for name, value in (lookup.get("where") or {}).items()]
    wanted = lookup.get("return") or "ID"
    words = f"the {wanted} of the {lookup.get('object')} whose {' and '.join(asked)}"
    otherwise = lookup.get("else") or {}
    if "lookup" in otherwise:
        return f"{words}; else {_lookup_words(otherwise['lookup'])}"
    return f"{words}; else {_quoted(otherwise['value'])}" if "value" in otherwise else words


def _case_words(case: Any) -> str:
    if "else" in case:
        return f"otherwise {value_words(case['else'])}"
    return f"if {condition_words(case.get('when'))}: {value_words(case.get('then'))}"


def condition_words(condition: Any) -> str:
    """Say when something holds.

    >>> condition_words({"customer.lineType": "mobile", "not": {"customer.state": ["NM", "AZ"]}})
    'line type is “mobile” and not (state is one of “NM” or “AZ”)'
    """
    return " and ".join(_held(condition)) if isinstance(condition, dict) else ""


def _held(condition: Mapping[str, Any]) -> Iterator[str]:
    for name, wanted in condition.items():
        match name:
            case "any" | "all":
                joined = " or " if name == "any" else " and "
                yield f"({joined.join(condition_words(inner) for inner in wanted)})"
            case "not":
                yield f"not ({condition_words(wanted)})"
            case _:
                yield from (f"{path_words(name)} {words}" for words in _comparisons(wanted))


def _comparisons(wanted: Any) -> Iterator[str]:
    tests = wanted if isinstance(wanted, dict) else {"in" if isinstance(wanted, list) else "is": wanted}
    for name, value in tests.items():
        yield _SPECIAL[name](value) if name in _SPECIAL else f"{_COMPARED.get(name, name)} {_operand(value)}"


def _operand(value: Any) -> str:
    return path_words(str(value.get("field"))) if isinstance(value, dict) else _listed(value)


def _within_words(span: Any) -> str:
    way, days = next(iter(span.items()))
    return f"is within the {way} {days}"


def _steps_words(steps: Any) -> str:
    listed = steps if isinstance(steps, list) else [steps]
    return ", then ".join(
        ", ".join(f"{name} {value}" for name, value in step.items()) if isinstance(step, dict) else str(step)
        for step in listed
    )


def step_words(written: Any, tables: Mapping[str, Any]) -> list[str]:
    """Say what a value goes through on its way, and when it is written, in order."""
    block = _block(written)
    said = (say(block[name], tables) for name, say in _STEPS.items() if name in block)
    return [words for words in said if words]


def _table_words(table: Any, tables: Mapping[str, Any]) -> str:
    entries = tables.get(table, {}) if isinstance(table, str) else table
    shown = [f"{'anything else' if name == 'else' else name} → {_plain(value)}" for name, value in entries.items()]
    return f"translated: {'; '.join(shown)}"


def _plain(value: Any) -> str:
    return "nothing" if value is None else str(value)


_STEPS: Final[Mapping[str, Callable[[Any, Mapping[str, Any]], str]]] = {
    "when": lambda value, _: f"only if {condition_words(value)}",
    "table": _table_words,
    "format": lambda value, _: f"written as {_steps_words(value)}",
    "bands": _table_words,
    "default": lambda value, _: f"if empty: {_quoted(value)}",
    "cut": lambda value, _: "cut to the field's length" if value else "",
    "if_null": lambda value, _: "an empty value clears it" if value == "clear" else "",
    "required": lambda value, _: "the record is not written without it" if value else "",
    "write": lambda value, _: _RULES.get(value, ""),
    "order": lambda value, _: f"along {', '.join(map(str, value))}",
    "sensitive": lambda value, _: "health information, accepted" if value == "accepted" else "",
    "note": lambda value, _: str(value),
}


_SPECIAL: Final[Mapping[str, Callable[[Any], str]]] = {
    "exists": lambda value: "is there" if value else "is not there",
    "within": _within_words,
    "format": lambda value: f"(taken as {_steps_words(value)})",
}
_SOURCES: Final[Mapping[str, Callable[[Any], str]]] = {
    "from": lambda value: ", else ".join(_paths(value)),
    "value": lambda value: f"always {_quoted(value)}",
    "template": lambda value: f"text {_quoted(value)}",
    "join": lambda value: f"{', '.join(_paths(value))}, joined",
    "ref": lambda value: f"the ID of the record “{value}”",
    "lookup": _lookup_words,
    "cases": lambda value: "depends: " + "; ".join(_case_words(case) for case in value),
    "count": lambda _: "how many calls there were",
    "first": lambda value: f"{path_words(str(value))} of the first call",
    "last": lambda value: f"{path_words(str(value))} of the last call",
}


def event_words(event: str) -> str:
    """Name a type of event.

    >>> event_words("customer.created")
    'customer created'
    """
    return event.replace(".", " ")


FILTERS: Final = (path_words, value_words, condition_words, step_words, event_words)

"""Say how the language writes what somebody wrote as a formula, as in a spreadsheet, a CRM or a program.

The language has no formulas. This only reads those that people write most, to show the lines that do the same.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from connector.carecycle import catalogue

_LONGEST: Final = 300
_AROUND: Final = re.compile(r"(?:\$?\{+!?|%+|<+|\$\(|\[+)\s*([\w.]+)\s*(?:\}+|%+|>+|\)|\]+)")
_COUNTED: Final = re.compile(r"(?:count|number)(?:\s+of|\s*\(|\s)\s*calls\s*\)?", re.I)
_WORDED: Final = re.compile(r"(from|first|last)\s+([\w.]+)")
_REMARK: Final = re.compile(r"([\w.]+)\s*(?://|--|;|<!--|/\*)\s*(.*?)\s*(?:-->|\*/)?")
_TEXT: Final = re.compile(r"\"([^\"]*)\"|'([^']*)'|\u201c([^\u201d]*)\u201d")
_ASSIGNED: Final = re.compile(r"(value|template)\s*=\s*(.+)", re.S)
_CALL: Final = re.compile(r"([A-Za-z_]+)\s*\((.*)\)", re.S)
_PIECE: Final = re.compile(
    r"\"[^\"]*\"|'[^']*'|\u201c[^\u201d]*\u201d|\((?:[^()]|\([^()]*\))*\)|[^\"'(),+&\u201c]+|.", re.S
)
_COMPARED: Final = re.compile(
    r"([\w.]+)\s*(===?|=|!==?|<>|>=|<=|>|<|\bis not\b|\bis\b|\bcontains\b)\s*(.+)", re.I | re.S
)
_FORMATS: Final = {
    "upper": "upper",
    "ucase": "upper",
    "uppercase": "upper",
    "lower": "lower",
    "lcase": "lower",
    "lowercase": "lower",
    "trim": "trim",
    "proper": "title",
    "title": "title",
    "text": "text",
    "tostring": "text",
    "year": "{ pattern: YYYY }",
    "month": "{ pattern: MM }",
    "day": "{ pattern: DD }",
}
_ADDING: Final = frozenset({"concat", "concatenate"})
_CHOOSING: Final = frozenset({"if", "iif"})
_FIRST_OF: Final = frozenset({"coalesce", "ifnull", "isnull", "nvl", "blankvalue"})
_NUMBERED: Final = {"left": "first", "right": "last", "round": "round"}
_COMPARISONS: Final = {
    "=": "is",
    "==": "is",
    "===": "is",
    "is": "is",
    "!=": "not",
    "!==": "not",
    "<>": "not",
    "is not": "not",
    ">": "more_than",
    ">=": "at_least",
    "<": "less_than",
    "<=": "at_most",
    "contains": "contains",
}


def instead(text: str) -> str:
    """Write a source that does what a formula would; empty if the text is none that is known.

    >>> instead("=customer.city"), instead("{{customer.city}}"), instead("customer.city // or county")
    ('customer.city', 'customer.city', 'customer.city  # or county')
    >>> instead('customer.firstName + " " + customer.lastName')
    '{ join: [customer.firstName, customer.lastName], with: " " }'
    >>> instead('CONCAT("Agent: ", customer.agentName)'), instead("UPPER(customer.city)")
    ('{ template: "Agent: {customer.agentName}" }', '{ from: customer.city, format: upper }')
    >>> instead('IF(call.direction = "inbound", "In", "Out")')
    '{ cases: [{ when: { call.direction: inbound }, then: { value: In } }, { else: { value: Out } }] }'
    >>> instead("count calls"), instead("last call.disposition")
    ('{ count: calls }', '{ last: call.disposition }')
    >>> instead("customer.fristName"), instead("Phone Inquiry")
    ('', '')
    """
    text = text.strip()
    if len(text) > _LONGEST or is_field(text):
        return ""
    if assigned := _ASSIGNED.fullmatch(text):
        return f"{{ {assigned[1]}: {_scalar(_literal(assigned[2]) or assigned[2])} }}"
    if worded := _worded(text):
        return worded
    text = text.removeprefix("=").strip()
    return _alone(text) or _called(text) or _added(_split(text, "+&"))


def _worded(text: str) -> str:
    """A source whose colon is missing."""
    if _COUNTED.fullmatch(text):
        return "{ count: calls }"
    worded = _WORDED.fullmatch(text)
    return f"{{ {worded[1]}: {worded[2]} }}" if worded and is_field(worded[2]) else ""


def _alone(text: str) -> str:
    """The only field of a text, if nothing but marks and a remark is around it."""
    around, remark = _AROUND.fullmatch(text), _REMARK.fullmatch(text)
    path = around[1] if around else remark[1] if remark else text
    about = f"  # {remark[2]}" if remark and remark[2] else ""
    return f"{path}{about}" if is_field(path) else ""


def comparison(text: str) -> str:
    """Write a condition that compares as a formula would; empty if the text is none.

    >>> comparison("call.durationMs >= 60000"), comparison('customer.status != "Lead"'), comparison("customer.status")
    ('call.durationMs: { at_least: 60000 }', 'customer.status: { not: Lead }', '')
    """
    compared = _COMPARED.fullmatch(text.strip()) if len(text) <= _LONGEST else None
    if compared is None or not is_field(compared[1]):
        return ""
    operator, other = _COMPARISONS[" ".join(compared[2].lower().split())], compared[3].strip()
    if other.lower() in ("null", "blank", "empty", '""', "''"):
        return f"{compared[1]}: {{ exists: {'true' if operator == 'not' else 'false'} }}"
    literal = _literal(other)
    value = other if literal is None else _scalar(literal)
    return f"{compared[1]}: {value}" if operator == "is" else f"{compared[1]}: {{ {operator}: {value} }}"


def is_field(text: str) -> bool:
    """Whether a text is a field's name and nothing else."""
    return text in catalogue.FIELDS


def _called(text: str) -> str:
    """What a function of a spreadsheet would do."""
    if (call := _CALL.fullmatch(text)) is None:
        return ""
    name, arguments = call[1].lower(), _split(call[2], ",;")
    if name in _ADDING:
        return _added(arguments)
    if name in _CHOOSING and len(arguments) == 3:
        return _chosen(*arguments)
    if name in _FIRST_OF and all(map(is_field, arguments)):
        return f"{{ from: [{', '.join(arguments)}] }}"
    step = _step(name, arguments[1:])
    return f"{{ from: {arguments[0]}, format: {step} }}" if step and is_field(arguments[0]) else ""


def _step(name: str, more: Sequence[str]) -> str:
    """The format that does what a function of one field does."""
    if name in _NUMBERED and len(more) == 1 and more[0].isdigit():
        return f"{{ {_NUMBERED[name]}: {more[0]} }}"
    return "" if more else _FORMATS.get(name, "")


def _chosen(condition: str, then: str, other: str) -> str:
    when, first, second = comparison(condition), _source(then), _source(other)
    if not (when and first and second):
        return ""
    return f"{{ cases: [{{ when: {{ {when} }}, then: {first} }}, {{ else: {second} }}] }}"


def _source(text: str) -> str:
    literal = _literal(text)
    return text if is_field(text) else "" if literal is None else f"{{ value: {_scalar(literal)} }}"


def _added(parts: Sequence[str]) -> str:
    """Texts and fields, one after another: a join if the same text is between all of them."""
    paths = list(filter(is_field, parts))
    if len(parts) < 2 or None in [_literal(part) for part in parts if part not in paths]:
        return ""
    between = {_literal(part) for part in parts[1::2]}
    if len(paths) > 1 and list(parts[::2]) == paths and len(between) == 1:
        return f"{{ join: [{', '.join(paths)}], with: {quoted(between.pop() or '')} }}"
    whole = "".join(map(_in_template, parts))
    return f"{{ template: {quoted(whole)} }}" if paths else ""


def _in_template(part: str) -> str:
    return f"{{{part}}}" if is_field(part) else _literal(part) or ""


def _split(text: str, marks: str) -> list[str]:
    """The parts between these marks that are in no quotes and no parentheses."""
    parts = [""]
    for piece in _PIECE.findall(text):
        if len(piece) == 1 and piece in marks:
            parts.append("")
        else:
            parts[-1] += piece
    return [part.strip() for part in parts]


def _literal(text: str) -> str | None:
    match = _TEXT.fullmatch(text.strip())
    return next((inner for inner in match.groups() if inner is not None), "") if match else None


def _scalar(text: str) -> str:
    """A text as YAML has it: in quotes unless it is a plain word or words."""
    return (
        text
        if re.fullmatch(r"[A-Za-z]+(?: [A-Za-z]+)*", text) and text not in ("true", "false", "null")
        else quoted(text)
    )


def quoted(text: str) -> str:
    """A text in double quotes, as YAML has it."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'

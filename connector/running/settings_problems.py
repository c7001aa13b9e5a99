"""Say what is wrong with an agency file in the words of the file."""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterator
from functools import cache, partial
from typing import Any, Final, get_args

from pydantic import BaseModel, SecretStr
from pydantic_core import ErrorDetails

from connector.destinations import VENDORS
from connector.destinations.settings import DestinationSettings
from connector.mapping import formulas, meant
from connector.mapping.diagnostics import Diagnostic, Place
from connector.mapping.suggestions import closest
from connector.mapping.tree import Loc, Node, find, find_key
from connector.running import settings_meant

REFERENCE: Final = re.compile(r"\$\{([A-Z_][A-Z0-9_]*)\}\Z")
_FILE: Final = "file:"
_MEANT: Final = re.compile(r"\$\{.*\}|\$[({]?\w+\)?|\{\{.*\}\}|%\w+%", re.ASCII)
_ANY_REFERENCE: Final = re.compile(r"\$\{?\w+\}?|\{\{ ?\w+ ?\}\}|%\w+%|\bfile:\S+", re.ASCII)
_NAME: Final = re.compile(r"[A-Z][A-Z0-9]*(_[A-Z0-9]+)+")
_LONGEST: Final = 80
_LIKE_A_NAME: Final = re.compile(r"[A-Z]+(_[A-Z0-9]+)+|[a-z]+(_[a-z0-9]+)+")
_EXPECTED: Final = {
    "int": "a whole number",
    "bool": "true or false",
    "tuple": "a list: each entry on its own line after a dash",
    "list": "a list: each entry on its own line after a dash",
    "dict": "a block: its settings on the lines below, further right",
    "model": "a block: its settings on the lines below, further right",
    "date": "a date, for example 2027-03-31",
}
_PATTERNS: Final = {
    "agency": "of lowercase letters, digits, - and _ only, for example sunrise",
    "endpoint": "scheme://host:port, for example http://127.0.0.1:8091",
    "sender": "an e-mail address",
    "server": "host:port, for example smtp.example.com:587",
    "api_version": "a version of the CRM's API, for example 67.0",
}


def problems_of(errors: list[ErrorDetails], tree: Node, settings: type[BaseModel]) -> list[str]:
    """Say each problem with its place. settings: the model that reads the whole file."""
    renamed = {(*error["loc"][:-1], near) for error in errors if (near := _meant(error, settings))}
    return [
        _line_of(error, tree, settings)
        for error in errors
        if not (error["type"] == "missing" and error["loc"] in renamed)
    ]


def _line_of(error: ErrorDetails, tree: Node, settings: type[BaseModel]) -> str:
    loc, text = error["loc"], _text(error, settings)
    if error["type"] == "union_tag_invalid":
        loc = (*loc, error["ctx"]["discriminator"].strip("'"))
    right = _nested(error, tree, settings) or _right(error, find(tree, loc), settings)
    is_key = error["type"] == "extra_forbidden"
    return line(tree, loc, f"{text}; {right}" if right else text, is_key=is_key)


def _right(error: ErrorDetails, node: Node, settings: type[BaseModel]) -> str:
    """What to write in place of a value; empty if that is not clear, or it may be a secret."""
    name, kind, written = str(error["loc"][-1]), error["type"].split("_")[0], node.text
    if not written or len(written) > _LONGEST or (name not in _plain_names(settings) and not REFERENCE.match(written)):
        return ""
    if kind in ("literal", "union"):
        near = meant.word(written, _words(error))
        return f"did you mean {near}?" if near else ""
    means: dict[str, Callable[[str], str]] = {
        "int": partial(settings_meant.number, name),
        "bool": meant.boolean,
        "date": meant.day,
        "tuple": _as_list,
    }
    right = (means.get(kind) or settings_meant.TEXTS.get(name, lambda _: ""))(written)
    return f"write  {right}" if right and right != written else ""


def _as_list(text: str) -> str:
    return f"[{formulas.quoted(text)}]"


def _nested(error: ErrorDetails, tree: Node, settings: type[BaseModel]) -> str:
    """Where a setting belongs that is beside its block, which is empty; empty if it is not such a one."""
    *around, name = error["loc"]
    beside = find(tree, tuple(around)).items
    for block, (_, inner) in beside.items():
        if inner.value is None and name in _known((*around, block), settings) and error["type"] == "extra_forbidden":
            key, value = beside[str(name)]
            right = f"{' ' * (key.place.col + 1)}{name}: {value.text}"
            hint = f"write  {right}" if may_be_shown(right, _plain_names(settings)) else "two spaces further right"
            return f"it belongs under {block}: {hint}"
    return ""


def line(tree: Node, loc: Loc, text: str, *, is_key: bool = False) -> str:
    """Write a problem with its place: file:line:column and the path of keys. is_key: it is the key that is wrong."""
    node = find_key(tree, loc) if is_key else find(tree, loc)
    return f"{where(node.place)}: {'.'.join(_written(tree, loc))}: {text}"


def _written(tree: Node, loc: Loc) -> Iterator[str]:
    """The path as the file has it: without the parts that only say which kind of block is meant."""
    for number, part in enumerate(loc):
        is_written = isinstance(part, int) or part in find(tree, loc[:number]).items
        if is_written or number == len(loc) - 1:
            yield str(part)


def where(place: Place) -> str:
    """Write a place."""
    return f"{place.file}:{place.line}:{place.col}"


def secrets_in_the_file(settings: BaseModel, tree: Node) -> list[str]:
    """Say which secrets are written into the file."""
    return [
        line(tree, loc, _secret(loc, find(tree, loc).text))
        for loc in _secrets(settings, ())
        if _is_plain(find(tree, loc))
    ]


def _secret(loc: Loc, written: str) -> str:
    """What to do with a secret, or with the name of a variable that has one, which alone is repeated here."""
    if _NAME.fullmatch(written):
        return f"a variable's name alone is taken for the secret: write  ${{{written}}}"
    around = loc[1] if loc[0] == "destinations" else loc[0]
    words = re.sub(r"\W", "_", f"{around}_{loc[-1]}").upper()
    name = "CARECYCLE_WEBHOOK_SECRET" if loc[0] == "webhook" else words
    variable = f"set the environment variable {name} to it, and here write  ${{{name}}}"
    return f"is a secret: {variable}  (or file:NAME for a file)"


def not_a_reference(text: str) -> str:
    """Say what is wrong with a text that was meant to refer to a secret; empty if it was not."""
    if not _MEANT.fullmatch(text):
        return ""
    names = [word.upper() for word in re.findall(r"\w+", text) if _LIKE_A_NAME.fullmatch(word)]
    name = names[0] if names else "NAME"  # it may be a secret that begins with $
    return (
        f"this refers to no environment variable; with braces and capital letters, and nothing else: write  ${{{name}}}"
    )


def name_in_braces(node: Node) -> str:
    """The problem of a variable's name in braces without a dollar sign; empty if it is none."""
    ((name, (_, inner)),) = node.items.items() if len(node.items) == 1 else (("", (node, node)),)
    return not_a_reference(f"${name}") if inner.value is None and _NAME.fullmatch(name) else ""


def may_be_shown(text: str, plain: Container[str]) -> bool:
    """Whether a line of an agency file certainly holds no secret. plain: the settings that hold none."""
    rest = _ANY_REFERENCE.sub("", text)
    if key := re.match(r"\s*(?:-\s+)*([A-Za-z_]\w*)\s*[:=]", rest):
        return "{" not in rest and (key[1] in plain or not re.search(r"\w", rest[key.end() :]))
    return not re.search(r"\w", rest)


def told_of_yaml(problem: Diagnostic, settings: type[BaseModel]) -> str:
    """A problem of the file's YAML with its hint, without what may be a secret."""
    # What YAML takes for an anchor, an alias or a tag may be a secret that begins with &, * or !.
    text = re.sub(r"'[&*!][^']*'", "this", str(problem))
    word = re.match(r"'(\w+)' is read as text", problem.message)
    if word and (right := meant.boolean(word[1])):
        return f"{text}; write  {right}"
    shown = problem.hint.removeprefix("write  ")
    if not problem.hint or (shown != problem.hint and not may_be_shown(shown, _plain_names(settings))):
        return text
    return f"{text}; {problem.hint}"


@cache
def _plain_names(settings: type[BaseModel]) -> frozenset[str]:
    """The names of the settings that hold no secret anywhere."""
    names: dict[str, bool] = {}
    blocks, seen = [settings], set[type[BaseModel]]()
    while blocks:
        block = blocks.pop()
        seen.add(block)
        for name, declared in block.model_fields.items():
            names[name] = names.get(name, True) and "Secret" not in str(declared.annotation)
            blocks += [inner for inner in _inside(declared.annotation) if inner not in seen]
    return frozenset(name for name, is_plain in names.items() if is_plain)


def _is_plain(node: Node) -> bool:
    text = node.value
    return isinstance(text, str) and text != "" and not (REFERENCE.match(text) or text.startswith(_FILE))


def _secrets(value: Any, loc: Loc) -> Iterator[Loc]:
    match value:
        case SecretStr():
            yield loc
        case BaseModel():
            for name in value.model_fields_set:
                yield from _secrets(getattr(value, name), (*loc, name))
        case dict():
            for name, inner in value.items():
                yield from _secrets(inner, (*loc, name))
        case tuple():
            for number, inner in enumerate(value):
                yield from _secrets(inner, (*loc, number))


def _text(error: ErrorDetails, settings: type[BaseModel]) -> str:
    kind, context = error["type"], error.get("ctx", {})
    match kind:
        case "missing":
            return f"is missing{_described(error['loc'], settings)}"
        case "extra_forbidden":
            return f"there is no such setting; {_offered(error, settings)}"
        case "greater_than_equal":
            return f"must be at least {context['ge']}"
        case "less_than_equal":
            return f"must be at most {context['le']}"
        case "too_short" | "string_too_short":
            return "must not be empty"
    expected = _EXPECTED.get(kind.split("_")[0]) or _allowed(error)
    return f"must be {expected}" if expected else error["msg"].removeprefix("Value error, ")


def _words(error: ErrorDetails) -> list[str]:
    """The words that a setting may be."""
    context = error.get("ctx", {})
    return re.findall(r"'([^']*)'", str(context.get("expected") or context.get("expected_tags") or ""))


def _allowed(error: ErrorDetails) -> str:
    """What a text may be; empty if its own message says it."""
    context = error.get("ctx", {})
    if error["type"] == "string_pattern_mismatch":
        return _PATTERNS.get(str(error["loc"][-1]), "written otherwise")
    words = str(context.get("expected") or context.get("expected_tags") or "").replace("'", "")
    return f"one of {words}" if words else ""


def _offered(error: ErrorDetails, settings: type[BaseModel]) -> str:
    near = _meant(error, settings)
    return f"did you mean {near}?" if near else f"there are {', '.join(_known(error['loc'][:-1], settings))}"


def _meant(error: ErrorDetails, settings: type[BaseModel]) -> str:
    """The setting that an unknown one was probably meant to be."""
    if error["type"] != "extra_forbidden":
        return ""
    return closest(str(error["loc"][-1]), _known(error["loc"][:-1], settings)) or ""


def _described(loc: Loc, settings: type[BaseModel]) -> str:
    texts = {
        block.model_fields[str(loc[-1])].description
        for block in _blocks(loc[:-1], settings)
        if loc[-1] in block.model_fields
    }
    text = next(filter(None, texts), "")
    return f": {text}" if text else ""


def _known(loc: Loc, settings: type[BaseModel]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for block in _blocks(loc, settings) for name in block.model_fields))


def _blocks(loc: Loc, settings: type[BaseModel]) -> list[type[BaseModel]]:
    """The models that may read the block at a location."""
    blocks = [settings]
    for number, part in enumerate(loc):
        if number == 1 and loc[0] == "destinations":
            continue  # a name of the agency's choice
        declared = [block.model_fields[str(part)].annotation for block in blocks if str(part) in block.model_fields]
        blocks = [inner for annotation in declared for inner in _inside(annotation)] or blocks
    return blocks


def _inside(annotation: Any) -> Iterator[type[BaseModel]]:
    if annotation is DestinationSettings:
        yield from (vendor.settings for vendor in VENDORS.values())
    elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _inside(argument)

"""Replace every value of what was exchanged with a CRM, so that the rest is safe to send to others.

Kept: the structure, names of fields and objects, codes, statuses, true, false and null, and the words of error messages
that are on a short list. Everything else becomes a placeholder; equal values have the same one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

from connector.destinations.overheard import Exchange

ENTRIES: Final = 25
"""Most entries of a list that are kept."""

_CODES_UNDER: Final = (
    "errorCode statusCode code category subCategory status policyName error channel associationCategory type "
    "fieldType dataSensitivity wideStatusType method httpStatusCode grant_type token_type"
)
_NAMES_UNDER: Final = "fields propertyName idProperty propertyNames requiredGranularScopes properties in"
_NUMBERS_UNDER: Final = (
    "httpStatusCode totalSize total numErrors length byteLength precision scale digits limit "
    "associationTypeId typeId status"
)
_CODE: Final = re.compile(r"[A-Za-z][A-Za-z_.]{1,60}")
_HEADERS: Final = re.compile(r"content-type|retry-after|.*(limit-info|ratelimit).*", re.IGNORECASE)
_STEP: Final = re.compile(r"[a-z][a-z_-]{0,39}|v\d{1,2}(\.\d)?|oauth2|20\d\d-\d\d|[02]-\d{1,3}|sobjects|queryAll")
_VALUES: Final = re.compile(r"'(?:[^'\\]|\\.)*'|(?<![\w.])[\d+-][\w.:+-]*")
"""The values in a query: texts in quotes, numbers, days and times."""
_WORD: Final = re.compile(r"[A-Za-z][A-Za-z_]*|\S")
_KINDS: Final = (
    ("address", re.compile(r"[^@\s]+@[^@\s]+")),
    ("key", re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")),
    ("time", re.compile(r"\d{4}-\d\d-\d\d(T.*)?")),
    ("number", re.compile(r"[+-]?\d{1,9}(\.\d+)?")),
    ("id", re.compile(r"\d+|[A-Za-z0-9]{15}([A-Za-z0-9]{3})?")),
    ("link", re.compile(r"(https?:/)?/\S+")),
)
_KNOWN: Final = """
    a already allowed an and are as at associated association available bad batch be been being boolean can cannot
    column contact create created data database date deleted denied deserialize does doesn duplicate duplicates email
    entity error exceeded exist exists expired external external field fields for found from has have id ids in
    inactive input inputs insufficient instance integer invalid is it json large limit limits list lock locked long
    longer maximum message missing more must name need no not null number object of on one only option options or
    owner parameter permission permissions picklist please portal properties property provided read reached record
    records reference request requested required resource restricted rule row rows scopes search session set size
    storage string string such supported text than that the this time to token too type unable unique unknown update
    updated upsert user valid validation value values was were while with write your"""
_CODE_KEYS, _NAME_KEYS, _NUMBER_KEYS, _WORDS = (
    frozenset(words.split()) for words in (_CODES_UNDER, _NAMES_UNDER, _NUMBERS_UNDER, _KNOWN)
)


@dataclass(slots=True)
class Masking:
    """names: of the mapping's objects and fields, which are kept wherever they are."""

    names: Collection[str]
    _numbers: dict[str, str] = field(default_factory=dict, repr=False)
    _counts: dict[str, int] = field(default_factory=dict)

    def exchange(self, heard: Exchange) -> dict[str, Any]:
        """One exchange as data for the report."""
        return {
            "request": {"method": heard.method, "path": self.path(heard.url), "body": self.body(heard.sent)},
            "reply": {
                "status": heard.status,
                "headers": {name.lower(): text for name, text in heard.headers.items() if _is_shown(name)},
                "body": self.body(heard.reply),
            },
        }

    def path(self, url: str) -> str:
        """A path and its query, with placeholders."""
        parts = urlsplit(url)
        steps = [step if self._is_plain(step) else self.placeholder(unquote(step)) for step in parts.path.split("/")]
        pairs = [f"{name}={self._queried(name, text)}" for name, text in parse_qsl(parts.query)]
        return "/".join(steps) + (f"?{'&'.join(pairs)}" if pairs else "")

    def _is_plain(self, step: str) -> bool:
        return not step or step in self.names or _STEP.fullmatch(step) is not None

    def _queried(self, name: str, text: str) -> str:
        if name == "q":
            return _VALUES.sub(lambda value: self.placeholder(value[0].strip("'")), text)
        return self._value(name, text) if name in ("channel", "dataSensitivity") else self.placeholder(text)

    def body(self, sent: Any) -> Any:
        """A body with placeholders: JSON, a form, or only its size."""
        text = sent.decode("utf-8", "replace") if isinstance(sent, bytes) else sent
        if not text or not isinstance(text, str):
            return None
        try:
            return self.value("", json.loads(text))
        except (ValueError, RecursionError):
            form = parse_qsl(text) if "=" in text and "<" not in text else []
            return {self._key(name): self._value(name, value) for name, value in form} or f"<{len(text)} characters>"

    def value(self, key: str, value: Any) -> Any:
        """A part of a JSON body with placeholders. key: the one it is under."""
        match value:
            case None | bool():
                return value
            case dict():
                return self._object(key, value)
            case list():
                more = [f"<{len(value) - ENTRIES} more>"] if len(value) > ENTRIES else []
                return [*(self.value(key, own) for own in self._first(value)), *more]
            case int() | float():
                return value if key in _NUMBER_KEYS else self.placeholder(str(value))
            case _:
                return self._value(key, str(value))

    def _object(self, key: str, parts: dict[str, Any]) -> dict[str, Any]:
        of_record = key == "properties"  # whatever its fields are called
        return {self._key(name): self.value("" if of_record else name, own) for name, own in parts.items()}

    def _first(self, entries: list[Any]) -> list[Any]:
        """The first entries of a long list, those about the mapping's names before the others."""
        if len(entries) <= ENTRIES:
            return entries
        return sorted(entries, key=lambda own: not (isinstance(own, dict) and own.get("name") in self.names))[:ENTRIES]

    def _key(self, name: str) -> str:
        return name if re.fullmatch(r"[A-Za-z][A-Za-z0-9_.-]{0,79}", name) else self.placeholder(name)

    def _value(self, key: str, text: str) -> str:
        if text in self.names or (key in _CODE_KEYS and _CODE.fullmatch(text)):
            return text
        if key in _NAME_KEYS and _CODE.fullmatch(text):
            return text
        if key == "url" and text.startswith("/"):
            return self.path(text)
        if key in ("message", "error_description"):
            return " ".join(self._words(text))
        return self.placeholder(text)

    def _words(self, text: str) -> Iterator[str]:
        for word in _WORD.findall(text):
            is_known = word in self.names or word.lower() in _WORDS or not word[0].isalnum()
            yield word if is_known else "…"

    def placeholder(self, text: str) -> str:
        """The placeholder of a value."""
        if text not in self._numbers:
            kind = next((kind for kind, pattern in _KINDS if pattern.fullmatch(text)), "text")
            self._counts[kind] = self._counts.get(kind, 0) + 1
            self._numbers[text] = f"<{kind} {self._counts[kind]}>"
        return self._numbers[text]


def _is_shown(name: str) -> bool:
    return _HEADERS.fullmatch(name) is not None

"""What a person can be found by, as it is compared: whatever spelling a form, a caller or a list has. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any, Final, NamedTuple

from connector.carecycle import catalogue
from connector.carecycle.catalogue import ABSENT
from connector.mapping.phones import comparable


class Handle(StrEnum):
    """Which of a customer's: the number, the address, the address without its +tag, a call's number, your own id."""

    PHONE = "phone"
    EMAIL = "email"
    MAILBOX = "mailbox"
    CALL = "call"
    EXTERNAL = "external"


SECRET: Final = frozenset({Handle.PHONE, Handle.EMAIL, Handle.MAILBOX, Handle.CALL})
"""What is looked for by a digest, and only for a reason: it is the person's own."""

ALIKE: Final[Mapping[Handle, Handle]] = {Handle.CALL: Handle.PHONE, Handle.MAILBOX: Handle.EMAIL}
"""Those that are compared with another kind's."""

_PATHS: Final = {
    "customer.phoneNumber": Handle.PHONE,
    "customer.email": Handle.EMAIL,
    "call.phoneNumber": Handle.CALL,
    "customer.externalId": Handle.EXTERNAL,
}
_ADDRESS: Final = re.compile(r"[^\s<>\"',;:]+@[^\s<>\"',;:]+")
_SCHEME: Final = re.compile(r"^(tel|sms|mailto|callto):/*", re.IGNORECASE)
_NUMBER: Final = re.compile(r"[\d\s()+./\-\u2010-\u2015\u00b7]+((ext|x|#)\.?\s*\d{1,6})?", re.IGNORECASE)
_LEAST: Final = 7
"""Digits of what may be a phone number."""


class Value(NamedTuple):
    """What an event says of a customer; an empty text where it says that there is none."""

    handle: Handle
    text: str


def phone(text: str) -> str:
    """A phone number as it is compared; empty if it is none.

    >>> phone("(312) 847-1928"), phone("tel:+1.312.847.1928 x12"), phone("+44 20 7946 0018"), phone("Marcus 7")
    ('+13128471928', '+13128471928', '+442079460018', '')
    """
    tidy = _tidy(text)
    if not _NUMBER.fullmatch(tidy):
        return ""
    digits = "".join(letter for letter in tidy if letter.isdigit())
    return comparable(tidy) or (digits if len(digits) >= _LEAST else "")


def email(text: str) -> str:
    """An e-mail address as it is compared; empty if it is none.

    >>> email(" Maria.Lopez+Medicare@Example.com "), email("Maria <maria@example.com>"), email("maria at example")
    ('maria.lopez+medicare@example.com', 'maria@example.com', '')
    """
    match = _ADDRESS.search(_tidy(text).replace(" @ ", "@"))
    return match[0].strip(".").casefold() if match else ""


def mailbox(address: str) -> str:
    """An address without its +tag.

    >>> mailbox("maria+medicare@example.com"), mailbox("+@example.com")
    ('maria@example.com', '+@example.com')
    """
    name, at, host = address.rpartition("@")
    return (name.partition("+")[0] or name) + at + host


def external(text: str) -> str:
    """Your own id of a customer as it is compared."""
    return _tidy(text).casefold()


def values(event_type: str, payload: Mapping[str, Any]) -> Iterator[Value]:
    """What an event says of its customer; nothing of what it does not contain, or has as another type."""
    for path, handle in _PATHS.items():
        if event_type not in catalogue.carried_by(path):
            continue
        value = catalogue.reader(path, event_type)(payload)
        if value is not ABSENT and (value is None or isinstance(value, str)):
            yield from _values(handle, value or "")


def _values(handle: Handle, text: str) -> Iterator[Value]:
    match handle:
        case Handle.EMAIL:
            address = email(text)
            yield Value(handle, address)
            yield Value(Handle.MAILBOX, base if (base := mailbox(address)) != address else "")
        case Handle.EXTERNAL:
            yield Value(handle, external(text))
        case _:
            yield Value(handle, phone(text))


def _tidy(text: str) -> str:
    """Without what cannot be seen, as it comes along when people copy, and without a link's scheme."""
    seen = "".join(letter for letter in unicodedata.normalize("NFKC", text) if unicodedata.category(letter) != "Cf")
    return _SCHEME.sub("", " ".join(seen.split()))

"""Who a customer is, and what a record of the CRM shows of that: frozen values."""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import field as attribute
from enum import StrEnum


class FactKind(StrEnum):
    """What a fact of an `also_match` step is, which decides how it is compared with what the CRM has."""

    TEXT = "text"
    FIRST_NAME = "first name"
    LAST_NAME = "last name"
    BIRTH_DATE = "date of birth"
    EMAIL = "e-mail"
    PHONE = "phone"
    EXTERNAL_ID = "external id"


WHO = frozenset({FactKind.FIRST_NAME, FactKind.LAST_NAME, FactKind.BIRTH_DATE})
"""What a record has of the person themselves."""


@dataclass(frozen=True, slots=True)
class Fact:
    """A target field, and the value that a record created by hand must have there to be adopted."""

    field: str
    value: str = attribute(repr=False)
    kind: FactKind = FactKind.TEXT


@dataclass(frozen=True, slots=True)
class PersonFields:
    """The target fields that hold who a person is; empty where a record has none that is known to exist.

    placeholders: what the mapping writes into them for a person without a name.
    """

    first: str = ""
    middle: str = ""
    last: str = ""
    suffix: str = ""
    born: str = ""
    placeholders: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Person:
    """Who a customer is, according to careCycle; empty where it does not say. born: an ISO date."""

    first: str = attribute(default="", repr=False)
    middle: str = attribute(default="", repr=False)
    last: str = attribute(default="", repr=False)
    suffix: str = attribute(default="", repr=False)
    preferred: str = attribute(default="", repr=False)
    born: str = attribute(default="", repr=False)
    external_id: str = attribute(default="", repr=False)
    fields: PersonFields = PersonFields()


@dataclass(frozen=True, slots=True)
class Candidate:
    """A record of the CRM that may be the person's, for people to decide: the target fields that agree, and so on.

    blank: the fields that would tell, and have no value on either side.
    """

    id: str
    agrees: tuple[str, ...] = ()
    differs: tuple[str, ...] = ()
    blank: tuple[str, ...] = ()

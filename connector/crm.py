"""What is true of every account of one CRM: what mappings, delivery and the doctor need to know of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class AccountKind(StrEnum):
    """Whether an account holds real customers."""

    PRODUCTION = "production"
    SANDBOX = "sandbox"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class CrmAccount:
    """One customer's account at a CRM, by the CRM's own id of it: a Salesforce org, a HubSpot portal.

    pages: the host that shows its records to people; empty where the CRM does not say. It may change.
    """

    id: str
    kind: AccountKind = AccountKind.UNKNOWN
    pages: str = field(default="", compare=False)

    def __str__(self) -> str:
        return self.id if self.kind is AccountKind.UNKNOWN else f"{self.id} ({self.kind})"


@dataclass(frozen=True, slots=True)
class Day:
    """What a CRM counts as a day of API calls: until midnight of the account's time zone, or the last 24 hours.

    limit: calls a day of the smallest account, for a CRM that does not always report it.
    """

    until_midnight: bool
    limit: int | None = None


@dataclass(frozen=True, slots=True)
class Tasks:
    """Its object of tasks. done, call: the field and value of a completed task, and of one to call somebody."""

    object: str
    done: tuple[str, str]
    call: tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Crm:
    """One CRM, as a value.

    name: in mappings (`crm:`), saved schemas and JSON. title: as people write it. account: what its users call theirs.
    address: scheme://host where everybody reaches it; empty where there is none.

    id_field: the record's own id: what a look-up returns when the mapping names no other field.
    id_pattern: what its ids look like; empty where any text may be one.
    longest_text: the most UTF-16 units of a text field for which the account's schema gives no length.
    takes_milliseconds: whether a date or time may be written as milliseconds since 1970.
    associates: whether records are linked by `associate:`; where not, by look-up fields.
    unsubscribes: whether it has a subscription service that opts an address out (`unsubscribe:`).
    address_field: where a record shows the address that service knows it by; empty where there is no such service.
    more_addresses: where a record shows further addresses, with semicolons between them.
    name_fields: the first and last name of a person on each object that has both, by its name in lower case.
    stamp_fields: when a record was created and when it was last changed, by anybody; empty where it does not say.
    author_fields: who created a record and who changed it last; empty where it does not say.
    users: the object of its users. user_prefix: how their ids begin. active_field: which of theirs says whether a user
    is active; empty where only active ones are found.
    forward_only: fields that hold a stage which it moves only forward, in the order of their options.
    tasks: what people have to do there, as records.
    most_unique: how many unique fields of one's own an object may have; 0 where that does not matter.
    about_unique: what a key that is not unique also needs there.
    keeps_keys_unique: whether every object can have a unique field; where not, `unique_key: false` is allowed.

    day: its day of API calls. login_path: what the path of a login holds, which is not counted as an API call.
    unaccounted: its codes for a row of which a reply does not say what became.
    gone: its codes for a row refused because the record, or one it points at, may no longer exist under the id we know.
    taken: its codes for a row refused because another record has one of its unique values.
    redirects: whether a write by the id of a merged record goes to the record it was merged into.
    too_long: its codes for a text that its field does not hold.
    duplicated: its codes which mean that several records have the key.
    """

    name: str
    title: str
    account: str
    address: str = ""
    id_field: str = "id"
    id_pattern: str = ""
    longest_text: int | None = None
    takes_milliseconds: bool = False
    associates: bool = False
    unsubscribes: bool = False
    address_field: str = ""
    more_addresses: tuple[str, ...] = ()
    name_fields: Mapping[str, tuple[str, str]] = field(default_factory=dict, hash=False)
    stamp_fields: tuple[str, ...] = ()
    author_fields: tuple[str, ...] = ()
    users: str = ""
    user_prefix: str = ""
    active_field: str = ""
    forward_only: frozenset[str] = frozenset()
    tasks: Tasks | None = None
    most_unique: int = 0
    about_unique: str = ""
    keeps_keys_unique: bool = True
    day: Day = Day(until_midnight=False)
    login_path: str = ""
    gone: frozenset[str] = frozenset()
    unaccounted: frozenset[str] = frozenset()
    taken: frozenset[str] = frozenset()
    redirects: bool = False
    duplicated: frozenset[str] = frozenset()
    too_long: frozenset[str] = frozenset()

    @property
    def your_account(self) -> str:
        """What to call the account when speaking to its owner."""
        return f"your {self.account}"

    def is_id(self, field: str) -> bool:
        """Whether a field is the record's own id, letter case aside."""
        return field.lower() == self.id_field.lower()

    def is_login(self, path: str) -> bool:
        """Whether a call of this path is a login."""
        return bool(self.login_path) and self.login_path in path


def is_same_id(first: str, second: str) -> bool:
    """Whether two ids name one record. Salesforce has two lengths for one id; only the longer always ends in letters.

    >>> is_same_id("003Hs00000ABCDE", "003Hs00000ABCDEIA3"), is_same_id("051", "51"), is_same_id("", "")
    (True, False, False)
    >>> is_same_id("123456789012345", "123456789012345678")
    False
    """
    short, long = sorted((first, second), key=len)
    if (len(short), len(long)) == (15, 18) and not long.isdigit():
        return long.startswith(short)
    return bool(first) and first == second

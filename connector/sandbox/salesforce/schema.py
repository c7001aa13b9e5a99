"""The sandbox org's objects and fields, and how Salesforce describes them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Final

from connector.sandbox.salesforce import fields, standard

TEXTS: Final = frozenset(
    {"string", "textarea", "picklist", "multipicklist", "phone", "email", "combobox", "url", "encryptedstring"}
)
NUMBERS: Final = frozenset({"int", "double", "currency", "percent"})

# Person accounts are on: a person is an Account with a last name instead of a name.
_PERSON_ACCOUNT: Final = """
Name string 255 unless-person
LastName string 80
FirstName string 40
IsPersonAccount boolean readonly
PersonContactId reference 18 readonly -> Contact
RecordTypeId reference 18 -> RecordType
PersonEmail email 80
PersonMobilePhone phone 40
PersonHomePhone phone 40
PersonMailingStreet textarea 255
PersonMailingCity string 40
PersonMailingState string 80
PersonMailingPostalCode string 20
PersonMailingCountry string 80
PersonBirthdate date
PersonLeadSource picklist 255 = careCycle | Web | Phone Inquiry
PersonDoNotCall boolean
PersonHasOptedOutOfEmail boolean
Do_Not_Text__pc boolean
Do_Not_Mail__pc boolean
"""
_LABEL = re.compile(r"(?<=[a-z])(?=[A-Z])|_")


@dataclass(frozen=True, slots=True)
class Column:
    """One field of an object. `length` in characters, for an int in digits."""

    name: str
    type: str
    length: int = 0
    marks: frozenset[str] = frozenset()
    default: Any = None
    refers: tuple[str, ...] = ()
    options: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        return _LABEL.sub(" ", self.name.removesuffix("__c"))

    @property
    def required(self) -> bool:
        return "required" in self.marks and self.writable

    @property
    def writable(self) -> bool:
        return not self.marks & {"readonly", "locked"}

    @property
    def unique(self) -> bool:
        return bool(self.marks & {"unique", "key"})

    @property
    def upsert_key(self) -> bool:
        return bool(self.marks & {"key", "lookup"})

    @property
    def filterable(self) -> bool:
        """Whether a query may search by the field."""
        return "unsearchable" not in self.marks and not (self.type == "textarea" and self.length > 255)

    @property
    def relation(self) -> str:
        """The name a nested parent is written under: Who for WhoId, Household__r for Household__c."""
        if not self.refers:
            return ""
        return f"{self.name[:-3]}__r" if self.name.endswith("__c") else self.name.removesuffix("Id")

    def describe(self) -> dict[str, Any]:
        """Return one entry of `fields` in GET /sobjects/{X}/describe."""
        return {
            "name": self.name,
            "label": self.label,
            "type": self.type,
            "soapType": _SOAP_TYPES.get(self.type, "xsd:string"),
            "autoNumber": False,
            **self._sizes(),
            "createable": self.writable,
            "updateable": self.writable,
            "nillable": self._nillable(),
            "defaultedOnCreate": self.type == "boolean" or self.default is not None or not self.writable,
            "externalId": "key" in self.marks,
            "idLookup": self.upsert_key or self.type == "id",
            "unique": self.unique,
            "caseSensitive": False,
            "custom": self.name.endswith("__c"),
            "calculated": False,
            "encrypted": "encrypted" in self.marks,
            "filterable": self.filterable,
            "permissionable": not self.required,
            "picklistValues": [self._described(option) for option in self.options],
            "restrictedPicklist": "restricted" in self.marks,
            "dependentPicklist": False,
            "referenceTo": list(self.refers),
            "relationshipName": self.relation or None,
            "polymorphicForeignKey": len(self.refers) > 1,
        }

    def _sizes(self) -> dict[str, int]:
        text = self.type in TEXTS or self.type in ("id", "reference")
        return {
            "length": self.length if text else 0,
            "byteLength": self.length * 3 if text else 0,
            "digits": self.length if self.type == "int" else 0,
            "precision": 18 if self.type in NUMBERS - {"int"} else 0,
            "scale": 2 if self.type == "currency" else 0,
        }

    def _nillable(self) -> bool:
        demanded = bool(self.marks & {"required", "unless-person"})
        return not demanded and self.type != "boolean" and self.default is None

    def _described(self, option: str) -> dict[str, Any]:
        return {"value": option, "label": option, "active": True, "defaultValue": option == self.default}


_SOAP_TYPES: Final = {
    **dict.fromkeys(("id", "reference"), "tns:ID"),
    **dict.fromkeys(("double", "currency", "percent"), "xsd:double"),
    **{name: f"xsd:{name}" for name in ("boolean", "date", "int")},
    "datetime": "xsd:dateTime",
}


@dataclass(slots=True)
class Table:
    """One object. `columns`: by lowercase name, since Salesforce ignores case. `hidden`: by field-level security.

    record_types: record type id -> whether the connector's user may use it. closed: the describe flags the user lacks.
    """

    name: str
    prefix: str
    columns: dict[str, Column]
    hidden: set[str] = field(default_factory=set)
    indexed: tuple[Column, ...] = ()
    record_types: dict[str, bool] = field(default_factory=dict)
    record_type_names: dict[str, str] = field(default_factory=dict)
    closed: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        self.indexed = tuple(column for column in self.columns.values() if column.unique or column.upsert_key)

    def column(self, name: str) -> Column | None:
        """Return the field of this name, unless it is hidden from the user."""
        column = self.columns.get(name.lower())
        return None if column is None or column.name in self.hidden else column

    def seen(self) -> list[Column]:
        """List the fields the user can see."""
        return [column for column in self.columns.values() if column.name not in self.hidden]

    def describe(self) -> dict[str, Any]:
        """Return the body of GET /sobjects/{X}/describe."""
        return {
            "name": self.name,
            "label": self.name,
            "keyPrefix": self.prefix,
            "createable": "createable" not in self.closed,
            "updateable": "updateable" not in self.closed,
            "queryable": True,
            "recordTypeInfos": [
                {"recordTypeId": own, "available": may, "name": self.record_type_names.get(own, "")}
                for own, may in self.record_types.items()
            ],
            "fields": [column.describe() for column in self.seen()],
        }


def _column(line: str) -> Column:
    line, _, options = line.partition(" = ")
    line, _, refers = line.partition(" -> ")
    name, kind, *rest = line.split()
    marks = {word for word in rest if not word.isdigit() and not word.startswith("default:")}
    defaults = [word.removeprefix("default:") for word in rest if word.startswith("default:")]
    length = next((int(word) for word in rest if word.isdigit()), 0)
    default: Any = defaults == ["true"] if kind == "boolean" else next(iter(defaults), None)
    choices = tuple(options.split(" | ")) if options else ()
    return Column(name, kind, length, frozenset(marks), default, tuple(refers.split()), choices)


def _table(name: str, prefix: str, *texts: str) -> Table:
    columns = [_column(line) for text in texts for line in text.strip().splitlines()]
    return Table(name, prefix, {column.name.lower(): column for column in columns})


def add_column(table: Table, column: Column) -> None:
    """Add a field to an object, or replace it."""
    table.columns[column.name.lower()] = column
    table.indexed = tuple(own for own in table.columns.values() if own.unique or own.upsert_key)


def default_org(*, custom_fields: bool = True) -> dict[str, Table]:
    """Return a typical careCycle customer's objects by lowercase name. custom_fields: False for a brand-new org."""
    tables = (
        _table("Contact", "003", fields.SYSTEM, fields.PERSON, fields.CONTACT),
        _table("Lead", "00Q", fields.SYSTEM, fields.PERSON, fields.LEAD),
        _table("Account", "001", fields.SYSTEM, fields.ACCOUNT, _PERSON_ACCOUNT),
        _table("Task", "00T", fields.SYSTEM, fields.TASK),
        _table("User", "005", fields.SYSTEM, fields.USER),
        _table("Organization", "00D", fields.SYSTEM, fields.ORGANIZATION),
        _table("UserPermissionAccess", "0PA", fields.SYSTEM, fields.USER_PERMISSIONS),
        _table("UserLicense", "100", fields.SYSTEM, fields.USER_LICENSE),
        _table("Profile", "00e", fields.SYSTEM, fields.PROFILE),
        _table("PermissionSetLicense", "0PL", fields.SYSTEM, fields.SET_LICENSE),
        _table("PermissionSetLicenseAssign", "2LA", fields.SYSTEM, fields.SET_LICENSE_ASSIGNMENT),
        _table("RecordType", "012", fields.SYSTEM, fields.RECORD_TYPE),
        _table("DuplicateRule", "0Bm", fields.SYSTEM, fields.DUPLICATE_RULE),
        _table("PermissionSet", "0PS", fields.SYSTEM, fields.PERMISSION_SET),
        _table("FieldPermissions", "01k", fields.SYSTEM, fields.FIELD_PERMISSIONS),
        _table("PermissionSetAssignment", "0Pa", fields.SYSTEM, fields.ASSIGNMENT),
        _table("Opportunity", "006", fields.SYSTEM, standard.OPPORTUNITY),
        _table("OpportunityContactRole", "00K", fields.SYSTEM, standard.CONTACT_ROLE),
        _table("Campaign", "701", fields.SYSTEM, standard.CAMPAIGN),
        _table("CampaignMember", "00v", fields.SYSTEM, standard.CAMPAIGN_MEMBER),
        _table("Case", "500", fields.SYSTEM, standard.CASE),
        _table("Event", "00U", fields.SYSTEM, standard.EVENT),
        _table("Group", "00G", fields.SYSTEM, standard.GROUP),
        _table("QueueSobject", "03g", fields.SYSTEM, standard.QUEUE_OBJECT),
    )
    for table in () if custom_fields else tables:
        for name in [column.name for column in table.columns.values() if column.name.endswith(("__c", "__pc"))]:
            del table.columns[name.lower()]
        table.indexed = tuple(column for column in table.indexed if column.name.lower() in table.columns)
    return {table.name.lower(): table for table in tables}

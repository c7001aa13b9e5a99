"""Look at what an org needs before its fields matter: the login, its user, the user's permissions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from pydantic import Field, ValidationError

from connector.destinations.guide import Look, Needs, SetupStep, Standing, judged, stopped
from connector.destinations.lenient import Lenient
from connector.destinations.salesforce.client import Client
from connector.destinations.salesforce.login import Login, LoginFailed
from connector.destinations.salesforce.provision_access import user_id
from connector.destinations.salesforce.reads import Reader
from connector.destinations.salesforce.schema import DescribedObject
from connector.destinations.salesforce.setup_steps import (
    ADDRESS,
    LICENSE,
    OBJECTS,
    STEPS,
    TASKS,
    USER,
)
from connector.destinations.salesforce.vendor import SALESFORCE
from connector.errors import DestinationUnusable
from connector.mapping import Mapping
from connector.model import Mode

# https://help.salesforce.com/s/articleView?id=sf.integration_user.htm
_INTEGRATION: Final = "Salesforce Integration"
_ALLOWS_OBJECTS: Final = "Salesforce API Integration"
_TASK: Final = "task"
_NOT_SAID: Final = "Salesforce does not tell this user"


class _Rows(Lenient):
    records: list[dict[str, Any]] = Field(min_length=1)


def access(login: Login, client: Client, reader: Reader, needs: Needs) -> Iterator[Look]:
    """Look at each step up to the objects. Ends early where the next cannot be looked at."""
    try:
        login.session()
    except LoginFailed as error:
        yield from _passed(login, STEPS.index(error.step))
        yield stopped(error.step, error, *([login.host] if error.step is ADDRESS else []))
        return
    yield from _passed(login, STEPS.index(USER))
    yield from _authorized(login, client, reader, needs)


def _passed(login: Login, count: int) -> Iterator[Look]:
    """The first steps, which a login has got past."""
    about = {ADDRESS: login.host}
    yield from (judged(step, (), about.get(step, "")) for step in STEPS[:count])


def _org(login: Login) -> str:
    org = login.org()
    return f"{SALESFORCE.account} {org}" if org else ""


def _authorized(login: Login, client: Client, reader: Reader, needs: Needs) -> Iterator[Look]:
    at = USER
    try:
        user = user_id(client)
        own = _one(client, "Username, ProfileId", "User", f"Id = '{user}'")
        yield judged(USER, (), ", ".join(filter(None, (own.get("Username"), _org(login)))))
        at = LICENSE
        yield _license(client, reader, needs.mapping, user, own)
        at = TASKS
        yield _tasks(client, needs.mapping)
        at = OBJECTS
        described, refused = reader.describe_all(needs.mapping.objects)
        lacking = [line for name, known in described.items() for line in _lacking(name, known, needs.mapping)]
        lacking += [error.problem for error in refused.values()]
        yield judged(OBJECTS, lacking, ", ".join(described))
    except DestinationUnusable as error:
        yield stopped(at, error)


def _license(client: Client, reader: Reader, mapping: Mapping, user: str, own: dict[str, Any]) -> Look:
    """Whether an integration user may be given any object at all."""
    profile = _one(client, "UserLicenseId", "Profile", f"Id = '{own.get('ProfileId')}'")
    licensed = _one(client, "Name", "UserLicense", f"Id = '{profile.get('UserLicenseId')}'").get("Name")
    if licensed is None:
        return _unknown(LICENSE, "its license")
    if licensed != _INTEGRATION:
        return judged(LICENSE, (), f"not needed: the user's license is {licensed}")
    labels = _labels(client, user)
    if _ALLOWS_OBJECTS in (labels or ()) or _sees_objects(reader, mapping):
        return judged(LICENSE, (), f"{_ALLOWS_OBJECTS} is assigned")
    if labels is None:
        return _unknown(LICENSE, "its permission set licenses")
    why = f"the user's license is {_INTEGRATION}, and it lacks the permission set license {_ALLOWS_OBJECTS}"
    return judged(LICENSE, [why])


def _labels(client: Client, user: str) -> list[Any] | None:
    """The user's permission set licenses by name; None where Salesforce does not show them all."""
    assigned = _rows(client, "PermissionSetLicenseId", "PermissionSetLicenseAssign", f"AssigneeId = '{user}'")
    if not assigned:
        return assigned
    ids = ", ".join(f"'{row.get('PermissionSetLicenseId')}'" for row in assigned)
    named = _rows(client, "MasterLabel", "PermissionSetLicense", f"Id IN ({ids})")
    return [row.get("MasterLabel") for row in named] if named else None


def _sees_objects(reader: Reader, mapping: Mapping) -> bool:
    """Whether the user may use a standard object that is written: it cannot without the permission set license."""
    described, _ = reader.describe_all(name for name in sorted(mapping.writes) if not name.endswith("__c"))
    return any(described.values())


def _tasks(client: Client, mapping: Mapping) -> Look:
    if _TASK not in map(str.lower, mapping.writes):
        return judged(TASKS, (), "not needed: the mapping writes no tasks")
    allowed = _one(client, "PermissionsEditTask", "UserPermissionAccess").get("PermissionsEditTask")
    if not isinstance(allowed, bool):
        return _unknown(TASKS, "whether it may edit tasks")
    return judged(TASKS, [] if allowed else ["the user lacks the permission Edit Tasks"])


def _lacking(name: str, described: DescribedObject | None, mapping: Mapping) -> Iterator[str]:
    if described is None:
        yield f"{name}: does not exist, or is hidden from the connector's user"
    elif name in mapping.writes:
        programs = [program for event in mapping.programs.values() for program in event.records]
        creates = any(program.object == name and program.mode is not Mode.UPDATE for program in programs)
        rights = [("Create", described.createable if creates else None), ("Edit", described.updateable)]
        missing = " and ".join(right for right, given in rights if given is False)
        if missing:
            yield f"{name}: the user lacks {missing}"


def _unknown(step: SetupStep, what: str) -> Look:
    return Look(step, Standing.UNKNOWN, (f"{_NOT_SAID} {what}",))


def _one(client: Client, fields: str, object: str, condition: str = "") -> dict[str, Any]:
    """The first row; empty where Salesforce refuses the query or has none."""
    rows = _rows(client, fields, object, condition)
    return rows[0] if rows else {}


def _rows(client: Client, fields: str, object: str, condition: str = "") -> list[dict[str, Any]] | None:
    """The rows of a query; None where Salesforce refuses it."""
    soql = " ".join(["SELECT", fields, "FROM", object, *(["WHERE", condition] if condition else [])])
    reply = client.call("GET", "query/", params={"q": soql})
    try:
        return _Rows.model_validate(reply).records
    except ValidationError:  # refused, or in an unexpected form
        return [] if isinstance(reply, dict) and reply.get("records") == [] else None

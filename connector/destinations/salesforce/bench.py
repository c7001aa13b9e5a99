"""What a trial does to an org besides delivering."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote

from connector.destinations.bench import Touched
from connector.destinations.salesforce import errors, removal
from connector.destinations.salesforce.api_error import ApiError
from connector.destinations.salesforce.client import Client


class SalesforceBench:
    """Implements destinations.bench.Bench."""

    unique_fields = None
    remains = "Salesforce keeps deleted records in the recycle bin for 15 days"
    restorable = "from Salesforce's recycle bin for 15 days"

    def __init__(self, client: Client) -> None:
        self._client = client

    def touched(self, object: str, ids: Sequence[str]) -> dict[str, Touched]:
        """What has happened to each of these records."""
        return removal.touched(self._client, object, ids)

    def delete_all(self, object: str, ids: Sequence[str]) -> dict[str, str]:
        """Move records to the recycle bin; return why each is still there."""
        return removal.delete_all(self._client, ids)

    def delete(self, object: str, crm_id: str) -> str:
        """Delete a record; return why it is still there, empty if it is gone."""
        reply = self._client.call("DELETE", f"sobjects/{quote(object, safe='')}/{quote(crm_id, safe='')}")
        if not isinstance(reply, ApiError) or reply.status == 404:
            return ""
        why = errors.refusal(reply, errors.rule_for(reply))
        return f"Salesforce refuses to delete it ({why.code}): {why.action}"

    def linked(self, object: str, crm_id: str, other: str) -> frozenset[str]:
        """Nothing: records are linked by look-up fields."""
        return frozenset()

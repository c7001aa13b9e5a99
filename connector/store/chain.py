"""The chain of digests over the audit log: what each entry's digest covers."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from connector.store.seal import Digests

FORGOTTEN: Final = re.compile(r"forgotten:[0-9a-f]{32}")

_AS_IS: Final = ("number", "id", "at", "who", "action", "thing", "reason", "agency")
_PERSONAL: Final = ("customer_id", "crm_ids")


class Chain:
    """Digests that nobody makes without the data key: each covers an entry and the digest of the one before.

    Of what forgetting a customer replaces by an alias, it is the alias that is covered, from the beginning.
    """

    def __init__(self, digests: Digests) -> None:
        self._digests, self._own = digests, digests.derived("audit")

    def alias(self, name: str) -> str:
        """The name that takes the place of a customer's id, or of the ids of their CRM records."""
        is_alias = not name or FORGOTTEN.fullmatch(name)
        return name if is_alias else f"forgotten:{self._digests(f'customer {name}', size=16)}"

    def digest(self, before: str, entry: Mapping[str, Any]) -> str:
        """The digest of an entry. before: of the one before it, empty for the first."""
        covered = [entry[name] for name in _AS_IS] + [self.alias(str(entry[name])) for name in _PERSONAL]
        return self._own(json.dumps(["entry", before, *covered], default=repr), size=16)

    def proof(self, number: int, digest: str) -> str:
        """What shows that this was the newest entry."""
        return self._own(json.dumps(["head", number, digest]), size=16)

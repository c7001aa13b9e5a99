"""The CRM replies that other projects recorded, where they are beside the checkout. Tests read them, and copy none."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flask import Response

FOLDER = Path(os.environ.get("CRM_REPLIES") or Path(__file__).parents[3] / "shared" / "replies")
MISSING = f"no recorded CRM replies in {FOLDER}: set CRM_REPLIES to the folder that holds them"


@dataclass(frozen=True)
class Recorded:
    """One reply of a CRM. body: the bytes it sent."""

    name: str
    status: int = 200
    body: bytes = field(default=b"", repr=False)
    headers: dict[str, str] = field(default_factory=dict)

    def response(self) -> Response:
        """The reply as a sandbox sends it."""
        headers = {"content-type": "application/json;charset=utf-8", **self.headers}
        kept = {name: text for name, text in headers.items() if name not in ("content-length", "transfer-encoding")}
        return Response(self.body, self.status, kept)


def as_reply(name: str, status: int, body: Any, **headers: str) -> Recorded:
    """A reply with a JSON body, or with the text of one that is not JSON."""
    text = body if isinstance(body, str) else json.dumps(body)
    return Recorded(name, status, text.encode(), {key.replace("_", "-"): value for key, value in headers.items()})


def recorded(crm: str) -> list[Recorded]:
    """Every reply of one CRM in the folder; none where there is no folder."""
    return [_read(path) for path in sorted(FOLDER.glob(f"{crm}-*.json"))]


def _read(path: Path) -> Recorded:
    reply = json.loads(path.read_text())
    body = reply.get("raw") or "" if reply["body"] is None else reply["body"]
    return as_reply(reply["name"], reply["status"], body, **reply["headers"])

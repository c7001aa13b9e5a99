"""Verify careCycle's signature, in the style of Svix or Standard Webhooks, over the raw body."""

from __future__ import annotations

import base64
import importlib.util
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from connector.errors import FixConfiguration, RefuseMessage

_FAMILIES: Final = ("svix", "webhook")
HEADERS: Final = tuple(f"{family}-{part}" for family in _FAMILIES for part in ("id", "timestamp", "signature"))
"""The headers that are read, in lower case."""

_ID: Final = re.compile(r"(?!.*\.)[!-~]{1,256}")
"""No dots: what is signed is id.timestamp.body, so with dots one signature would fit two messages."""

_TIMESTAMP: Final = re.compile(r"[1-9][0-9]{0,11}")
_SIGNATURE: Final = re.compile(r"v1,[A-Za-z0-9+/]{43}=")
"""Of HMAC-SHA256; v1a is for asymmetric keys, of which there are none here."""

_SURELY: Final = 240.0
"""Seconds that a timestamp may be off without a question to the library, which allows five minutes."""

_REASONS: Final = {
    "Message timestamp too old": "stale timestamp",
    "Message timestamp too new": "timestamp in the future",
    "No matching signature found": "wrong signature",
}


def _verifier_alone() -> ModuleType:
    """Load svix's verifier without its API client: `import svix` would cost 0.6 s and 27 MB."""
    package = importlib.util.find_spec("svix")
    assert package is not None  # a declared dependency
    spec = importlib.util.spec_from_file_location("svix_webhooks", Path(str(package.origin)).parent / "webhooks.py")
    assert spec is not None and spec.loader is not None  # noqa: PT018  # a Python file of that package
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


_webhooks: Final[Any] = _verifier_alone()


@dataclass(frozen=True, slots=True)
class Message:
    """What one family of headers says. signatures: those that can be one of ours, as the library reads them."""

    id: str
    timestamp: str
    signatures: str

    def headers(self) -> dict[str, str]:
        return {
            "webhook-id": self.id,
            "webhook-timestamp": self.timestamp,
            "webhook-signature": self.signatures,
        }


class Verifier:
    """Verifies messages with an agency's secrets. Any of them may have signed: to rotate, list the new one first."""

    def __init__(self, agency: str, secrets: Sequence[str]) -> None:
        self._webhooks = [self._webhook(agency, number, secret) for number, secret in enumerate(secrets)]
        self._agency = agency

    @staticmethod
    def _webhook(agency: str, number: int, secret: str) -> Any:
        text = secret.strip().removeprefix("whsec_").rstrip("=")
        try:
            key = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
        except ValueError:
            key = b""
        if not key:  # the library raises errors of several kinds for an empty or malformed secret
            where = f"{agency}: webhook.secrets[{number}]"
            raise FixConfiguration(where, "is not a signing secret", "copy it from careCycle: whsec_...")
        return _webhooks.Webhook(secret.strip())

    def expect(self, headers: Mapping[str, str], now: float) -> Sequence[Message]:
        """What the headers say, for `verify`; judged before the body is there. Raises RefuseMessage.

        headers: by their names in lower case. now: the time in seconds since 1970, as on this machine's clock.
        """
        for message in (messages := self._messages(headers)):
            if abs(now - int(message.timestamp)) < _SURELY:
                return messages
            # What the library says of another body is about the time, which it looks at first, or not to be known yet.
            if self._refusal(b"", message) in ("", "wrong signature"):
                return messages
        raise RefuseMessage(self._agency, self._refusal(b"", messages[0]))

    def verify(self, body: bytes, messages: Sequence[Message]) -> str:
        """Return the id of a genuine message. Raises RefuseMessage with a short reason, and nothing else.

        messages: what its headers say.
        """
        refusals = []
        for message in messages:
            if not (refusal := self._refusal(body, message)):
                return message.id
            refusals.append(refusal)
        raise RefuseMessage(self._agency, refusals[0])

    def _messages(self, headers: Mapping[str, str]) -> list[Message]:
        """What the families of headers say that are complete and well-formed, Svix's first. Raises RefuseMessage."""
        read = [message for family in _FAMILIES if (message := _read(headers, family))]
        good = [message for message in read if isinstance(message, Message)]
        if not good:
            raise RefuseMessage(self._agency, str(read[0]) if read else "signature headers missing")
        return good

    def _refusal(self, body: bytes, message: Message) -> str:
        """Why it is not genuine; empty if it is."""
        reason = ""
        for webhook in self._webhooks:
            try:
                webhook.verify(body, message.headers())
            except _webhooks.WebhookVerificationError as error:
                reason = _REASONS.get(str(error), "malformed headers")
            except UnicodeDecodeError:
                return "body is not UTF-8"
            else:
                return ""
        return reason


def _read(named: Mapping[str, str], family: str) -> Message | str:
    """What a family of headers says, or what is wrong with it; empty if it is not complete."""
    message_id, timestamp, listed = (
        named.get(f"{family}-{part}", "").strip(" \t") for part in ("id", "timestamp", "signature")
    )
    if not (message_id and timestamp and listed):
        return ""
    if not (_ID.fullmatch(message_id) and _TIMESTAMP.fullmatch(timestamp)):
        return "malformed headers"
    signatures = [each for each in map(_bare, listed.split()) if _SIGNATURE.fullmatch(each)]
    return Message(message_id, timestamp, " ".join(signatures)) if signatures else "no v1 signature"


def _bare(listed: str) -> str:
    """A signature of a list. Headers of the same name are joined with commas on the way."""
    return listed.strip(",")


def sign(secret: str, message_id: str, at: Any, body: str) -> str:
    """Return the signature header careCycle would send. at: an aware datetime in UTC."""
    return str(_webhooks.Webhook(secret).sign(message_id, at, body))

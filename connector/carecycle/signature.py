"""Verify careCycle's signature, in the style of Svix or Standard Webhooks, over the raw body."""

from __future__ import annotations

import base64
import binascii
import importlib.util
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from connector.errors import FixConfiguration, RefuseMessage

LONGEST_ID: Final = 256
_FAMILIES: Final = ("svix", "webhook")
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

    def verify(self, body: bytes, headers: Mapping[str, str]) -> str:
        """Return the id of a genuine message. Raises RefuseMessage with a short reason, and nothing else."""
        named = {name.lower(): value for name, value in headers.items()}
        for family in _FAMILIES:
            parts = {part: named.get(f"{family}-{part}", "") for part in ("id", "timestamp", "signature")}
            if all(parts.values()):
                break
        else:
            raise RefuseMessage(self._agency, "signature headers missing")
        if len(parts["id"]) > LONGEST_ID or not parts["id"].isprintable():
            raise RefuseMessage(self._agency, "malformed headers")
        self._check(body, {f"{family}-{part}": value for part, value in parts.items()})
        return parts["id"]

    def _check(self, body: bytes, headers: Mapping[str, str]) -> None:
        reason = "wrong signature"
        for webhook in self._webhooks:
            try:
                webhook.verify(body, headers)
            except _webhooks.WebhookVerificationError as error:
                reason = _REASONS.get(str(error), "malformed headers")
            except UnicodeDecodeError:
                reason = "body is not UTF-8"
            except (ValueError, binascii.Error):  # a signature that is not "version,base64"
                reason = "malformed headers"
            else:
                return
        raise RefuseMessage(self._agency, reason)


def sign(secret: str, message_id: str, at: Any, body: str) -> str:
    """Return the signature header careCycle would send. at: an aware datetime in UTC."""
    return str(_webhooks.Webhook(secret).sign(message_id, at, body))

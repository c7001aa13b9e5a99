"""OpenID Connect: the settings, and how the file of people names somebody whom the provider knows."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from ipaddress import ip_address
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from connector.destinations import outgoing
from connector.errors import FixConfiguration
from connector.mapping.regular import NotRegularError, read_file
from connector.web.origin import URL_SETTING

_SETTINGS: Final = (
    "CONNECTOR_CONSOLE_OPENID_ISSUER",
    "CONNECTOR_CONSOLE_OPENID_CLIENT_ID",
    "CONNECTOR_CONSOLE_OPENID_CLIENT_SECRET",
    "CONNECTOR_CONSOLE_OPENID_CLIENT_SECRET_FILE",
)
_LARGEST: Final = 64 * 1024
ISSUER_SETTING: Final = _SETTINGS[0]
_SUBJECT: Final = re.compile(r"[!-~](?:[ -~]{0,253}[!-~])?")
_EMAIL: Final = re.compile(r"[!-?A-~]+@[!-?A-~]+")


@dataclass(frozen=True, slots=True)
class OpenId:
    """What the connector is to the provider. issuer: empty where none was given."""

    issuer: str = ""
    client_id: str = ""
    client_secret: str = field(default="", repr=False)
    secret_file: str = ""

    @property
    def host(self) -> str:
        """The provider, as people are shown it."""
        return urlsplit(self.issuer).hostname or self.issuer


def read_openid(environment: Mapping[str, str]) -> OpenId:
    """Read the settings as they are given."""
    return OpenId(*(environment.get(name, "") for name in _SETTINGS))


def complete(given: OpenId, console_url: str) -> OpenId | None:
    """The settings with their secret; None if there are none. Raises FixConfiguration, also without the oidc extra."""
    if given == OpenId():
        return None
    secret = given.client_secret or (_read(Path(given.secret_file)) if given.secret_file else "")
    needed = zip((*_SETTINGS[:3], URL_SETTING), (given.issuer, given.client_id, secret, console_url), strict=True)
    if missing := [setting for setting, value in needed if not value]:
        raise FixConfiguration(", ".join(missing), "must be set as well", "OpenID Connect needs it")
    if not is_safe(given.issuer, loopback=True) or set("?#") & set(given.issuer):
        hint = "as the provider writes it, for example https://login.agency.example"
        raise FixConfiguration(ISSUER_SETTING, "must be an https address", hint)
    if find_spec("authlib") is None:
        extra = "pip install 'carecycle-crm-connector[oidc]'"
        raise FixConfiguration(ISSUER_SETTING, "is set, but Authlib is not installed", extra)
    return OpenId(given.issuer, given.client_id, secret)


def _read(path: Path) -> str:
    try:
        return read_file(path, _LARGEST).decode().strip()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, NotRegularError) else type(error).__name__
        raise FixConfiguration(str(path), f"the client secret cannot be read: {why}") from None


def is_safe(url: object, *, loopback: bool) -> bool:
    """Whether nobody else can read what is sent there. loopback: http will do on this machine."""
    if not isinstance(url, str) or not re.fullmatch(r"[!-~]{1,2000}", url):
        return False
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    known = bool(parts.hostname) and "@" not in parts.netloc and not outgoing.of_host(parts.hostname or "")
    return known and (parts.scheme == "https" or (loopback and is_local(url)))


def is_local(url: str) -> bool:
    """Whether it is http on this machine."""
    parts = urlsplit(url)
    try:
        here = parts.hostname == "localhost" or ip_address(parts.hostname or "").is_loopback
    except ValueError:
        return False
    return here and parts.scheme == "http"


def read_account(text: object) -> str:
    """How the file names somebody: a verified e-mail address, or `sub:` and a subject. Empty if it is neither."""
    if isinstance(text, str) and text.startswith("sub:"):
        return text if is_subject(text.removeprefix("sub:")) else ""
    return read_email(text)


def read_email(text: object) -> str:
    """An e-mail address in lower case; empty if it is none. Of ASCII alone: a Kelvin sign becomes a k."""
    return text.lower() if isinstance(text, str) and len(text) <= 254 and _EMAIL.fullmatch(text) else ""


def is_subject(text: object) -> bool:
    """Whether it is a subject as the standard has them: up to 255 characters of ASCII."""
    return isinstance(text, str) and _SUBJECT.fullmatch(text) is not None

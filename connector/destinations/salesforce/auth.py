"""Salesforce's credentials in an agency file. Reading them does not need the client library."""

from __future__ import annotations

import re
from typing import Annotated, ClassVar, Final, Literal, NoReturn

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr

from connector.destinations import outgoing

SHARED: Final = ("login", "test")
"""The login domains that all orgs share."""


def _domain(text: str) -> str:
    """Reduce a domain, host name or URL to the form `acme.my`, or `acme.my.salesforce.mil` of a government org."""
    host = re.sub(r"^https?://", "", text.strip().lower()).partition("/")[0].removesuffix(".salesforce.com")
    if not re.fullmatch(r"[a-z0-9-]+(\.[a-z0-9-]+)*", host) or host.endswith((".com", ".force")):
        page = re.fullmatch(r"([a-z0-9-]+)\.lightning\.force\.com", host)  # the address that the browser shows
        right = f"; write  {page[1]}.my.salesforce.com" if page else ""
        raise ValueError(f"expected a My Domain such as acme.my.salesforce.com{right}")
    return host


def _my_domain(text: str) -> str:
    host = _domain(text)
    if host.removesuffix(".salesforce.mil") in SHARED:
        raise ValueError("this flow needs the org's own My Domain, such as acme.my.salesforce.com")
    return host


def _host(text: str) -> str:
    host = re.sub(r"^https?://", "", text.strip()).partition("/")[0]
    if not re.fullmatch(r"[A-Za-z0-9.-]+(:\d{1,5})?", host):
        raise ValueError("expected an address such as https://acme.my.salesforce.com")
    if problem := outgoing.of_host(host.partition(":")[0]):
        raise ValueError(problem)
    return f"https://{host}"


def _rsa_pem(key: SecretStr) -> SecretStr:
    try:
        rsa = isinstance(load_pem_private_key(key.get_secret_value().encode(), password=None), RSAPrivateKey)
    except (ValueError, TypeError):
        rsa = False
    return key if rsa else _refuse_key()


def _refuse_key() -> NoReturn:
    raise ValueError("expected an RSA private key in PEM, without a passphrase")


class _Credentials(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, str_strip_whitespace=True)


class ClientCredentials(_Credentials):
    """OAuth 2.0 client credentials: a connected app with a run-as user."""

    flow: Literal["client_credentials"]
    client_id: str = Field(min_length=1, description="The connected app's consumer key.")
    client_secret: SecretStr = Field(min_length=1, description="The connected app's consumer secret.")
    domain: Annotated[str, AfterValidator(_my_domain)] = Field(
        description="The org's My Domain, for instance acme.my.salesforce.com."
    )


class JwtBearer(_Credentials):
    """OAuth 2.0 JWT bearer: a connected app with a certificate, and a user it may act for."""

    flow: Literal["jwt"]
    client_id: str = Field(min_length=1, description="The connected app's consumer key.")
    username: str = Field(min_length=1, description="The Salesforce user to act for.")
    private_key: Annotated[SecretStr, AfterValidator(_rsa_pem)] = Field(
        description="The private key of the certificate, in PEM."
    )
    domain: Annotated[str, AfterValidator(_domain)] = Field(
        default="login", description="login, test for a sandbox org, or the org's My Domain."
    )


class OpenSession(_Credentials):
    """A session opened elsewhere. It cannot be renewed, so it is for trials only."""

    flow: Literal["session"]
    session_id: SecretStr = Field(min_length=1, description="The session id or access token.")
    instance_url: Annotated[str, AfterValidator(_host)] = Field(
        description="The org's address, for instance https://acme.my.salesforce.com."
    )


class Password(_Credentials):
    """OAuth 2.0 username and password. The API versions used here no longer have the older SOAP login()."""

    notice: ClassVar[str] = (
        "flow: password is deprecated: Salesforce blocks it in new orgs and wherever multi-factor authentication is "
        "required. Change to client_credentials or jwt"
    )

    flow: Literal["password"]
    client_id: str = Field(min_length=1, description="The connected app's consumer key.")
    client_secret: SecretStr = Field(min_length=1, description="The connected app's consumer secret.")
    username: str = Field(min_length=1, description="The Salesforce user to act for.")
    password: SecretStr = Field(min_length=1, description="That user's password.")
    security_token: SecretStr = Field(
        default=SecretStr(""), description="That user's security token, unless our address is a trusted IP range."
    )
    domain: Annotated[str, AfterValidator(_domain)] = Field(
        default="login", description="login, test for a sandbox org, or the org's My Domain."
    )


SalesforceAuth = Annotated[ClientCredentials | JwtBearer | OpenSession | Password, Field(discriminator="flow")]
Credentials = ClientCredentials | JwtBearer | OpenSession | Password


def secrets(auth: Credentials) -> list[str]:
    """What no text may repeat."""
    values = (getattr(auth, name) for name in type(auth).model_fields)
    return [value.get_secret_value() for value in values if isinstance(value, SecretStr)]


class SalesforceOptions(BaseModel):
    """How Salesforce treats what we write."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    assignment_rules: bool = Field(
        default=False, description="true: the org's assignment rules choose a lead's owner again at every write"
    )
    duplicate_warnings: Literal["pass", "stop"] = Field(
        default="pass", description="what a duplicate rule that only warns does: pass, or stop for a dead letter"
    )
    converted_leads: Literal["contact", "stop"] = Field(
        default="contact", description="where a converted lead's changes go: its contact, or stop for a dead letter"
    )
    calls_abreast: int = Field(default=3, ge=1, le=10, description="calls of one lane that may be under way at once")

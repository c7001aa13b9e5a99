"""HubSpot's credentials, kept apart from its client library so that configuration loads fast."""

from __future__ import annotations

import re

from pydantic import BaseModel, ConfigDict, SecretStr, field_validator


class HubSpotAuth(BaseModel):
    """A private app's access token or a service key: both are sent as a bearer token."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    access_token: SecretStr

    @field_validator("access_token")
    @classmethod
    def _fits_a_header(cls, token: SecretStr) -> SecretStr:
        text = token.get_secret_value().strip()
        if not re.fullmatch(r"[!-~]+", text):
            raise ValueError("is empty, or has characters that no access token has")
        return SecretStr(text)

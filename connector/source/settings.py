"""The settings of careCycle's REST API in an agency file."""

from __future__ import annotations

import re
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationInfo, field_validator

from connector.destinations import outgoing

_NAME: Final = r"^[A-Za-z0-9_.\[\]-]{1,40}$"
_NAME_OR_NONE: Final = r"^[A-Za-z0-9_.\[\]-]{0,40}$"
_HOST: Final = r"^([a-z0-9-]+\.)+[a-z][a-z0-9-]*$"


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Parameters(_Frozen):
    """How the API calls the parameters of a list, which careCycle does not publish. Empty: it is not sent."""

    page: str = Field("page", pattern=_NAME, description="the number of the page, from 1")
    size: str = Field("limit", pattern=_NAME_OR_NONE, description="how many of a page")
    sort: str = Field("sortBy", pattern=_NAME_OR_NONE, description="by what they are sorted")
    direction: str = Field("sortOrder", pattern=_NAME_OR_NONE, description="asc or desc")


class CareCycleSettings(_Frozen):
    """Access to careCycle's REST API."""

    api_key: SecretStr = Field(description="from careCycle's Developer Dashboard")
    insecure: bool = Field(False, description="true: `endpoint` may be another machine without encryption")
    endpoint: str = Field(
        "https://api.carecycle.ai", pattern=r"^https?://[^/@\s?#\\]+$", description="a sandbox or proxy standing for it"
    )
    requests_a_minute: int = Field(30, ge=1, le=6000, description="of all processes together; careCycle allows 60")
    parameters: Parameters = Parameters()
    recording_hosts: tuple[Annotated[str, Field(pattern=_HOST)], ...] = Field(
        ("api.carecycle.ai", "api.nodable.ai"), description="where links to recordings may lead"
    )
    compare_every: int = Field(24, ge=0, le=24 * 31, description="hours between two comparisons; 0 for none")

    @field_validator("api_key")
    @classmethod
    def _fits_a_header(cls, key: SecretStr) -> SecretStr:
        if not re.fullmatch(r"[!-~]+", key.get_secret_value()):
            raise ValueError("must be a key such as cc_..., without spaces")
        return key

    @field_validator("endpoint")
    @classmethod
    def _may_be_sent_to(cls, address: str, info: ValidationInfo) -> str:
        if problem := outgoing.refusal(address, insecure=info.data.get("insecure", True)):
            raise ValueError(problem)
        return address

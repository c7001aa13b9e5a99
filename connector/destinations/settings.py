"""The settings of a CRM account that all CRMs share. Each CRM's own settings derive from these."""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from connector.destinations import outgoing

_PERCENT: Final = re.compile(r"(\d{1,3}(?:\.\d{1,2})?) ?%")
_Percent = Annotated[str, Field(pattern=rf"^{_PERCENT.pattern}$")]


class DestinationSettings(BaseModel):
    """One CRM account."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    mapping: str = Field(description="a shipped mapping's name, or a file beside this one")
    auth: BaseModel = Field(description="how to log in: see config.example.yaml")
    insecure: bool = Field(False, description="true: `endpoint` may be another machine without encryption")
    endpoint: str | None = Field(
        None, pattern=r"^https?://[^/@\s?#\\]+$", description="a sandbox or proxy standing for it"
    )
    budget: float | None = Field(None, description="the share of the account's daily API calls it may use, as 20%")
    daily_limit: int | None = Field(
        None, ge=1, description="the account's API calls a day, where the CRM does not report it"
    )
    partitions: int = Field(1, ge=1, le=64, description="lanes this destination is spread over")
    api_version: str | None = Field(None, description="the version of the CRM's API")
    search_lag: int = Field(300, ge=60, le=3600, description="seconds until the CRM's search shows what was written")
    portal: int | None = Field(
        None, ge=1, description="the account's number, for links to its records where the CRM does not say it"
    )
    compare_days: int = Field(14, ge=0, le=365, description="days within which every record is compared; 0: never")
    renew_by: date | None = Field(None, description="when its credentials end: alarms say so two weeks ahead")

    @property
    def notice(self) -> str:
        """A warning about a deprecated setting, with what to change; empty if there is none."""
        return ""

    @field_validator("endpoint")
    @classmethod
    def _may_be_sent_to(cls, address: str | None, info: ValidationInfo) -> str | None:
        if address and (problem := outgoing.refusal(address, insecure=info.data.get("insecure", True))):
            raise ValueError(problem)
        return address

    @field_validator("budget", mode="before", json_schema_input_type=_Percent | None)
    @classmethod
    def _as_share(cls, share: object) -> object:
        percent = _PERCENT.fullmatch(share) if isinstance(share, str) else None
        if share is not None and not (percent and 0 < float(percent[1]) <= 100):
            raise ValueError("must be a percentage, for example 20%")
        return float(percent[1]) / 100 if percent else None

    @field_validator("api_version", mode="before", json_schema_input_type=str | float | None)
    @classmethod
    def _as_text(cls, version: object) -> object:
        return str(version) if isinstance(version, float) else version

"""The reply to several requests that were made in one call.

https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/responses_composite.htm
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class Part(BaseModel):
    """The reply to one of them."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    body: Any
    status: int = Field(alias="httpStatusCode")


class Parts(BaseModel):
    """All of them, in the order of the requests."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    parts: list[Part] = Field(alias="compositeResponse")

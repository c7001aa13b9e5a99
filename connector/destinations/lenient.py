"""Read a CRM's JSON leniently: an optional part of an unexpected type counts as absent, and hides no valid part."""

from __future__ import annotations

from typing import Annotated, Any, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    field_validator,
)

_Item = TypeVar("_Item")


class Lenient(BaseModel):
    """A strictly typed part of a reply. An optional part of the wrong type counts as absent."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)

    @field_validator("*", mode="wrap")
    @classmethod
    def _absent_if_invalid(cls, value: Any, read: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:
        try:
            return read(value)
        except ValidationError:
            declared = cls.model_fields[info.field_name or ""]
            if declared.is_required():
                raise
            return declared.get_default(call_default_factory=True)


def _without_invalid_entries(entries: Any, read: ValidatorFunctionWrapHandler) -> Any:
    try:
        return read(entries)
    except ValidationError as error:
        invalid = {problem["loc"][0] for problem in error.errors() if problem["loc"]}
        valid = (
            [item for position, item in enumerate(entries) if position not in invalid]
            if isinstance(entries, list)
            else []
        )
        if not valid:
            raise
        return read(valid)


Entries = Annotated[list[_Item], WrapValidator(_without_invalid_entries)]
"""The entries of a list that are valid."""

"""The functions a mapping is compiled into. Each reads a payload, and knows the customer's time zone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import tzinfo
from typing import Any

Payload = Mapping[str, Any]
Get = Callable[[Payload, tzinfo], Any]
"""payload, time zone -> the value; None if careCycle holds none, ABSENT if nothing is to be sent."""

Holds = Callable[[Payload, tzinfo], bool]
"""payload, time zone -> whether a condition is met."""

Missed = Callable[[Payload, tzinfo], str]
"""payload, time zone -> the event field whose value nothing translates; empty for none."""

"""What the rules have in common by which a field may overwrite the CRM's value."""

from __future__ import annotations

from typing import Final

from connector.model import Rule

READING: Final = frozenset({Rule.IF_BLANK, Rule.UNLESS_EDITED, Rule.FORWARD})
"""The CRM's current value decides."""

OVER_OURS: Final = frozenset({Rule.UNLESS_EDITED, Rule.FORWARD})
"""A value of ours, or one that the CRM filled in, is replaced where a person's would stay."""

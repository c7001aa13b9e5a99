"""Write a template as it was meant whose brackets do not match."""

from __future__ import annotations

import re
from typing import Final

from connector.carecycle import catalogue
from connector.mapping import templates

_LONGEST: Final = 500
_DOUBLED: Final = re.compile(r"\$?\{+!?\s*([^{}\[\]]+?)\s*\}+")
_OPEN: Final = re.compile(r"\$?\{+!?\s*([\w.]+(?:\|[\w: ]+?)*)(?![\w.|]|\s*\})")
_UNOPENED: Final = re.compile(r"(?<![\w.{|])([A-Za-z]+\.[\w.]+)\s*\}+")


def meant(template: str) -> str:
    r"""Return the template with its brackets put right; empty if that is not clear.

    >>> meant("Agent: {{customer.agentName}}"), meant("Agent: {customer.agentName")
    ('Agent: {customer.agentName}', 'Agent: {customer.agentName}')
    >>> meant("{customer.city[, {customer.state}]"), meant("customer.city} office"), meant("[x] {customer.city}")
    ('{customer.city}[, {customer.state}]', '{customer.city} office', '\\[x\\] {customer.city}')
    """
    if len(template) > _LONGEST:
        return ""
    right = _DOUBLED.sub(r"{\1}", template)
    right = _OPEN.sub(lambda slot: f"{{{slot[1]}}}" if slot[1].split("|")[0] in catalogue.FIELDS else slot[0], right)
    right = _UNOPENED.sub(r"{\1}", right)
    right = re.sub(r"(?<!\\)\[([^\[\]{}]*)\]", r"\\[\1\\]", right)
    try:
        slots = list(templates.slots(templates.parse(right)))
    except templates.UnbalancedError:
        return ""
    return right if right != template and all(slot.path in catalogue.FIELDS for slot in slots) else ""

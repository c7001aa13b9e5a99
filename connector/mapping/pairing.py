"""Whether a mapping is for the CRM that it is used with."""

from __future__ import annotations

from dataclasses import replace

from connector.crm import Crm
from connector.mapping.diagnostics import Diagnostic, Severity
from connector.mapping.load import Loaded


def paired(loaded: Loaded, destination: str, theirs: Crm) -> Loaded:
    """A mapping as it loads for a destination: with an error if it is for another CRM than the credentials."""
    if loaded.written is None or loaded.written[0].crm.name == theirs.name:
        return loaded
    file, tree = loaded.written
    place = (tree.get("crm") or tree).place
    message = f"this mapping is for {file.crm.title}, but the credentials of {destination} are for {theirs.title}"
    hint = "name another mapping in the agency file, or give other credentials"
    finding = Diagnostic(*place, Severity.ERROR, "M211", message, hint)
    return replace(loaded, mapping=None, diagnostics=(*loaded.diagnostics, finding))

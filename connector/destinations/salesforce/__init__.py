"""Salesforce as a destination. `account` and what it uses know its client library; `auth` is cheap to import."""

import sys
from types import ModuleType
from typing import Final

# The library's Metadata API, which nothing here uses, would load a SOAP client and an XML parser: 0.2 s and 14 MB.
_METADATA: Final = ModuleType("simple_salesforce.metadata")
_METADATA.SfdcMetadataApi = None  # type: ignore[attr-defined]  # a module has what is put into it
sys.modules.setdefault(_METADATA.__name__, _METADATA)

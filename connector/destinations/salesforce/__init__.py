"""Salesforce as a destination. `account` and its helpers import the client library; `auth` is cheap to import."""

import sys
from types import ModuleType
from typing import Final

# Nothing here uses the library's Metadata API, which would load a SOAP client and an XML parser: 0.2 s and 14 MB.
_METADATA: Final = ModuleType("simple_salesforce.metadata")
_METADATA.SfdcMetadataApi = None  # type: ignore[attr-defined]  # the attribute is new to this module
sys.modules.setdefault(_METADATA.__name__, _METADATA)

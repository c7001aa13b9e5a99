"""The mapping language: read (source, reading), check (checks), compile (compile) and plan (planning)."""

from connector.mapping.compiled import CompiledMapping as Mapping
from connector.mapping.diagnostics import Diagnostic, Severity
from connector.mapping.examples import Result, failures, run_examples, tested
from connector.mapping.leaving import leaving
from connector.mapping.load import Loaded, load, load_text
from connector.mapping.reached import unreached
from connector.mapping.rendering import render, to_json, to_sarif
from connector.mapping.schema import json_schema
from connector.mapping.shipped import shipped_folder, shipped_names
from connector.mapping.spots import Spot

__all__ = [
    "Diagnostic",
    "Loaded",
    "Mapping",
    "Result",
    "Severity",
    "Spot",
    "failures",
    "json_schema",
    "leaving",
    "load",
    "load_text",
    "render",
    "run_examples",
    "shipped_folder",
    "shipped_names",
    "tested",
    "to_json",
    "to_sarif",
    "unreached",
]

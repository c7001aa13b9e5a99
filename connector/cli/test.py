"""test: run the tests inside mappings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TypedDict

import click

from connector import mapping
from connector.cli.options import json_option, mappings_argument, schema_option, show_json
from connector.errors import FixMapping
from connector.mapping import Loaded, target
from connector.running import bootstrap


class _Tests(TypedDict):
    tests: list[mapping.Result]
    unreached: list[mapping.Spot]


@click.command()
@mappings_argument
@schema_option
@json_option(_Tests)
def test(mappings: tuple[Path, ...], schema: Path | None, as_json: bool) -> None:
    """Run the tests inside mappings, and list what no test covers."""
    known = target.load(schema) if schema else None
    loaded = [_loaded(path, known) for path in mappings]
    results = _run_tests(loaded)
    unreached = [spot for file in loaded for spot in mapping.unreached(file)]
    if as_json:
        show_json(_Tests(tests=results, unreached=unreached))
    else:
        click.echo("\n".join(_test_report(results, unreached)))
    raise SystemExit(0 if all(result.ok for result in results) else 1)


def _run_tests(loaded: Iterable[Loaded]) -> list[mapping.Result]:
    results: list[mapping.Result] = []
    for file in loaded:
        results += mapping.run_examples(file.mapping) if file.mapping else []
    return results


def _loaded(path: Path, schema: target.TargetSchema | None) -> Loaded:
    loaded = bootstrap.read_mapping(path, schema)
    if loaded.mapping is None:
        raise FixMapping(str(path), "does not load\n" + mapping.render(loaded.diagnostics, loaded.texts))
    return loaded


def _test_report(results: Sequence[mapping.Result], unreached: Sequence[mapping.Spot]) -> Iterator[str]:
    for result in results:
        yield f"{'ok    ' if result.ok else 'FAILED'} {result.file}:{result.line} {result.name}"
        for difference in result.differences:
            yield from (
                f"         {difference.what}",
                f"           expected {difference.expected}",
                f"           got      {difference.got}",
            )
    yield f"{sum(result.ok for result in results)} of {len(results)} tests pass"
    if unreached:
        yield "not covered by any test"
        yield from (f"  {spot.file}:{spot.line}:{spot.col} {spot.kind} {spot.name}" for spot in unreached)

"""sandbox: both CRMs' and careCycle's sandboxes on this machine, to try a mapping or a backfill."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from importlib.resources import files
from pathlib import Path
from typing import Any

import click

from connector.cli.options import existing_file
from connector.errors import FixConfiguration
from connector.mapping import target
from connector.sandbox.carecycle import KEY, CareCycleSandbox
from connector.sandbox.carecycle.book import Book
from connector.sandbox.carecycle.desk import CareCycleDesk
from connector.sandbox.hubspot import HubSpotSandbox
from connector.sandbox.hubspot.desk import HubSpotDesk
from connector.sandbox.page.views import open_page
from connector.sandbox.salesforce import CLIENT, SalesforceSandbox
from connector.sandbox.salesforce.desk import SalesforceDesk


@click.command()
@click.option("--salesforce-port", default=8091, show_default=True, type=click.IntRange(0, 65535))
@click.option("--hubspot-port", default=8092, show_default=True, type=click.IntRange(0, 65535))
@click.option("--carecycle-port", default=8093, show_default=True, type=click.IntRange(0, 65535))
@click.option("--customers", default=231, show_default=True, type=click.IntRange(0), help="Customers in careCycle.")
@click.option("--latency", default=0.1, show_default=True, type=click.FloatRange(0), help="Seconds each call takes.")
@click.option(
    "--schema",
    "schemas",
    multiple=True,
    type=existing_file,
    help="Serve the objects and fields of this file, saved by `schema pull`. Repeatable.",
)
def sandbox(
    salesforce_port: int,
    hubspot_port: int,
    carecycle_port: int,
    customers: int,
    latency: float,
    schemas: tuple[Path, ...],
) -> None:
    """Run sandboxes of Salesforce, HubSpot and careCycle's REST API on this machine, until Ctrl-C."""
    saved = _saved(schemas)
    salesforce = SalesforceSandbox(latency=latency, schema=saved.get("salesforce"))
    hubspot = HubSpotSandbox(latency=latency, schema=saved.get("hubspot"))
    open_pages(salesforce, hubspot)
    carecycle = CareCycleSandbox(Book(customers), latency=latency)
    open_page(CareCycleDesk(carecycle), _style(), {"Salesforce": salesforce, "HubSpot": hubspot})
    try:
        click.echo(f"Salesforce  endpoint: {salesforce.start(salesforce_port)}")
        click.echo(
            f"            auth: {{flow: client_credentials, client_id: {CLIENT[0]}, client_secret: {CLIENT[1]}, ...}}"
        )
        click.echo(f"HubSpot     endpoint: {hubspot.start(hubspot_port)}")
        click.echo(f"            auth: {{access_token: {hubspot.token}}}")
        click.echo(f"careCycle   carecycle: {{api_key: {KEY}, endpoint: {carecycle.start(carecycle_port)}}}")
        click.echo("Open an endpoint in your browser to look at its records, or to break something.")
        threading.Event().wait()
    except KeyboardInterrupt:
        click.echo("stopped")


def open_pages(salesforce: SalesforceSandbox, hubspot: HubSpotSandbox) -> None:
    """Let people look at both sandboxes in a browser, in the console's style."""
    open_page(SalesforceDesk(salesforce), _style(), {"HubSpot": hubspot})
    open_page(HubSpotDesk(hubspot), _style(), {"Salesforce": salesforce})


def _style() -> str:
    return files("connector.web").joinpath("static/console.css").read_text("utf-8")


def _saved(paths: Iterable[Path]) -> dict[str, dict[str, Any]]:
    """The objects of saved schemas by their CRM; of several files for one CRM, all of them. Raises FixConfiguration."""
    saved: dict[str, dict[str, Any]] = {}
    for path in paths:
        schema = target.load(path)
        if schema.crm not in ("salesforce", "hubspot"):
            raise FixConfiguration(str(path), f"is of {schema.crm}, for which there is no sandbox")
        for name, known in schema.objects.items():
            fields = saved.setdefault(schema.crm, {}).setdefault(name, {"fields": {}})["fields"]
            fields |= known.model_dump()["fields"]
    return saved

"""sandbox: both CRMs' sandboxes on this machine, to try a mapping."""

from __future__ import annotations

import threading

import click

from connector.sandbox.hubspot import HubSpotSandbox
from connector.sandbox.salesforce import CLIENT, SalesforceSandbox


@click.command()
@click.option("--salesforce-port", default=8091, show_default=True, type=click.IntRange(0, 65535))
@click.option("--hubspot-port", default=8092, show_default=True, type=click.IntRange(0, 65535))
@click.option("--latency", default=0.1, show_default=True, type=click.FloatRange(0), help="Seconds each call takes.")
def sandbox(salesforce_port: int, hubspot_port: int, latency: float) -> None:
    """Run a Salesforce and a HubSpot sandbox on this machine, until Ctrl-C."""
    salesforce, hubspot = SalesforceSandbox(latency=latency), HubSpotSandbox(latency=latency)
    try:
        click.echo(f"Salesforce  endpoint: {salesforce.start(salesforce_port)}")
        click.echo(
            f"            auth: {{flow: client_credentials, client_id: {CLIENT[0]}, client_secret: {CLIENT[1]}, ...}}"
        )
        click.echo(f"HubSpot     endpoint: {hubspot.start(hubspot_port)}")
        click.echo(f"            auth: {{access_token: {hubspot.token}}}")
        threading.Event().wait()
    except KeyboardInterrupt:
        click.echo("stopped")

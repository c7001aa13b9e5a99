"""completion: click's own shell completion."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print a completion script for your shell. To use it: eval "$(connector completion bash)"."""
    kind = get_completion_class(shell)
    assert kind is not None  # click supports all three
    click.echo(kind(ctx.find_root().command, {}, "connector", "_CONNECTOR_COMPLETE").source())

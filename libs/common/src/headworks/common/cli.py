"""The command `headworks`: its subcommands come from the installed parts (entry-point group `headworks.commands`)."""

from importlib.metadata import entry_points

import typer

from headworks.common.demo import demo


def create_app() -> typer.Typer:
    """The command with all its subcommands."""
    app = typer.Typer(no_args_is_help=True, help="Headworks plans and controls water and hydropower assets.")
    app.command("demo")(demo)
    for entry in sorted(entry_points(group="headworks.commands"), key=lambda e: e.name):
        command = entry.load()
        if isinstance(command, typer.Typer):
            app.add_typer(command, name=entry.name)
        else:
            app.command(entry.name)(command)
    return app


def main() -> None:
    """Run the command."""
    create_app()()

"""`python -m headworks.simulators`: the outside world on its ports, until SIGTERM or Ctrl-C."""

import asyncio
import json
import signal
from pathlib import Path
from typing import Annotated

import typer

from headworks.simulators.world import World


def main(
    site: Annotated[list[Path], typer.Option(help="a site file; may be given again")],
    ports_file: Annotated[Path, typer.Option(help="where to write the chosen ports, as JSON")],
    seed: int = 7,
    scenario: Annotated[str, typer.Option(help="calm, mixed or storm")] = "mixed",
    ports: Annotated[str, typer.Option(help='fixed ports as JSON: {"pi": 8081}')] = "{}",
    host: Annotated[str, typer.Option(help="where to listen; 0.0.0.0 in a container")] = "127.0.0.1",
) -> None:
    """Run the outside world."""
    world = World(site, ports_file.parent, seed=seed, scenario=scenario, ports=json.loads(ports), host=host)
    asyncio.run(_until_stopped(world, ports_file))


async def _until_stopped(world: World, ports_file: Path) -> None:
    task = asyncio.create_task(world.run(ports_file))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, task.cancel)
    try:
        await task
    except asyncio.CancelledError:
        return


if __name__ == "__main__":
    typer.run(main)

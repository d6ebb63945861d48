"""The API server as a program: `python -m sympozium_local.apiserver --data-dir DIR --port PORT`."""

import argparse
import asyncio
import logging
import signal
from pathlib import Path

from sympozium.runtime.long_lived import settle_in
from sympozium.runtime.program import run_program
from sympozium_local.apiserver.server import serve

log = logging.getLogger("sympozium_local.apiserver")


async def run(data_dir: Path, port: int) -> None:
    """Serve until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for one in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(one, stop.set)
    async with serve(data_dir, port=port) as endpoint:
        settle_in()
        log.info("api server ready", extra={"action": "serve", "url": endpoint.url})
        await stop.wait()


def main() -> None:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(prog="sympozium_local.apiserver", description=__doc__)
    parser.add_argument("--data-dir", type=Path, required=True, help="where everything is kept")
    parser.add_argument("--port", type=int, default=0, help="on 127.0.0.1; 0 is any free one")
    options = parser.parse_args()
    run_program("apiserver", lambda: run(options.data_dir, options.port))


if __name__ == "__main__":
    main()

"""Run the demonstration model: `python -m sympozium_local.demo_model --port PORT`."""

import argparse
import logging
from functools import partial
from pathlib import Path

from sympozium.contract.errors import PermanentError
from sympozium.runtime.loops import stop_on_signals
from sympozium.runtime.program import run_program
from sympozium_local.demo_model.script import Behaviour, Script, parse_script
from sympozium_local.demo_model.server import serve

log = logging.getLogger(__name__)

DEFAULT_PORT = 8402


def main() -> None:
    """Serve until SIGTERM or SIGINT."""
    arguments = _parser().parse_args()
    run_program("demo-model", partial(_run, arguments.port, arguments.script))


async def _run(port: int, script_file: Path | None) -> None:
    stop = stop_on_signals()
    script = Script(_behaviours(script_file))
    async with serve(port, script=script, is_scriptable=script_file is not None) as model:
        log.info("demonstration model is up", extra={"action": "start", "url": model.url})
        await stop.wait()


def _behaviours(script_file: Path | None) -> list[Behaviour]:
    if script_file is None:
        return []
    try:
        return parse_script(script_file.read_text())
    except OSError as error:
        raise PermanentError(f"cannot read {script_file}: {error.strerror}") from None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m sympozium_local.demo_model",
        description="An OpenAI-compatible model that answers by fixed rules, on 127.0.0.1.",
    )
    parser.add_argument("--port", type=int, default=DEFAULT_PORT, help="0 takes a free one")
    parser.add_argument(
        "--script",
        type=Path,
        help="scripted answers, for tests: a JSON list or JSON lines; also allows POST /script",
    )
    return parser


if __name__ == "__main__":
    main()

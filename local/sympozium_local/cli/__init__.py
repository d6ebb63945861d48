"""The command line: `sympozium`."""

import sys

EXIT_ERROR = 1
EXIT_USAGE = 2
EXIT_NOT_RUNNING = 3


def main() -> None:
    """Run one command; every failure is one sentence and an exit code."""
    from sympozium.contract.errors import SympoziumError
    from sympozium_local.cli.app import app
    from sympozium_local.system.errors import NotRunningError

    try:
        app(prog_name="sympozium")
    except NotRunningError as error:
        _fail(error, EXIT_NOT_RUNNING)
    except SympoziumError as error:
        _fail(error, EXIT_ERROR)
    except KeyboardInterrupt:
        sys.stderr.write("\n")
        raise SystemExit(130) from None
    except BrokenPipeError:  # `sympozium runs list | head`
        sys.stderr.close()
        raise SystemExit(EXIT_ERROR) from None


def _fail(error: Exception, code: int) -> None:
    sys.stderr.write(f"sympozium: {error}\n")
    raise SystemExit(code) from None

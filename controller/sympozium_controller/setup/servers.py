"""How many servers the bus has: chosen once, at its installation.

A server that was alone keeps its streams beside those that several keep together, where
nobody reads them, and the other way round: what they hold would stay without an answer.
So a server that is to be one of another number does not start. Kubernetes replaces the
first one last, and only when the others are ready: it works on as it was.
"""

from pathlib import Path

from sympozium.contract.errors import PermanentError
from sympozium_controller.setup.secrets_made import Keys

KEY = "servers"
"""Key of the bus' Secret."""


def with_number(known: Keys, wanted: int) -> Keys:
    """Return the keys with how many servers there are, as it was chosen first."""
    return {KEY: str(wanted), **known}


def check_number(known: Keys, wanted: int) -> None:
    """Refuse to start another number of servers than was installed.

    Raises:
        PermanentError: It is another; says which, and what to do.
    """
    installed = known[KEY]
    if installed != str(wanted):
        raise PermanentError(
            f"cannot start a server of the bus: it was installed with {_servers(installed)} and is "
            f"to have {wanted} now; what it holds would stay without an answer; set "
            f"nats.replicas={installed}"
        )


def check_volume(data: Path, wanted: int) -> None:
    """Refuse to start on the volume of an earlier installation that had another number.

    Raises:
        PermanentError: It holds what a server that was alone kept, and is to be one of
            several, or the other way round.
    """
    streams = data / "jetstream"
    was_one_of_several = any(streams.glob("*/_js_/_meta_"))
    was_alone = not was_one_of_several and any(streams.glob("*/streams/*"))
    if (was_alone and wanted > 1) or (was_one_of_several and wanted == 1):
        before = "one server alone" if was_alone else "several servers"
        raise PermanentError(
            f"cannot start a server of the bus: its volume holds what {before} kept, and it is to "
            f"be {'one of ' if wanted > 1 else ''}{wanted} now; that would stay without an answer; "
            f"set nats.replicas to {'1' if was_alone else 'the number from before'}, or delete the "
            "volume claims of the bus and with them every message in it"
        )


def _servers(count: str) -> str:
    return "1 server" if count == "1" else f"{count} servers"

"""How long the system of one machine keeps what is finished, as its user says."""

import os
from collections.abc import Mapping
from dataclasses import dataclass

from sympozium.contract.errors import PermanentError
from sympozium.contract.limits import MAX_HISTORY_LIMIT
from sympozium.runtime.settings import Reader
from sympozium_local.system.errors import StartError


@dataclass(frozen=True)
class Keeping:
    """What is passed on to controller and router.

    Attributes:
        transcripts_days: How long messages and their answers are kept after their end.
        runs_days: How long finished AgentRuns are kept at the longest.
        successful: How many of them each Agent keeps that does not say it itself.
        failed: The same of those that ended otherwise.
    """

    transcripts_days: int = 90
    runs_days: int = 7
    successful: int = 100
    failed: int = 100


def keeping(environ: Mapping[str, str] | None = None) -> Keeping:
    """Return what `SYMPOZIUM_KEEP_DAYS` and `SYMPOZIUM_RUNS_KEEP_...` say.

    Raises:
        StartError: One of them is no number, or out of bounds.
    """
    reader = Reader(os.environ if environ is None else environ)
    most = MAX_HISTORY_LIMIT
    said = Keeping(
        reader.number("SYMPOZIUM_KEEP_DAYS", 90, low=2, high=3650),
        reader.number("SYMPOZIUM_RUNS_KEEP_DAYS", 7, low=1, high=3650),
        reader.number("SYMPOZIUM_RUNS_KEEP_SUCCESSFUL", 100, low=0, high=most),
        reader.number("SYMPOZIUM_RUNS_KEEP_FAILED", 100, low=0, high=most),
    )
    try:
        reader.finish()
    except PermanentError as error:
        raise StartError(str(error)) from error
    return said

"""Play cases against an embedded cluster, and hold what it answers against the recordings."""

import asyncio
from dataclasses import dataclass
from pathlib import Path

from tests.differential.accepted import accepted
from tests.differential.case import Case
from tests.differential.compare import differences, sort_out
from tests.differential.embedded import embedded_server
from tests.differential.play import Transcripts, load_cases, play_all
from tests.differential.recordings import load


def cases_of(*topics: str, beside: bool = False) -> dict[str, Case]:
    """Return the cases of *topics*, or with *beside* those of all others."""
    return {name: one for name, one in load_cases().items() if (one.topic in topics) != beside}


@dataclass(frozen=True)
class Played:
    """What an embedded cluster answered to some cases."""

    transcripts: Transcripts
    failures: dict[str, str]

    def require_agreement(self, case: Case) -> None:
        """Fail with every difference that nobody accepted, and every accepted one that is gone."""
        recorded = load(case.topic)
        assert case.name in recorded, "not recorded yet: python -m tests.differential.record"
        found = differences(recorded[case.name], self.transcripts[case.name])
        known = accepted(case.topic).get(case.name, {})
        unlisted, gone = sort_out(found, known)
        failure = self.failures.get(case.name)
        assert (unlisted, gone, failure) == ({}, [], None), (unlisted, gone, failure)


def play(cases: dict[str, Case], data_dir: Path, *, kubelet: bool = False) -> Played:
    """Play *cases* side by side against a cluster of their own."""

    async def play() -> Played:
        async with embedded_server(data_dir, kubelet=kubelet) as server:
            return Played(*await play_all(server, cases.values()))

    return asyncio.run(play())

"""Record what a real API server answers: `python -m tests.differential.record [--check] [NAME..]`.

The cluster is that of $KUBECONFIG. With `--check` nothing is written, and whatever differs from
the recordings is printed and is a failure. A NAME is the beginning of the names of some cases.
"""

import argparse
import asyncio
import sys
from itertools import groupby
from pathlib import Path

from tests.differential.case import Case
from tests.differential.compare import differences
from tests.differential.play import Transcripts, load_cases, play_all
from tests.differential.recordings import FOLDER, load, text_of
from tests.differential.server import cluster_kubeconfig, real_server


def main() -> None:
    """Read the command line and record."""
    parser = argparse.ArgumentParser(prog="tests.differential.record", description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare, and write nothing")
    parser.add_argument("names", nargs="*", metavar="NAME", help="beginnings of names of cases")
    given = parser.parse_args()
    kubeconfig = cluster_kubeconfig()
    if kubeconfig is None:
        sys.exit("cannot record: KUBECONFIG names no file; let it name a cluster's")
    chosen = [
        one
        for one in load_cases().values()
        if not given.names or one.name.startswith(tuple(given.names))
    ]
    transcripts, failures = asyncio.run(_play(kubeconfig, chosen))
    drift = 0
    for topic, group in groupby(transcripts, key=lambda name: name.partition(".")[0]):
        fresh = {name: transcripts[name] for name in group if name not in failures}
        drift += _check(topic, fresh) if given.check else _write(topic, fresh)
    for name, why in failures.items():
        print(f"{name} did not come to its end: {why}")  # noqa: T201 - the program's report
    print(f"{len(transcripts)} cases, {len(failures)} failed, {drift} differ")  # noqa: T201
    sys.exit(bool(failures) or (given.check and bool(drift)))


async def _play(kubeconfig: Path, chosen: list[Case]) -> tuple[Transcripts, dict[str, str]]:
    async with real_server(kubeconfig) as server:
        return await play_all(server, chosen)


def _write(topic: str, fresh: Transcripts) -> int:
    names = load_cases()
    recorded = load(topic)
    merged = {name: it for name, it in {**recorded, **fresh}.items() if name in names}
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / f"{topic}.json").write_text(text_of(merged))
    return sum(recorded.get(name) != exchanges for name, exchanges in fresh.items())


def _check(topic: str, fresh: Transcripts) -> int:
    recorded = load(topic)
    drifted = 0
    for name, exchanges in fresh.items():
        found = differences(recorded.get(name, []), exchanges)
        drifted += bool(found)
        for path, how in found.items():
            print(f"{name}: {path}: {how}")  # noqa: T201 - the program's report
    return drifted


if __name__ == "__main__":
    main()

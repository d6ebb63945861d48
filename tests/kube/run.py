"""Runs pytest in the network of a real cluster, which is started and ended if need be.

    python -m tests.kube.run                                 all that runs on a real cluster
    python -m tests.kube.run --name mine --keep tests/kube/test_x.py -k name

Arguments that it does not know are pytest's; without a path among them, all tests are meant.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from sympozium_images.builders import CLUSTER, ROOT, CannotBuildError
from tests.fixtures.system import REAL_CLUSTER
from tests.kube.cluster import OUTSIDE, Clients, ClusterError, KubeCluster
from tests.kube.images import ALL, CHANGED, provide


def main() -> int:
    """Return pytest's exit code, or 1 where there is no cluster."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--name", default="test", help="which cluster")
    parser.add_argument("--keep", action="store_true", help="leave the cluster up")
    parser.add_argument("--as-is", action="store_true", help="take the images that it has")
    told, for_pytest = parser.parse_known_args()
    if not CLUSTER.exists():
        say(f"cannot test on a real cluster: no {CLUSTER}; SYMPOZIUM_TEST_CLUSTER may name one")
        return 1
    cluster = KubeCluster(told.name)
    begun = time.monotonic()
    was_started = cluster.up()
    say(f"cluster {told.name} is up after {time.monotonic() - begun:.0f} s")
    try:
        with tempfile.TemporaryDirectory() as folder:
            kubeconfig = Path(folder) / "kubeconfig"
            kubeconfig.write_text(cluster.kubeconfig)
            begun = time.monotonic()
            clients = Clients(cluster.clients, kubeconfig)
            changed = [] if told.as_is else provide(cluster, clients, ALL)
        say(f"{len(changed)} images built and loaded in {time.monotonic() - begun:.0f} s")
        return run_pytest(cluster, changed, for_pytest)
    finally:
        if was_started and not told.keep:
            cluster.down()


def run_pytest(cluster: KubeCluster, changed: list[str], arguments: list[str]) -> int:
    """Run pytest in the cluster's network and return its exit code.

    Where the arguments name no tests, all that run on a real cluster are meant. A test's time
    does not include what it shares with others: the installation of the chart.
    """
    if not any((ROOT / argument.partition("::")[0]).exists() for argument in arguments):
        arguments = [*arguments, "tests/kube", "tests/scenario"]
    command = [str(CLUSTER), "exec", "--name", cluster.name, "--"]
    command += [sys.executable, "-m", "pytest", "-o", "timeout_func_only=true", *arguments]
    told = {REAL_CLUSTER: cluster.name, CHANGED: " ".join(changed), OUTSIDE: str(os.getpid())}
    return subprocess.call(command, cwd=ROOT, env={**os.environ, **told})


def say(text: str) -> None:
    """Write one line at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (ClusterError, CannotBuildError) as error:
        sys.exit(str(error))

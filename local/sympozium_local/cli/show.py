"""`kubeconfig`, `crds` and `version`: commands that print one thing."""

import sys

from sympozium.contract.errors import PermanentError
from sympozium_local.cli.where import Where, at_cluster


@at_cluster
def kubeconfig(where: Where) -> None:
    """Print the path of the kubeconfig that the other commands use.

    Example: `KUBECONFIG=$(sympozium kubeconfig) kubectl get pods -A`
    """
    import os

    from sympozium_local.cli.access.kubeconfig import find_kubeconfig
    from sympozium_local.cli.screen import say
    from sympozium_local.cli.target import find_target
    from sympozium_local.system.home import find_home

    local = find_home().kubeconfig
    if not where.names_a_cluster and local.exists():
        say(str(local), stream=sys.stdout)  # also while it does not run
        return
    target = find_target(where)
    if target.instance:
        say(str(local), stream=sys.stdout)
        return
    found = find_kubeconfig(where.kubeconfig)
    if found is None or not all(file.is_file() for file in found.files):
        raise PermanentError(f"cannot print a kubeconfig: {target.title} has no file of its own")
    say(os.pathsep.join(map(str, found.files)), stream=sys.stdout)
    if target.context != found.current:
        say(f"Add --context {target.context} to kubectl: the file's current one is another.")


def crds() -> None:
    """Print the CustomResourceDefinitions as YAML.

    Example: `sympozium crds | kubectl apply --server-side -f -`
    """
    from sympozium_local.crd_files import as_yaml

    sys.stdout.write(as_yaml())


def version() -> None:
    """Print the version."""
    from importlib.metadata import version as installed

    from sympozium_local.cli.screen import say

    say(f"sympozium {installed('sympozium')}", stream=sys.stdout)

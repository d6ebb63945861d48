"""`kubeconfig`, `crds` and `version`: commands that print one thing."""

import sys


def kubeconfig() -> None:
    """Print the path of the cluster's kubeconfig.

    Example: `KUBECONFIG=$(sympozium kubeconfig) kubectl get pods -A`
    """
    from sympozium_local.cli.screen import say
    from sympozium_local.system.errors import NotRunningError
    from sympozium_local.system.home import find_home

    path = find_home().kubeconfig
    if not path.exists():
        raise NotRunningError(
            f"cannot find '{path}': the system was never started there; "
            "start it with `sympozium up --background` or `make up`"
        )
    say(str(path), stream=sys.stdout)


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

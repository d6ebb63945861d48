"""The cluster that a command talks to, found by what was said and by what runs here."""

import os
import re
from dataclasses import dataclass, field

from sympozium.contract.errors import PermanentError
from sympozium_local.cli.access.endpoint import endpoint_of
from sympozium_local.cli.access.kubeconfig import (
    DEFAULT_NAMESPACE,
    VARIABLE,
    Context,
    find_kubeconfig,
    kubeconfig_files,
    read_kubeconfig,
)
from sympozium_local.cli.cluster import Cluster
from sympozium_local.cli.instance import Instance, find_instance
from sympozium_local.cli.screen import say
from sympozium_local.cli.where import Where
from sympozium_local.system.errors import NotRunningError
from sympozium_local.system.home import Home, find_home

_NAMESPACE = re.compile("[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


@dataclass(frozen=True)
class Target:
    """A cluster with Sympozium in it, as far as is known.

    Attributes:
        context: Its name in the kubeconfig; empty: the system of this machine.
        instance: The system of this machine, if it is that.
    """

    cluster: Cluster = field(repr=False)
    namespace: str
    title: str
    context: str = ""
    instance: Instance | None = None


def find_target(where: Where) -> Target:
    """Return the cluster that is meant.

    It is the one that *where* names; else the system of this machine, if it runs; else that of
    the kubeconfig's current context, as kubectl would choose. Where a person may have expected
    another one, it is said on standard error.

    Raises:
        NotRunningError: Nothing runs here, and no kubeconfig is there.
        PermanentError: What is named is not there or cannot be used.
    """
    _check(where.namespace)
    instance = find_instance()
    if instance and not where.names_a_cluster:
        _say_if_surprising(instance)
        return _local(instance, where.namespace or DEFAULT_NAMESPACE)
    context = _context(where)
    if instance and context.server == _local_context(instance.home).server:
        return _local(instance, where.namespace or context.namespace)
    target = Target(
        Cluster(endpoint_of(context)),
        where.namespace or context.namespace,
        f"context '{context.name}' ({context.server})",
        context.name,
    )
    if not where.names_a_cluster and find_home().kubeconfig.exists():
        say(f"No system runs on this machine; using {target.title}.")
    return target


def _local(instance: Instance, namespace: str) -> Target:
    cluster = Cluster(endpoint_of(_local_context(instance.home)))
    title = f"the system of this machine in '{instance.home.path}'"
    return Target(cluster, namespace, title, "", instance)


def _local_context(home: Home) -> Context:
    return read_kubeconfig([home.kubeconfig]).context()


def _context(where: Where) -> Context:
    found = find_kubeconfig(where.kubeconfig)
    if found is None:
        files = ", ".join(f"'{path}'" for path in kubeconfig_files())
        raise NotRunningError(
            f"cannot find a system: none runs in '{find_home().path}', and there is no kubeconfig "
            f"{files}; start it with `sympozium up --background` or `make up`, or name a cluster "
            "with --kubeconfig"
        )
    return found.context(where.context)


def _say_if_surprising(instance: Instance) -> None:
    named = os.environ.get(VARIABLE, "")
    if named and named != str(instance.home.kubeconfig):
        say(
            f"Using the system of this machine in '{instance.home.path}', not {VARIABLE}; "
            "--context or --kubeconfig chooses a cluster."
        )


def _check(namespace: str) -> None:
    if namespace and not _NAMESPACE.fullmatch(namespace):
        raise PermanentError(
            f"cannot use namespace {namespace!r}: a name has 1 to 63 of a-z 0-9 -; mend it"
        )

"""Admission: policies that are in force, and a webhook that answers with a valid certificate."""

import base64
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from sympozium.contract.resources import (
    ADMISSION_POLICIES,
    ADMISSION_POLICY_BINDINGS,
    AGENT_RUNS,
    NAMESPACES,
    PART_OF_LABEL,
    TENANT_LABEL,
    VALIDATING_WEBHOOKS,
    Object,
)
from sympozium.kube.errors import ForbiddenError, InvalidError, NotFoundError, UnavailableError
from sympozium_local.cli.checks.check import Check, bad, good, unknown
from sympozium_local.cli.cluster import Cluster
from sympozium_local.cli.forwarding import PodPort, forwarded
from sympozium_local.cli.paths import path_of, system_namespace
from sympozium_local.cli.pods import port_behind
from sympozium_local.cli.refusals import INSTALL

WEBHOOK_SERVICE = "sympozium-webhook"
WEBHOOK_PORT = 443
TIMEOUT_S = 10.0
SOON = timedelta(hours=12)
"""A certificate that ends so soon should have been replaced by the controller long ago."""

_OURS = f"{PART_OF_LABEL}=sympozium"
_PROBE = "doctor-probe"
_NO_AGENT = "doctor-no-such-agent"


def policy_checks(cluster: Cluster) -> Iterator[Check]:
    """Look whether our admission policies are there and deny what they do not allow."""
    policies = cluster.get(path_of(ADMISSION_POLICIES), labelSelector=_OURS)["items"]
    bindings = cluster.get(path_of(ADMISSION_POLICY_BINDINGS), labelSelector=_OURS)["items"]
    denying = {
        one["spec"]["policyName"]
        for one in bindings
        if "Deny" in (one["spec"].get("validationActions") or ())
    }
    if not policies:
        yield bad("admission policies", "there are none", f"put them back: {INSTALL}")
    for policy in policies:
        name = policy["metadata"]["name"]
        if name in denying:
            yield good(f"policy {name}", "it denies")
        else:
            remedy = f"put its binding back: {INSTALL}"
            yield bad(f"policy {name}", "no binding has it deny anything", remedy)


def webhook_checks(cluster: Cluster, namespace: str, *, forwards: bool = True) -> Iterator[Check]:
    """Look whether the webhook is registered, answers, and has a valid certificate.

    Its certificate can be seen only where the API server forwards to ports of pods; that of one
    machine does not.
    """
    found = cluster.get(path_of(VALIDATING_WEBHOOKS), labelSelector=_OURS)["items"]
    webhooks = [webhook for one in found for webhook in one.get("webhooks") or ()]
    if not webhooks:
        yield bad("webhook", "it is not registered", f"put it back: {INSTALL}")
        return
    for webhook in webhooks:
        yield _bundle(webhook)
    if forwards:
        yield _certificate(cluster, webhooks[0])
    yield _answer(cluster, namespace)


def _bundle(webhook: Object) -> Check:
    about, mend = (
        f"webhook {webhook['name']}",
        "the controller mends it; see its log if it does not",
    )
    data = (webhook.get("clientConfig") or {}).get("caBundle", "")
    if not data:
        return bad(about, "it is told no certificate authority, so no call of it succeeds", mend)
    try:
        ends = _ends(base64.b64decode(data))
    except ValueError:
        return bad(about, "its certificate authority is no certificate", mend)
    if max(ends) < datetime.now(UTC):
        return bad(about, f"its certificate authority ended at {max(ends):%Y-%m-%d %H:%M}", mend)
    return good(about, f"its certificate authority is good until {max(ends):%Y-%m-%d %H:%M}")


def _ends(pem: bytes) -> list[datetime]:
    from cryptography import x509

    return [one.not_valid_after_utc for one in x509.load_pem_x509_certificates(pem)]


def _certificate(cluster: Cluster, webhook: Object) -> Check:
    """Shake hands with the webhook as the API server does, through its pod."""
    import socket

    from cryptography import x509

    about, namespace = "certificate of the webhook", system_namespace()
    service = (webhook.get("clientConfig") or {}).get("service") or {}
    name = str(service.get("name") or WEBHOOK_SERVICE)
    port = int(service.get("port") or WEBHOOK_PORT)
    bundle = base64.b64decode((webhook.get("clientConfig") or {}).get("caBundle", ""))
    try:
        tls = ssl.create_default_context(cadata=bundle.decode())

        def find() -> PodPort:
            return port_behind(cluster, namespace, name, port)

        with (
            forwarded(cluster.endpoint, find) as local_port,
            socket.create_connection(("127.0.0.1", local_port), timeout=TIMEOUT_S) as connection,
            tls.wrap_socket(connection, server_hostname=f"{name}.{namespace}.svc") as spoken,
        ):
            der = spoken.getpeercert(binary_form=True) or b""
    except ForbiddenError:
        return unknown(about, "you may not reach the controller's pods to see it")
    except NotFoundError:
        return bad(about, f"there is no Service {name!r}", f"put it back: {INSTALL}")
    except (OSError, ValueError) as error:
        cause = getattr(error, "verify_message", "") or type(error).__name__
        return bad(
            about,
            f"the webhook does not present one that its authority signed: {cause}",
            f"kubectl -n {namespace} rollout restart deployment/sympozium-controller",
        )
    ends = x509.load_der_x509_certificate(der).not_valid_after_utc
    if ends - datetime.now(UTC) < SOON:
        return bad(
            about,
            f"it ends at {ends:%Y-%m-%d %H:%M} and was not replaced",
            f"see kubectl -n {namespace} logs deployment/sympozium-controller",
        )
    return good(about, f"good until {ends:%Y-%m-%d %H:%M}")


def _answer(cluster: Cluster, namespace: str) -> Check:
    """Ask the API server to create, for show only, a run that the webhook has to refuse."""
    about = "answer of the webhook"
    try:
        labels = cluster.get(path_of(NAMESPACES, "", namespace))["metadata"].get("labels") or {}
    except NotFoundError:
        labels = {}
    if labels.get(TENANT_LABEL) != "true":
        remedy = "name a tenant's namespace with -n"
        return unknown(about, f"namespace {namespace!r} is no tenant: it is not asked", remedy)
    run = {
        "apiVersion": AGENT_RUNS.api_version,
        "kind": AGENT_RUNS.kind,
        "metadata": {"name": _PROBE, "namespace": namespace},
        "spec": {"agentRef": _NO_AGENT, "task": "nothing"},
    }
    mend = (
        f"see that sympozium-controller is ready, and that the API server reaches port 8443 of its "
        f"pods: kubectl -n {system_namespace()} get endpoints {WEBHOOK_SERVICE}"
    )
    try:
        cluster.create(path_of(AGENT_RUNS, namespace), run, dryRun="All")
    except (ForbiddenError, InvalidError) as error:
        if "denied the request" in str(error):
            return good(about, "it refuses a run of an Agent that is not there")
        return unknown(about, str(error))
    except UnavailableError as error:
        return bad(about, f"the API server gets none: {error}", mend)
    return bad(
        about,
        f"a run of an Agent that is not there is let into namespace {namespace!r}",
        f"put the webhook's registration back: {INSTALL}",
    )

"""The table of grants, row by row, as plain text."""

from hypothesis import given
from hypothesis import strategies as st

from sympozium.bus.server import CONNECTIONS_SUBJECT, HEALTH_SUBJECT, kick_subject
from sympozium.contract.names import RunUid
from sympozium.contract.subjects import RUNS_CONSUMER, run_out, waiting_answer
from sympozium_controller.identity.grants import grants_of
from sympozium_controller.identity.who import (
    ChannelIdentity,
    Identity,
    OperatorIdentity,
    RouterIdentity,
    RunIdentity,
    name_of,
    run_of,
)

names = st.from_regex(r"[a-z]([-a-z0-9]{0,10}[a-z0-9])?", fullmatch=True)


def matches(pattern: str, subject: str) -> bool:
    """Return whether a subscription or permission *pattern* covers *subject*."""
    wanted, given_ = pattern.split("."), subject.split(".")
    for index, token in enumerate(wanted):
        if token == ">":
            return len(given_) > index
        if index >= len(given_) or token not in {"*", given_[index]}:
            return False
    return len(wanted) == len(given_)


def may_publish(identity: Identity, subject: str) -> bool:
    return any(matches(pattern, subject) for pattern in grants_of(identity).publish)


def test_a_run_has_its_own_subjects_and_nothing_else() -> None:
    grants = grants_of(RunIdentity("team", RunUid("u-1"), "pod", "p-1"))
    assert grants.publish == (
        "runs.team.u-1.out",
        "live.team.u-1",
        "context.team.u-1",
        "fetch.team.u-1",
        "files.team.u-1.*.*",
    )
    assert grants.subscribe == ("_INBOX.run.team.u-1.>", "runs.team.u-1.in")


def test_a_channel_has_its_own_subjects_and_its_namespaces_live_tokens() -> None:
    grants = grants_of(ChannelIdentity("team", "web"))
    assert grants.publish == (
        "inbox.team.web",
        "history.team.web",
        "notes.team.web",
        "report.team.web",
        "fetch.team.web",
        "files.team.web.*.*",
        "dead.INBOX.team.web",
        "dead.OUTBOX.team.web",
        "$JS.API.CONSUMER.MSG.NEXT.OUTBOX.channel_team_web",
        "$JS.API.CONSUMER.INFO.OUTBOX.channel_team_web",
        "$JS.ACK.OUTBOX.channel_team_web.>",
    )
    assert grants.subscribe == ("_INBOX.channel.team.web.>", "live.team.*")


def test_the_router_can_neither_speak_for_a_person_nor_for_a_run() -> None:
    router = RouterIdentity()
    assert not may_publish(router, "inbox.team.web")
    assert not may_publish(router, "runs.team.u-1.out")
    assert not may_publish(router, "$JS.ACK.RUNS.controller.1.2.3.4.5")
    assert may_publish(router, "outbox.team.web")
    assert may_publish(router, "runs.team.u-1.in")
    assert may_publish(router, "_INBOX.run.team.u-1.x.y")
    assert not may_publish(router, "_INBOX.controller.x.y")
    assert may_publish(router, waiting_answer("token"))
    assert not may_publish(router, "files.team.u-1.f.0")


def test_an_operator_asks_a_router_and_does_nothing_else() -> None:
    grants = grants_of(OperatorIdentity())
    assert grants.publish == ("operator.dead",)
    assert grants.subscribe == ("_INBOX.operator.>",)
    assert "operator.dead" in grants_of(RouterIdentity()).subscribe
    assert may_publish(RouterIdentity(), "_INBOX.operator.x.y")


def test_nobody_but_the_router_reads_a_stream() -> None:
    streams = ("INBOX", "OUTBOX", "RUNS", "FILES", "DEAD")
    reads = [f"$JS.API.DIRECT.GET.{stream}" for stream in streams]
    identities = (
        ChannelIdentity("team", "web"),
        RunIdentity("team", RunUid("u-1"), "pod", "p-1"),
        OperatorIdentity(),
    )
    for identity in identities:
        assert [subject for subject in reads if may_publish(identity, subject)] == []
        assert not may_publish(identity, "$JS.API.DIRECT.GET.FILES.files.team.web.f.0")
    assert [subject for subject in reads if not may_publish(RouterIdentity(), subject)] == []


@given(namespace=names, uid=names, other=names)
def test_no_run_reaches_another_run(namespace: str, uid: str, other: str) -> None:
    identity = RunIdentity(namespace, RunUid(uid), "pod", "p-1")
    same = uid == other
    assert may_publish(identity, run_out(namespace, RunUid(other))) is same
    assert (
        any(
            matches(pattern, f"_INBOX.run.{namespace}.{other}.x")
            for pattern in grants_of(identity).subscribe
        )
        is same
    )


@given(namespace=names, name=names)
def test_nobody_may_administer_the_bus_or_use_the_controllers_consumer(
    namespace: str, name: str
) -> None:
    forbidden = [
        "$JS.API.STREAM.PURGE.RUNS",
        "$JS.API.STREAM.DELETE.INBOX",
        "$JS.API.STREAM.DELETE.DEAD",
        "$JS.API.STREAM.MSG.DELETE.INBOX",
        "$JS.API.CONSUMER.CREATE.OUTBOX.x.outbox.a.b",
        "$JS.API.CONSUMER.DELETE.OUTBOX.channel_a_b",
        f"$JS.API.CONSUMER.MSG.NEXT.RUNS.{RUNS_CONSUMER.name}",
        "$SYS.REQ.USER.AUTH",
        CONNECTIONS_SUBJECT,
        HEALTH_SUBJECT,
        kick_subject("any"),
    ]
    for identity in (
        RouterIdentity(),
        ChannelIdentity(namespace, name),
        RunIdentity(namespace, RunUid(name), "pod", "p-1"),
        OperatorIdentity(),
    ):
        assert [subject for subject in forbidden if may_publish(identity, subject)] == []


@given(namespace=names, uid=names, pod=names)
def test_what_a_connection_is_called_says_whose_it_is(namespace: str, uid: str, pod: str) -> None:
    run = RunIdentity(namespace, RunUid(uid), pod, uid)
    assert run_of(name_of(run)) == run
    for other in (RouterIdentity(), ChannelIdentity(namespace, pod), OperatorIdentity()):
        assert run_of(name_of(other)) is None

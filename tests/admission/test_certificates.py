"""When the webhook's certificate is followed by another, and whom the API server trusts then."""

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sympozium_controller.admission.certificates import (
    RENEW_BEFORE,
    VALID_FOR,
    Held,
    Pair,
    authority_of,
    ends,
    is_usable,
    make_pair,
    next_held,
)
from sympozium_controller.admission.secret import bundle, read_held, with_held

NAMES = ("hook.system.svc", "hook.system.svc.cluster.local")
NOW = datetime(2026, 3, 1, tzinfo=UTC)
LATE = NOW + VALID_FOR - RENEW_BEFORE + timedelta(seconds=1)


def begun(now: datetime = NOW) -> Held:
    return next_held(Held(), NAMES, now=now)


def current(held: Held) -> Pair:
    assert held.current is not None
    return held.current


def handshake(pair: Pair, trusted: str, name: str, folder: Path) -> None:
    """Have a client that trusts *trusted* meet a server that presents *pair*."""
    file = folder / "pair.pem"
    file.write_text(pair.certificate + pair.key)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(file)
    client = ssl.create_default_context(cadata=trusted)
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = client.wrap_bio(to_client, to_server, server_hostname=name)
    theirs = server.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(4):
        for side in (ours, theirs):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    assert ours.getpeercert() is not None


def test_a_client_that_trusts_the_bundle_accepts_what_is_presented(tmp_path: Path) -> None:
    held = begun(datetime.now(UTC))
    for name in NAMES:
        handshake(current(held), bundle(held), name, tmp_path)
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(current(held), bundle(held), "other.system.svc", tmp_path)
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(current(held), bundle(begun(datetime.now(UTC))), NAMES[0], tmp_path)


def test_nothing_changes_while_nothing_is_due() -> None:
    held = begun()
    assert next_held(held, NAMES, now=NOW + timedelta(days=2)) == held


def test_the_next_authority_is_trusted_before_anybody_presents_what_it_signed() -> None:
    held = begun()
    coming = next_held(held, NAMES, now=LATE)
    assert coming.current == held.current
    assert coming.trusted[0] == held.trusted[0]
    assert len(coming.trusted) == 2
    assert next_held(coming, NAMES, now=LATE) == coming
    done = next_held(coming, NAMES, now=LATE, is_coming_trusted=True)
    assert (done.current, done.coming) == (coming.coming, None)
    assert done.trusted == coming.trusted  # a replica may still present the old one


def test_there_is_no_moment_at_which_what_is_presented_is_not_trusted() -> None:
    held, now, presented = Held(), NOW, set[str]()
    for hour in range(24 * 40):
        now = NOW + timedelta(hours=hour)
        before = held
        held = next_held(held, NAMES, now=now, is_coming_trusted=hour % 3 == 0)
        presented.add(current(held).certificate)
        assert is_usable(current(held), NAMES, held.trusted, now)
        if before.current is not None:  # and by who has not heard of the new one
            assert authority_of(current(held), before.trusted)
    assert len(presented) > 5
    assert len(held.trusted) <= 3


@pytest.mark.parametrize("days", [8, 400])
def test_a_certificate_that_expired_unseen_is_replaced_at_once(days: int) -> None:
    held = begun()
    now = NOW + timedelta(days=days)
    anew = next_held(held, NAMES, now=now)
    assert is_usable(current(anew), NAMES, anew.trusted, now)
    assert anew.coming is None


def test_a_clock_that_went_back_does_not_leave_a_certificate_of_the_future() -> None:
    now = NOW - timedelta(days=30)
    anew = next_held(begun(), NAMES, now=now)
    assert is_usable(current(anew), NAMES, anew.trusted, now)


def test_a_certificate_made_by_a_clock_ahead_counts_for_one_behind() -> None:
    held = begun()
    assert is_usable(current(held), NAMES, held.trusted, NOW - timedelta(hours=23))


def broken(held: Held) -> list[Held]:
    pair, other = current(held), current(begun())
    return [
        Held(None, None, held.trusted),
        Held(Pair("no certificate", pair.key), None, held.trusted),
        Held(Pair(pair.certificate, "no key"), None, held.trusted),
        Held(Pair(pair.certificate, other.key), None, held.trusted),
        Held(pair, None, ()),
        Held(pair, None, begun().trusted),
        Held(pair, None, ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",)),
    ]


@pytest.mark.parametrize("index", range(7))
def test_whatever_the_secret_holds_what_follows_can_be_served(index: int) -> None:
    anew = next_held(broken(begun())[index], NAMES, now=NOW)
    assert is_usable(current(anew), NAMES, anew.trusted, NOW)


def test_another_name_of_the_service_brings_another_certificate() -> None:
    anew = next_held(begun(), ("other.svc",), now=NOW)
    assert is_usable(current(anew), ("other.svc",), anew.trusted, NOW)


def test_a_broken_next_pair_is_made_again() -> None:
    coming = next_held(begun(), NAMES, now=LATE)
    spoilt = Held(coming.current, Pair("x", "y"), coming.trusted)
    again = next_held(spoilt, NAMES, now=LATE)
    assert again.current == coming.current
    assert again.coming is not None
    assert is_usable(again.coming, NAMES, again.trusted, LATE)


def test_a_secret_gives_back_what_was_put_in_and_keeps_what_is_not_ours() -> None:
    held = next_held(begun(), NAMES, now=LATE)
    secret = {"metadata": {"name": "s"}, "data": {"theirs": "eA=="}}
    written = with_held(secret, held)
    assert read_held(written) == held
    assert written["data"]["theirs"] == "eA=="
    done = next_held(held, NAMES, now=LATE, is_coming_trusted=True)
    assert read_held(with_held(written, done)) == done


@pytest.mark.parametrize("data", [None, {}, {"tls.crt": "%%%", "tls.key": "", "ca.crt": "/w=="}])
def test_a_secret_that_holds_nothing_readable_holds_nothing(data: object) -> None:
    assert read_held({"data": data}) == Held()


def test_a_key_is_never_shown() -> None:
    pair, _ = make_pair(NAMES, NOW)
    assert "PRIVATE" not in repr(Held(pair, pair, ()))
    assert ends(pair) == NOW + VALID_FOR

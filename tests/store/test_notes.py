from datetime import UTC, datetime, timedelta

from sympozium.contract.desk import NotesAnswer, NotesRequest
from sympozium.store.ports import ChannelKey
from sympozium.store.sql import SqlStore

OWNER = ChannelKey("default", "slack")
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


async def claim(store: SqlStore, holder: str, *, for_s: float = 10.0, now: datetime = NOW) -> bool:
    request = NotesRequest(claim="poll", holder=holder, for_s=for_s)
    return (await store.note(OWNER, request, now=now)).is_claimed


async def notes_of(store: SqlStore, owner: ChannelKey = OWNER) -> dict[str, str]:
    everything = NotesRequest(prefix="p")
    return (await store.note(owner, everything, now=NOW)).notes


async def test_a_note_is_read_back_by_its_key_and_by_its_beginning(store: SqlStore) -> None:
    kept = {"post:1": "one", "post:2": "two", "offset": "3", "pos%": "4"}
    await store.note(OWNER, NotesRequest(put=kept), now=NOW)
    asked = await store.note(OWNER, NotesRequest(get=["offset", "none"], prefix="post:"), now=NOW)
    assert asked.notes == {"offset": "3", "post:1": "one", "post:2": "two"}
    literal = await store.note(OWNER, NotesRequest(prefix="pos%"), now=NOW)
    assert literal.notes == {"pos%": "4"}
    assert (await store.note(OWNER, NotesRequest(prefix="POST"), now=NOW)).notes == {}


async def test_an_empty_note_is_forgotten_and_a_second_one_replaces_the_first(
    store: SqlStore,
) -> None:
    await store.note(OWNER, NotesRequest(put={"p1": "a", "p2": "b"}), now=NOW)
    request = NotesRequest(put={"p1": "", "p2": "c"}, get=["p1", "p2"])
    assert await store.note(OWNER, request, now=NOW) == NotesAnswer(notes={"p2": "c"})


async def test_the_notes_of_two_channels_do_not_touch(store: SqlStore) -> None:
    other = ChannelKey("tenant", "slack")
    await store.note(OWNER, NotesRequest(put={"p": "mine"}), now=NOW)
    await store.note(other, NotesRequest(put={"p": "theirs"}), now=NOW)
    assert (await notes_of(store), await notes_of(store, other)) == ({"p": "mine"}, {"p": "theirs"})


async def test_a_claim_is_held_by_one_until_it_expires(store: SqlStore) -> None:
    assert await claim(store, "a")
    assert not await claim(store, "b", now=NOW + timedelta(seconds=9))
    assert await claim(store, "a", now=NOW + timedelta(seconds=9))  # prolonged
    assert not await claim(store, "b", now=NOW + timedelta(seconds=18))
    assert await claim(store, "b", now=NOW + timedelta(seconds=19))
    assert not await claim(store, "a", now=NOW + timedelta(seconds=20))


async def test_a_claim_that_is_given_up_can_be_taken_and_only_its_holder_gives_it_up(
    store: SqlStore,
) -> None:
    assert await claim(store, "a")
    assert not await claim(store, "b", for_s=0)
    assert not await claim(store, "b")
    assert not await claim(store, "a", for_s=0)
    assert await claim(store, "b")


async def test_the_oldest_notes_beyond_the_most_that_may_be_kept_go(store: SqlStore) -> None:
    for n in range(5):
        moment = NOW + timedelta(seconds=n)
        await store.note(OWNER, NotesRequest(put={f"p{n}": str(n)}), now=moment)
    assert await store.trim_notes(OWNER, most=3) == 2
    assert sorted(await notes_of(store)) == ["p2", "p3", "p4"]
    assert await store.trim_notes(OWNER, most=3) == 0


async def test_who_is_started_anew_in_the_same_place_takes_over_what_its_predecessor_held(
    store: SqlStore,
) -> None:
    assert await claim(store, "pod-a_1")
    assert not await claim(store, "pod-b_2")
    assert await claim(store, "pod-a_3")
    assert not await claim(store, "pod-a_1", for_s=0)  # said before it died, and heard late
    assert not await claim(store, "pod-b_2")
    assert not await claim(store, "pod-a")


async def test_old_notes_and_expired_claims_are_pruned_a_few_at_a_time(store: SqlStore) -> None:
    await store.note(OWNER, NotesRequest(put={f"p{n}": "old" for n in range(3)}), now=NOW)
    assert await claim(store, "a")
    later = NOW + timedelta(days=15)
    await store.note(OWNER, NotesRequest(put={"p9": "young"}), now=later)
    before = later - timedelta(days=14)
    pruned = [await store.prune_notes(written_before=before, now=later, limit=2) for _ in range(3)]
    assert pruned == [2, 1, 0]
    assert await notes_of(store) == {"p9": "young"}
    assert await claim(store, "b", now=NOW)

"""Watches: events, bookmarks, resuming, 410 and tables."""

from tests.differential.case import TABLE, Sitting, case
from tests.differential.cases.objects import config, widget
from tests.differential.kinds import V1

MERGE = {"Content-Type": "application/merge-patch+json"}


async def _change(s: Sitting) -> None:
    path = s.path("widgets", V1)
    await s.ask("POST", path, widget("a", labels={"x": "1"}))
    await s.ask("PATCH", f"{path}/a", {"spec": {"size": 5}}, **MERGE)
    await s.ask("DELETE", f"{path}/a")


async def _now(s: Sitting, path: str) -> str:
    return str((await s.ask("GET", path))[2]["metadata"]["resourceVersion"])


@case()
async def events_from_now_on(s: Sitting) -> None:
    path = s.path("widgets", V1)
    async with s.watching(path) as seen:
        await _change(s)
        await seen.take(3)


@case()
async def state_at_the_start(s: Sitting) -> None:
    path = s.path("widgets", V1)
    await s.ask("POST", path, widget("b"))
    for query in ("", "resourceVersion=0"):
        async with s.watching(path, query) as seen:
            await seen.take(1)
            await s.ask("POST", path, widget(f"c{len(query)}"))
            await seen.take(1)
        await s.ask("DELETE", f"{path}/c{len(query)}")


@case()
async def events_since_a_version(s: Sitting) -> None:
    path = s.path("widgets", V1)
    version = await _now(s, path)
    await _change(s)
    async with s.watching(path, f"resourceVersion={version}") as seen:
        s.exchanges[-1]["request"] = "WATCH since the list"
        events = await seen.take(3)
    middle = events[1]["object"]["metadata"]["resourceVersion"]
    async with s.watching(path, f"resourceVersion={middle}") as seen:
        s.exchanges[-1]["request"] = "WATCH since the second event"
        await seen.take(1)


@case()
async def version_that_is_forgotten(s: Sitting) -> None:
    path = s.path("widgets", V1)
    await s.do("GET", f"{path}?watch=true&resourceVersion=x")
    async with s.watching(path, "resourceVersion=1") as seen:
        events = await seen.take(1)
    s.exchanges[-1]["events"] = []
    status = events[0].get("object", events[0])
    s.say("the event", [events[0].get("type"), status["code"], status["reason"]])


@case()
async def version_of_the_future(s: Sitting) -> None:
    path = s.path("widgets", V1)
    await s.do("GET", f"{path}?watch=true&resourceVersion=999999999999&timeoutSeconds=1")


@case()
async def initial_events_and_their_end(s: Sitting) -> None:
    path = s.path("widgets", V1)
    await s.ask("POST", path, widget("b"))
    query = "sendInitialEvents=true&allowWatchBookmarks=true&resourceVersionMatch=NotOlderThan"
    async with s.watching(path, query) as seen:
        await seen.take(2)
        await s.ask("POST", path, widget("c"))
        await seen.take(1)


@case()
async def initial_events_asked_for_wrongly(s: Sitting) -> None:
    path = s.path("widgets", V1)
    await s.get(f"{path}?watch=true&sendInitialEvents=true")
    await s.get(f"{path}?watch=true&sendInitialEvents=true&allowWatchBookmarks=true")
    await s.get(f"{path}?watch=true&resourceVersionMatch=NotOlderThan")
    await s.get(f"{path}?sendInitialEvents=true")


@case()
async def end_after_the_time_that_was_asked_for(s: Sitting) -> None:
    async with s.watching(s.path("widgets", V1), "timeoutSeconds=1") as seen:
        await seen.take(1)


@case()
async def labels_that_begin_and_cease_to_match(s: Sitting) -> None:
    path = s.path("widgets", V1)
    async with s.watching(path, "labelSelector=x=1") as seen:
        await s.ask("POST", path, widget("a", labels={"x": "0"}))
        await s.ask("PATCH", f"{path}/a", {"metadata": {"labels": {"x": "1"}}}, **MERGE)
        await s.ask("PATCH", f"{path}/a", {"spec": {"size": 9}}, **MERGE)
        await s.ask("PATCH", f"{path}/a", {"metadata": {"labels": {"x": "2"}}}, **MERGE)
        await s.ask("PATCH", f"{path}/a", {"metadata": {"labels": {"x": "1"}}}, **MERGE)
        await s.ask("DELETE", f"{path}/a")
        await seen.take(5)


@case()
async def fields_that_match(s: Sitting) -> None:
    path = s.path("widgets", V1)
    async with s.watching(path, "fieldSelector=spec.color=red") as seen:
        await s.ask("POST", path, widget("a", {"color": "blue"}))
        await s.ask("PATCH", f"{path}/a", {"spec": {"color": "red"}}, **MERGE)
        await s.ask("PATCH", f"{path}/a", {"spec": {"color": "blue"}}, **MERGE)
        await seen.take(2)


@case()
async def one_object_by_its_name(s: Sitting) -> None:
    path = s.path("configmaps")
    await s.ask("POST", path, config("a"))
    await s.ask("POST", path, config("b"))
    async with s.watching(path, "fieldSelector=metadata.name=b") as seen:
        await seen.take(1)
        await s.ask("DELETE", f"{path}/a")
        await s.ask("DELETE", f"{path}/b")
        await seen.take(1)


@case()
async def finalizers_on_the_way_out(s: Sitting) -> None:
    path = s.path("configmaps")
    await s.ask("POST", path, config("f", finalizers=["example.com/wait"]))
    version = await _now(s, path)
    async with s.watching(path, f"fieldSelector=metadata.name=f&resourceVersion={version}") as seen:
        s.exchanges[-1]["request"] = "WATCH the last of it"
        await s.ask("DELETE", f"{path}/f")
        await s.ask("PATCH", f"{path}/f", {"metadata": {"finalizers": None}}, **MERGE)
        await seen.take(2)


@case()
async def tables_in_a_watch(s: Sitting) -> None:
    path = s.path("widgets", V1)
    async with s.watching(path, "", Accept=TABLE) as seen:
        await _change(s)
        await seen.take(3)


@case()
async def metadata_in_a_watch(s: Sitting) -> None:
    path = s.path("widgets", V1)
    accept = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
    async with s.watching(path, "", Accept=accept) as seen:
        await _change(s)
        await seen.take(3)


@case()
async def another_version_in_a_watch(s: Sitting) -> None:
    async with s.watching(s.path("widgets", f"{V1}beta1")) as seen:
        await _change(s)
        await seen.take(2)


@case()
async def missing_kind_in_a_watch(s: Sitting) -> None:
    await s.get(s.path("nothings", V1) + "?watch=true")
    await s.get(s.path("widgets", V1) + "/a?watch=true")
    await s.get(s.path("widgets", V1) + "?watch=true&labelSelector=a%20b")


@case()
async def no_event_for_what_changes_nothing(s: Sitting) -> None:
    path = s.path("configmaps")
    await s.ask("POST", path, config("a", {"k": "v"}))
    async with s.watching(path, "fieldSelector=metadata.name=a") as seen:
        await seen.take(1)
        await s.ask("PATCH", f"{path}/a", {"data": {"k": "v"}}, **MERGE)
        await s.ask("PATCH", f"{path}/a?dryRun=All", {"data": {"k": "w"}}, **MERGE)
        await s.ask("PATCH", f"{path}/a", {"data": {"k": "x"}}, **MERGE)
        await seen.take(1)

"""What the server says about how often it was asked for what."""

from typing import Any

CONFIGMAPS = "/api/v1/namespaces/default/configmaps"


async def counts(api: Any) -> str:
    async with api.session.get(api.endpoint.url + "/metrics", headers=api.headers(None)) as answer:
        assert answer.status == 200
        text: str = await answer.text()
        return text


def line(verb: str, count: int) -> str:
    labels = f'user="kubernetes-admin",verb="{verb}",resource="configmaps",subresource=""'
    return f"sympozium_apiserver_requests_total{{{labels}}} {count}"


async def test_requests_are_counted_by_who_asked_for_what(api: Any) -> None:
    await api.create(CONFIGMAPS, {"metadata": {"name": "a"}})
    await api.create(CONFIGMAPS, {"metadata": {"name": "b"}})
    await api.get(f"{CONFIGMAPS}/a")
    told = (await counts(api)).splitlines()
    assert line("create", 2) in told
    assert line("get", 1) in told


async def test_counts_are_not_for_everybody(api: Any) -> None:
    code, status = await api.call("GET", "/metrics", token="")
    assert (code, status["reason"]) == (403, "Forbidden")

"""What a run's pod is told of names, so that it need not ask."""

from collections.abc import Mapping

import dns.name
import pytest

from sympozium_controller.runs import addresses
from sympozium_controller.runs.addresses import AddressBook, UnknownNameError
from sympozium_controller.runs.pod import build_job
from sympozium_controller.settings import PodSettings
from tests.controller.worlds import a_plan, a_run
from tests.fixtures.dns_server import Zone, serving

BUS = "nats://sympozium-nats.sympozium-system:4222"
SEARCH = ("sympozium-system.svc.cluster.local.", "svc.cluster.local.", "cluster.local.")
CLUSTER = {
    "sympozium-nats.sympozium-system.svc.cluster.local.": ["10.96.0.7"],
    "model.tenant.svc.cluster.local.": ["10.96.0.8"],
    "model.sympozium-system.svc.cluster.local.": ["10.96.0.9"],
    "models.example.com.": ["192.0.2.1", "192.0.2.2"],
}
BUS_ALIAS = {"ip": "10.96.0.7", "hostnames": ["sympozium-nats.sympozium-system"]}


@pytest.mark.parametrize(
    ("model_url", "aliases"),
    [
        ("https://models.example.com/v1", {"192.0.2.1", "192.0.2.2"}),
        ("http://model:8000/v1", {"10.96.0.8"}),
        ("http://model.sympozium-system:8000", {"10.96.0.9"}),
        ("http://192.0.2.3:8000/v1", set()),
        ("http://[2001:db8::1]:8000/v1", set()),
        ("http://nobody.example.com", set()),
        ("http://under_score.example.com", set()),
        (f"http://{'x' * 70}.example.com", set()),
        ("http://[", set()),
    ],
)
async def test_a_pod_knows_the_names_that_it_would_have_found(
    model_url: str, aliases: set[str]
) -> None:
    async with serving(Zone(CLUSTER)) as resolver:
        resolver.search = [dns.name.from_text(domain) for domain in SEARCH]
        book = AddressBook("sympozium-system", resolver)
        first, *others = await book.aliases("tenant", bus_url=BUS, model_url=model_url)
    assert first == BUS_ALIAS
    assert {one["ip"] for one in others} == aliases


async def test_two_names_of_one_address_are_one_entry() -> None:
    zone = Zone({"a.example.": ["192.0.2.1"], "b.example.": ["192.0.2.1"]})
    async with serving(zone) as resolver:
        book = AddressBook("sympozium-system", resolver)
        found = await book.aliases(
            "tenant", bus_url="nats://a.example:4222,nats://b.example:4222", model_url=""
        )
    assert found == [{"ip": "192.0.2.1", "hostnames": ["a.example", "b.example"]}]


async def test_what_has_another_address_now_is_found_there() -> None:
    zone = Zone({"bus.example.": ["192.0.2.1"]})
    async with serving(zone) as resolver:
        book = AddressBook("sympozium-system", resolver)
        for address in ("192.0.2.1", "192.0.2.2"):
            zone.addresses = {"bus.example.": [address]}
            found = await book.aliases("tenant", bus_url="nats://bus.example:4222", model_url="")
            assert found == [{"ip": address, "hostnames": ["bus.example"]}]


async def test_a_resolver_that_says_nothing_costs_nobody_a_run_once_the_bus_was_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(addresses, "LOOKUP_S", 0.2)
    zone = Zone({"bus.example.": ["192.0.2.1"]}, answers=False)
    names: Mapping[str, str] = {
        "bus_url": "nats://bus.example:4222",
        "model_url": "http://m.example",
    }
    async with serving(zone) as resolver:
        book = AddressBook("sympozium-system", resolver)
        with pytest.raises(UnknownNameError, match=r"'bus\.example'.*DNS"):
            await book.aliases("tenant", **names)
        zone.answers = True
        found = await book.aliases("tenant", **names)
        zone.answers = False
        assert await book.aliases("tenant", **names) == found
    assert found == [{"ip": "192.0.2.1", "hostnames": ["bus.example"]}]


def test_a_pod_that_is_told_names_asks_nobody() -> None:
    settings = PodSettings("nats://bus:4222")
    told = build_job(a_run(), a_plan(), settings, [BUS_ALIAS])["spec"]["template"]["spec"]
    assert told["hostAliases"] == [BUS_ALIAS]
    assert (told["dnsPolicy"], told["dnsConfig"]) == ("None", {"nameservers": ["127.0.0.1"]})
    asking = build_job(a_run(), a_plan(), settings)["spec"]["template"]["spec"]
    assert not {"hostAliases", "dnsPolicy", "dnsConfig"} & asking.keys()

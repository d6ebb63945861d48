"""Which agent answers: the most specific rule that fits, else the channel's own agent."""

from collections.abc import Iterable

from sympozium.contract.channel import Route
from sympozium.contract.messages import Place, Sender


def agent_for(place: Place, sender: Sender, routes: Iterable[Route], default: str) -> str:
    """Return the name of the Agent that answers what *sender* writes in *place*.

    All fields of a route that are set must fit. A route with a thread beats one with a
    chat, and that one beats one with a user; of equals the first wins. A route that sets
    none of them fits everything and is the least specific.
    """
    fitting = [route for route in routes if _fits(route, place, sender)]
    if not fitting:
        return default
    return max(fitting, key=_specificity).agent_ref  # max keeps the first of equals


def _fits(route: Route, place: Place, sender: Sender) -> bool:
    wanted = (route.thread, route.chat, route.user)
    there = (place.thread, place.chat, sender.user_id)
    return all(want in ("", found) for want, found in zip(wanted, there, strict=True))


def _specificity(route: Route) -> tuple[bool, bool, bool]:
    return bool(route.thread), bool(route.chat), bool(route.user)

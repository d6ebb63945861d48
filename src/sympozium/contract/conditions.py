"""Conditions as Kubernetes objects carry them."""

from typing import Annotated

from sympozium.contract.schema import KubeModel, described


class Condition(KubeModel, frozen=True, kw_only=True):
    """One observed truth about an object."""

    type: str
    status: Annotated[str, described("`True`, `False` or `Unknown`.")]
    reason: Annotated[str, described("A stable word for why.")] = ""
    message: Annotated[str, described("A sentence for people.")] = ""
    last_transition_time: str = ""
    observed_generation: int = 0

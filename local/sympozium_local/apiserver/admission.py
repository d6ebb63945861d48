"""What happens to an object between the request that brings it and the store."""

from dataclasses import replace

from sympozium_local.apiserver.accounts import admit_pod
from sympozium_local.apiserver.matching import Write
from sympozium_local.apiserver.policies import Policies
from sympozium_local.apiserver.rbac import Ask, Authorizer
from sympozium_local.apiserver.request import Call
from sympozium_local.apiserver.resource import Object
from sympozium_local.apiserver.store import Store
from sympozium_local.apiserver.webhooks import Webhooks


class AdmissionChain:
    """The built-in admission rules, the policies, then the webhooks. Keeps `objects.Admission`."""

    def __init__(
        self, store: Store, authorizer: Authorizer, policies: Policies, webhooks: Webhooks
    ) -> None:
        self._store = store
        self._authorizer = authorizer
        self._policies = policies
        self._webhooks = webhooks

    def require_may_create(self, call: Call) -> None:
        """Refuse an apply that would create what its user may not create.

        Raises:
            ApiError: 403.
        """
        self._authorizer.require(call.user, replace(Ask.of(call), verb="create"))

    async def mutate(self, call: Call, obj: Object, old: Object | None) -> Object:
        """Return the object as it shall be stored.

        Raises:
            ApiError: It is refused.
        """
        if old is None and call.served.key == "pods":
            admit_pod(call, obj, self._store)
        return await self._webhooks.mutate(call, obj, old)

    async def validate(self, call: Call, obj: Object | None, old: Object | None) -> None:
        """Return if the object may be stored or (None) deleted.

        Raises:
            ApiError: It is refused.
        """
        if obj is not None:
            self._authorizer.require_no_escalation(call, obj)
        self._policies.validate(Write(call, call.served, obj, old))
        await self._webhooks.validate(call, obj, old)

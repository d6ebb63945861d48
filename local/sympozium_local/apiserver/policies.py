"""ValidatingAdmissionPolicies: what may be written, said in expressions.

Without bindings a write costs nothing. With some, the rules of a policy are evaluated as
one conjunction first, because nearly every write satisfies all of them.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sympozium_local.apiserver.cel import EvaluationError
from sympozium_local.apiserver.errors import ApiError, forbidden
from sympozium_local.apiserver.matching import BINDINGS, POLICIES, Matcher, Write
from sympozium_local.apiserver.policy_rules import NAMES, CompiledPolicy, Validation
from sympozium_local.apiserver.resource import Object
from sympozium_local.apiserver.store import Change, Row, Store

log = logging.getLogger(__name__)

_CODES = {"Forbidden": 403, "Unauthorized": 401, "RequestEntityTooLarge": 413}
"""Others are 422. Source: reasonToCode in k8s.io/apiserver plugin/policy/validating."""

MAX_MESSAGE_CHARS = 5 * 1024
"""Of what a messageExpression makes. Source: the same, dispatcher.go."""


@dataclass(frozen=True)
class _Bound:
    policy: CompiledPolicy
    name: str
    binding: Object

    @property
    def actions(self) -> frozenset[str]:
        return frozenset(self.binding["spec"]["validationActions"])


@dataclass(frozen=True)
class _Refusal:
    """One rule that a write does not keep."""

    bound: _Bound
    message: str
    reason: str


class Policies:
    """Evaluates the policies that are bound, on the writes that they are about."""

    def __init__(self, store: Store, matcher: Matcher) -> None:
        self._store = store
        self._matcher = matcher
        self._bound: list[_Bound] | None = None
        self._compiled: dict[str, tuple[int, CompiledPolicy]] = {}
        store.listen(self._follow)

    def _follow(self, change: Change) -> None:
        if change.key in {POLICIES, BINDINGS}:
            self._bound = None

    def _all(self) -> list[_Bound]:
        if self._bound is None:
            policies = {row.name: self._policy(row) for row in self._store.select(POLICIES)}
            self._compiled = {name: one for name, one in self._compiled.items() if name in policies}
            bindings = [row.object() for row in self._store.select(BINDINGS)]
            self._bound = [
                _Bound(policies[one["spec"]["policyName"]], one["metadata"]["name"], one)
                for one in bindings
                if one["spec"]["policyName"] in policies
            ]
        return self._bound

    def _policy(self, row: Row) -> CompiledPolicy:
        """Return a policy compiled; one that has not changed is compiled already."""
        version, policy = self._compiled.get(row.name, (0, None))
        if policy is None or version != row.version:
            policy = CompiledPolicy(row.object())
            self._compiled[row.name] = (row.version, policy)
        return policy

    def validate(self, write: Write) -> None:
        """Return if every policy that denies allows the write; the others warn or are logged.

        Raises:
            ApiError: One denies it.
        """
        denied: _Refusal | None = None
        for bound in self._all():
            seen = self._seen(bound, write)
            if seen is None:
                continue
            for refusal in self._refusals(bound, seen):
                self._tell(refusal, write)
                if denied is None and "Deny" in bound.actions:
                    denied = refusal
        if denied is not None:
            raise _denial(denied, write)

    def _seen(self, bound: _Bound, write: Write) -> Write | None:
        """Return the write as the policy is to see it; None: neither it nor its binding mean it."""
        constraints = bound.policy.constraints
        also = bound.binding["spec"].get("matchResources") or {}
        served = self._by_rules(write, constraints)
        if served is None or (also.get("resourceRules") and self._by_rules(write, also) is None):
            return None
        if not all(self._matcher.by_selectors(write, one) for one in (constraints, also)):
            return None
        return write.seen_as(served)

    def _by_rules(self, write: Write, where: Object) -> Any:
        is_exact = where.get("matchPolicy", "Equivalent") != "Equivalent"
        rules, excluded = (
            [rule for rule in where.get(key) or () if _is_about_name(rule, write)]
            for key in ("resourceRules", "excludeResourceRules")
        )
        if self._matcher.by_rules(write, excluded, is_exact=is_exact) is not None:
            return None
        return self._matcher.by_rules(write, rules, is_exact=is_exact)

    def _refusals(self, bound: _Bound, write: Write) -> Iterator[_Refusal]:
        policy = bound.policy
        variables: Object = dict.fromkeys(NAMES)
        variables |= {"request": write.request(), "object": write.obj, "oldObject": write.old}
        try:
            if not policy.is_about(variables):
                return
            if write.served.key != "namespaces":
                variables["namespaceObject"] = self._matcher.namespace(write)
            policy.add_variables(variables)
            if policy.allows(variables):
                return
        except EvaluationError as error:
            if policy.fails_closed:
                yield _Refusal(bound, str(error), "")
            return
        for rule in policy.validations:
            refusal = _judge(bound, rule, variables)
            if refusal is not None:
                yield refusal

    def _tell(self, refusal: _Refusal, write: Write) -> None:
        bound = refusal.bound
        if "Warn" in bound.actions:
            write.call.warnings.append(
                f"Validation failed for ValidatingAdmissionPolicy '{bound.policy.name}' "
                f"with binding '{bound.name}': {refusal.message}"
            )
        if "Audit" in bound.actions:
            log.info(
                "policy not kept",
                extra={"action": "audit", "policy": bound.policy.name, "kind": write.served.key},
            )


def _is_about_name(rule: Object, write: Write) -> bool:
    names = rule.get("resourceNames")
    return not names or write.request()["name"] in names


def _judge(bound: _Bound, rule: Validation, variables: Object) -> _Refusal | None:
    try:
        if rule.expression.evaluate(rule.expression.bind(variables)) is True:
            return None
    except EvaluationError as error:
        if not bound.policy.fails_closed:
            return None
        text = f"expression '{rule.text}' resulted in error: {error}"
        return _Refusal(bound, text, "")
    return _Refusal(bound, _message(rule, variables), rule.reason)


def _message(rule: Validation, variables: Object) -> str:
    if rule.message_expression is not None:
        try:
            said = rule.message_expression.evaluate(rule.message_expression.bind(variables))
        except EvaluationError:
            said = ""
        if isinstance(said, str):
            said = said.strip()
            if said and "\n" not in said and len(said) <= MAX_MESSAGE_CHARS:
                return said
    return rule.message or f"failed expression: {rule.text}"


def _denial(refusal: _Refusal, write: Write) -> ApiError:
    bound = refusal.bound
    message = (
        f"ValidatingAdmissionPolicy '{bound.policy.name}' with binding '{bound.name}' "
        f"denied request: {refusal.message}"
    )
    name, reason = write.request()["name"], refusal.reason or "Invalid"
    said = forbidden(write.call.served.resource, name, message, [{"message": message}])
    return ApiError(_CODES.get(reason, 422), reason, str(said), said.details)

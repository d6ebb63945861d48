"""Who may do what, by Role, ClusterRole and their bindings.

The rules that count are kept in memory, looked up by user and group, and made
anew when one of the four kinds has changed: a request costs no read.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from typing_extensions import override

from sympozium_local.apiserver.authn import MASTERS
from sympozium_local.apiserver.errors import ApiError, forbidden, not_found
from sympozium_local.apiserver.request import Call, User
from sympozium_local.apiserver.resource import Object
from sympozium_local.apiserver.selectors import matches_labels
from sympozium_local.apiserver.store import Change, Store

GROUP = "rbac.authorization.k8s.io"
ROLES, CLUSTER_ROLES = f"roles.{GROUP}", f"clusterroles.{GROUP}"
BINDINGS, CLUSTER_BINDINGS = f"rolebindings.{GROUP}", f"clusterrolebindings.{GROUP}"
_KINDS = frozenset({ROLES, CLUSTER_ROLES, BINDINGS, CLUSTER_BINDINGS})


_ONE_NAME = re.compile(r"(?:^|,)metadata\.name==?([^,]+)")


@dataclass(frozen=True)
class Ask:
    """What somebody wants to do: to a resource, or to a *path* that is none."""

    verb: str
    group: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    path: str = ""

    @property
    def full_resource(self) -> str:
        """The resource as rules name it: `pods`, `pods/log`."""
        return f"{self.resource}/{self.subresource}" if self.subresource else self.resource

    @staticmethod
    def of(call: Call) -> "Ask":
        """Return what *call* wants to do. A list or watch of one name is about that name.

        Source: RequestInfoFactory.NewRequestInfo in k8s.io/apiserver/pkg/endpoints/request.
        """
        resource = call.served.resource
        name = call.name
        if not name and call.verb in {"list", "watch", "deletecollection"}:
            selected = _ONE_NAME.search(call.query.get("fieldSelector", ""))
            name = selected[1] if selected else ""
        return Ask(
            call.verb, resource.group, resource.plural, call.subresource, call.namespace, name
        )


@dataclass(frozen=True)
class Rule:
    """One rule of a role."""

    verbs: frozenset[str]
    groups: frozenset[str] = frozenset()
    resources: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()
    paths: frozenset[str] = frozenset()

    @staticmethod
    def of(rule: Object) -> "Rule":
        """Read a PolicyRule object."""
        fields = ("verbs", "apiGroups", "resources", "resourceNames", "nonResourceURLs")
        return Rule(*(frozenset(rule.get(field) or ()) for field in fields))

    def allows(self, ask: Ask) -> bool:
        """Tell whether this rule is enough for *ask*."""
        if not {"*", ask.verb} & self.verbs:
            return False
        if ask.path:
            return any(_path_matches(pattern, ask.path) for pattern in self.paths)
        return (
            bool({"*", ask.group} & self.groups)
            and bool({"*", ask.full_resource, f"*/{ask.subresource}"} & self.resources)
            and (not self.names or ask.name in self.names)
        )

    def parts(self) -> Iterator["Rule"]:
        """Yield what this rule grants, in the smallest pieces that can be compared."""
        for verb in self.verbs:
            one = frozenset({verb})
            for path in self.paths:
                yield Rule(one, paths=frozenset({path}))
            for group in self.groups:
                for resource in self.resources:
                    for name in self.names or {""}:
                        names = frozenset({name} if name else ())
                        yield Rule(one, frozenset({group}), frozenset({resource}), names)

    def covers(self, part: "Rule") -> bool:
        """Tell whether this rule grants all of *part*, one of the pieces of another rule."""
        if not _holds(self.verbs, part.verbs):
            return False
        if part.paths:
            return all(any(_path_matches(own, one) for own in self.paths) for one in part.paths)
        (resource,) = part.resources
        _, _, subresource = resource.partition("/")
        resources = {"*", resource, f"*/{subresource}"} if subresource else {"*", resource}
        return (
            _holds(self.groups, part.groups)
            and bool(resources & self.resources)
            and (not self.names or (bool(part.names) and part.names <= self.names))
        )

    @override
    def __str__(self) -> str:
        """Word it as the real server does in its refusals."""
        named = (
            ("APIGroups", self.groups),
            ("Resources", self.resources),
            ("ResourceNames", self.names),
            ("NonResourceURLs", self.paths),
            ("Verbs", self.verbs),
        )
        texts = [
            f"{field}:[{', '.join(f'{chr(34)}{one}{chr(34)}' for one in sorted(values))}]"
            for field, values in named
            if values
        ]
        return "{" + ", ".join(texts) + "}"


def _holds(own: frozenset[str], wanted: frozenset[str]) -> bool:
    return "*" in own or wanted <= own


def _path_matches(pattern: str, path: str) -> bool:
    return pattern in {"*", path} or (pattern.endswith("*") and path.startswith(pattern[:-1]))


class Authorizer:
    """Answers whether a user may do something."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._grants: dict[tuple[str, str], list[tuple[str, Rule]]] | None = None
        store.listen(self._follow)

    def _follow(self, change: Change) -> None:
        if change.key in _KINDS:
            self._grants = None

    def allows(self, user: User, ask: Ask) -> bool:
        """Tell whether *user* may do what *ask* says."""
        if MASTERS in user.groups:
            return True
        return any(rule.allows(ask) for rule in self.rules(user, ask.namespace))

    def rules(self, user: User, namespace: str) -> Iterator[Rule]:
        """Yield the rules that hold for *user* in *namespace* ("": cluster-wide only)."""
        if self._grants is None:
            self._grants = self._read()
        for subject in (("User", user.name), *(("Group", group) for group in user.groups)):
            for scope, rule in self._grants.get(subject, ()):
                if scope in {"", namespace}:
                    yield rule

    def _read(self) -> dict[tuple[str, str], list[tuple[str, Rule]]]:
        grants: dict[tuple[str, str], list[tuple[str, Rule]]] = {}
        for key in (CLUSTER_BINDINGS, BINDINGS):
            for row in self._store.select(key):
                binding = row.object()
                rules = self.role_rules(binding["roleRef"], row.namespace)
                for subject in binding.get("subjects") or ():
                    held = grants.setdefault(_subject(subject, row.namespace), [])
                    held += [(row.namespace, rule) for rule in rules]
        return grants

    def role_rules(self, reference: Object, namespace: str) -> list[Rule]:
        """Return the rules of the role that a binding in *namespace* refers to."""
        is_role = reference["kind"] == "Role"
        key = ROLES if is_role else CLUSTER_ROLES
        row = self._store.get(key, namespace if is_role else "", reference["name"])
        if row is None:
            return []
        role = row.object()
        rules = list(role.get("rules") or ())
        for selector in (role.get("aggregationRule") or {}).get("clusterRoleSelectors") or ():
            for other in [row.object() for row in self._store.select(CLUSTER_ROLES)]:
                if matches_labels(selector, other["metadata"].get("labels") or {}):
                    rules += other.get("rules") or ()
        return [Rule.of(rule) for rule in rules]

    def require(self, user: User, ask: Ask) -> None:
        """Refuse what *user* may not do.

        Raises:
            ApiError: 403, worded as the real server does.
        """
        if not self.allows(user, ask):
            raise refusal(user, ask)

    def require_no_escalation(self, call: Call, obj: Object) -> None:
        """Refuse a role or binding that grants what its writer does not hold.

        Raises:
            ApiError: 403, or 404 if there is no role to bind.
        """
        user, key, namespace = call.user, call.served.key, call.namespace
        if key not in _KINDS or MASTERS in user.groups:
            return
        resource = call.served.resource.plural
        name = obj["metadata"].get("name", "")
        if key in {ROLES, CLUSTER_ROLES}:
            if self.allows(user, Ask("escalate", GROUP, resource, "", namespace, name)):
                return
            granted = [Rule.of(rule) for rule in obj.get("rules") or ()]
            if obj.get("aggregationRule"):
                granted.append(_EVERYTHING)
        else:
            reference = obj["roleRef"]
            plural = "roles" if reference["kind"] == "Role" else "clusterroles"
            if self.allows(user, Ask("bind", GROUP, plural, "", namespace, reference["name"])):
                return
            granted = self._rules_to_bind(call, reference)
        missing = self._missing(user, namespace, granted)
        if missing:
            groups = ", ".join(f'"{group}"' for group in user.groups)
            why = (
                f'user "{user.name}" (groups=[{groups}]) is attempting to grant RBAC permissions '
                "not currently held:\n" + "\n".join(sorted(map(str, missing)))
            )
            raise forbidden(call.served.resource, name, why)

    def _rules_to_bind(self, call: Call, reference: Object) -> list[Rule]:
        """Return the rules of a role that must be there: what it may come to grant is unknown."""
        is_role = reference["kind"] == "Role"
        namespace = call.namespace if is_role else ""
        if self._store.get(ROLES if is_role else CLUSTER_ROLES, namespace, reference["name"]):
            return self.role_rules(reference, call.namespace)
        raise not_found(call.served.resource, reference["name"])

    def _missing(self, user: User, namespace: str, granted: Sequence[Rule]) -> set[Rule]:
        own = list(self.rules(user, namespace))
        return {
            part
            for rule in granted
            for part in rule.parts()
            if not any(held.covers(part) for held in own)
        }


_EVERYTHING = Rule(*(frozenset({"*"}) for _ in range(3)))


def _subject(subject: Object, namespace: str) -> tuple[str, str]:
    if subject["kind"] == "ServiceAccount":
        owner = subject.get("namespace") or namespace
        return "User", f"system:serviceaccount:{owner}:{subject['name']}"
    return subject["kind"], subject["name"]


def refusal(user: User, ask: Ask) -> ApiError:
    """Return the 403 for what *user* may not do."""
    if ask.path:
        message = f'forbidden: User "{user.name}" cannot {ask.verb} path "{ask.path}"'
        return ApiError(403, "Forbidden", message, {})
    qualified = f"{ask.resource}.{ask.group}" if ask.group else ask.resource
    scope = f'in the namespace "{ask.namespace}"' if ask.namespace else "at the cluster scope"
    subject = f'{qualified} "{ask.name}"' if ask.name else qualified
    message = (
        f'{subject} is forbidden: User "{user.name}" cannot {ask.verb} resource '
        f'"{ask.full_resource}" in API group "{ask.group}" {scope}'
    )
    details: Object = {"kind": ask.resource}
    if ask.name:
        details["name"] = ask.name
    if ask.group:
        details["group"] = ask.group
    return ApiError(403, "Forbidden", message, details)


def as_rules(rules: Iterable[Rule]) -> tuple[list[Object], list[Object]]:
    """Return *rules* as a SelfSubjectRulesReview lists them: for resources, and for paths."""
    resources: list[Object] = []
    paths: list[Object] = []
    for rule in rules:
        verbs = sorted(rule.verbs)
        if rule.paths:
            paths.append({"verbs": verbs, "nonResourceURLs": sorted(rule.paths)})
        if rule.resources:
            one: Object = {
                "verbs": verbs,
                "apiGroups": sorted(rule.groups),
                "resources": sorted(rule.resources),
            }
            if rule.names:
                one["resourceNames"] = sorted(rule.names)
            resources.append(one)
    return resources, paths

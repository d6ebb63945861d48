"""Questions that are answered and never stored: whose token is this, may somebody do that?"""

from collections.abc import Callable
from typing import Any

from sympozium_local.apiserver.authn import ISSUER, Authenticator
from sympozium_local.apiserver.errors import bad_request, invalid
from sympozium_local.apiserver.rbac import Ask, Authorizer, as_rules
from sympozium_local.apiserver.request import Call, User
from sympozium_local.apiserver.resource import Object


class Reviews:
    """Answers reviews of tokens and of access."""

    def __init__(self, authenticator: Authenticator, authorizer: Authorizer) -> None:
        self._authenticator = authenticator
        self._authorizer = authorizer
        self._kinds: dict[str, Callable[[Call, Object], Object]] = {
            "TokenReview": self._token,
            "SelfSubjectReview": self._self,
            "SubjectAccessReview": self._access,
            "LocalSubjectAccessReview": self._local_access,
            "SelfSubjectAccessReview": self._self_access,
            "SelfSubjectRulesReview": self._self_rules,
        }

    def answer(self, call: Call) -> Object:
        """Return the review in the call's body with its `status` filled in.

        Raises:
            ApiError: 400 or 422, the question makes no sense.
        """
        resource = call.served.resource
        review = call.body
        if not isinstance(review, dict) or not isinstance(review.get("spec") or {}, dict):
            raise bad_request(f"the object provided is unrecognized: expected a {resource.kind}")
        review["apiVersion"], review["kind"] = resource.api_version, resource.kind
        review.setdefault("metadata", {})
        review["status"] = self._kinds[resource.kind](call, review.get("spec") or {})
        return review

    def _token(self, call: Call, spec: Object) -> Object:
        if not spec.get("token"):
            raise bad_request("token is required for TokenReview in authentication")
        found = self._authenticator.recognize(spec["token"], spec.get("audiences") or [ISSUER])
        if found is None:
            why = self._authenticator.why_not(spec["token"], spec.get("audiences") or [ISSUER])
            return {"user": {}, "error": why}
        user, audiences = found
        return {"authenticated": True, "user": user.as_object(), "audiences": audiences}

    def _self(self, call: Call, spec: Object) -> Object:
        return {"userInfo": call.user.as_object()}

    def _access(self, call: Call, spec: Object) -> Object:
        if not spec.get("user") and not spec.get("groups"):
            why = "Required value: at least one of user or group must be specified"
            raise invalid(call.served.resource, "", [("spec.user", "FieldValueRequired", why)])
        extra = {key: tuple(values) for key, values in (spec.get("extra") or {}).items()}
        groups = tuple(spec.get("groups") or ())
        user = User(spec.get("user", ""), groups, spec.get("uid", ""), extra)
        return self._decide(call, user, spec)

    def _local_access(self, call: Call, spec: Object) -> Object:
        attributes = spec.get("resourceAttributes") or {}
        if attributes.get("namespace") != call.namespace:
            why = "Invalid value: must match metadata.namespace"
            path = "spec.resourceAttributes.namespace"
            raise invalid(call.served.resource, "", [(path, "FieldValueInvalid", why)])
        return self._access(call, spec)

    def _self_access(self, call: Call, spec: Object) -> Object:
        return self._decide(call, call.user, spec)

    def _decide(self, call: Call, user: User, spec: Object) -> Object:
        resource, path = spec.get("resourceAttributes"), spec.get("nonResourceAttributes")
        if bool(resource) == bool(path):
            why = (
                "Invalid value: exactly one of nonResourceAttributes or resourceAttributes must be "
                "specified"
            )
            raise invalid(call.served.resource, "", [("spec", "FieldValueInvalid", why)])
        if path:
            ask = Ask(path.get("verb", ""), path=path.get("path", ""))
        else:
            ask = _resource_ask(resource or {})
        return {"allowed": self._authorizer.allows(user, ask)}

    def _self_rules(self, call: Call, spec: Object) -> Object:
        rules = self._authorizer.rules(call.user, spec.get("namespace", ""))
        resources, paths = as_rules(rules)
        if "system:masters" in call.user.groups:
            resources.append({"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]})
            paths.append({"verbs": ["*"], "nonResourceURLs": ["*"]})
        return {"resourceRules": resources, "nonResourceRules": paths, "incomplete": False}


def _resource_ask(attributes: dict[str, Any]) -> Ask:
    return Ask(
        verb=attributes.get("verb", ""),
        group=attributes.get("group", ""),
        resource=attributes.get("resource", ""),
        subresource=attributes.get("subresource", ""),
        namespace=attributes.get("namespace", ""),
        name=attributes.get("name", ""),
    )

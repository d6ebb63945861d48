"""Which options of lists and watches go together."""

from sympozium_local.apiserver.errors import bad_request, invalid_options
from sympozium_local.apiserver.request import Call

_MATCH = "resourceVersionMatch"
_NEEDS_MATCH = "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"


def require_list_options(call: Call) -> None:
    """Refuse options that contradict each other.

    Source: ValidateListOptions in k8s.io/apimachinery/pkg/apis/meta/internalversion/validation.

    Raises:
        ApiError: 400 or 422.
    """
    query = call.query
    if query.get("continue") and query.get("resourceVersion", "") not in {"", "0"}:
        raise bad_request("specifying resource version is not allowed when using continue")
    complaint = _watch_complaint(call) if call.verb == "watch" else _list_complaint(call)
    if complaint is not None:
        field, why = complaint
        raise invalid_options("ListOptions", field, _reason(why), why)


def _reason(why: str) -> str:
    is_unknown = why.startswith("Unsupported value")
    return "FieldValueNotSupported" if is_unknown else "FieldValueForbidden"


def _watch_complaint(call: Call) -> tuple[str, str] | None:
    match, initial = call.query.get(_MATCH, ""), call.query.get("sendInitialEvents", "")
    if initial and match != "NotOlderThan":
        return _MATCH, f"Forbidden: {_NEEDS_MATCH}"
    if match and not initial:
        why = "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"
        return _MATCH, f"Forbidden: {why}"
    return None


def _list_complaint(call: Call) -> tuple[str, str] | None:
    match, version = call.query.get(_MATCH, ""), call.query.get("resourceVersion", "")
    if call.query.get("sendInitialEvents"):
        return "sendInitialEvents", "Forbidden: sendInitialEvents is forbidden for list"
    if match and not version:
        why = "resourceVersionMatch is forbidden unless resourceVersion is provided"
        return _MATCH, f"Forbidden: {why}"
    if match == "Exact" and version == "0":
        why = 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"'
        return _MATCH, f"Forbidden: {why}"
    if match not in {"", "Exact", "NotOlderThan"}:
        supported = 'supported values: "Exact", "NotOlderThan", ""'
        return _MATCH, f'Unsupported value: "{match}": {supported}'
    return None

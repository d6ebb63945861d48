"""Functions that Kubernetes adds to the Common Expression Language.

Lists: `isSorted`, `sum`, `min`, `max`, `indexOf`, `lastIndexOf`; texts: `find`,
`findAll`, `isURL`, `isQuantity`, `isIP`, `isCIDR`. An expression that uses others
(`quantity`, `url`, `ip`, `cidr`, `authorizer`) does not compile.

Source: https://kubernetes.io/docs/reference/using-api/cel/
"""

import re
from itertools import pairwise
from typing import Any

from cel_expr_python import cel

from sympozium_local.apiserver.builtin_types import QUANTITY
from sympozium_local.apiserver.formats import FORMATS

_T = cel.Type


def _is_sorted(items: list[Any]) -> bool:
    return all(one <= other for one, other in pairwise(items))


def _last_index(items: list[Any], item: Any) -> int:
    return max((index for index, one in enumerate(items) if one == item), default=-1)


def _index(items: list[Any], item: Any) -> int:
    return items.index(item) if item in items else -1


def _find(text: str, pattern: str) -> str:
    found = re.search(pattern, text)
    return found.group() if found else ""


def _find_all(text: str, pattern: str) -> list[str]:
    return [found.group() for found in re.finditer(pattern, text)]


def _member(name: str, impl: Any, result: Any, *parameters: Any) -> Any:
    overload = cel.Overload(f"k8s_{name}", result, list(parameters), True, impl)
    return cel.FunctionDecl(name, [overload])


def _predicate(name: str, impl: Any, *parameters: Any) -> Any:
    id_ = f"k8s_{name.replace('.', '_')}"
    return cel.FunctionDecl(name, [cel.Overload(id_, _T.BOOL, list(parameters), False, impl)])


def _contains(items: list[Any], others: list[Any]) -> bool:
    return all(one in items for one in others)


KUBERNETES_FUNCTIONS = cel.CelExtension(
    "kubernetes",
    [
        _member("isSorted", _is_sorted, _T.BOOL, _T.LIST),
        _member("sum", sum, _T.DYN, _T.LIST),
        _member("min", min, _T.DYN, _T.LIST),
        _member("max", max, _T.DYN, _T.LIST),
        _member("indexOf", _index, _T.INT, _T.LIST, _T.DYN),
        _member("lastIndexOf", _last_index, _T.INT, _T.LIST, _T.DYN),
        _member("find", _find, _T.STRING, _T.STRING, _T.STRING),
        _member("findAll", _find_all, _T.List(_T.STRING), _T.STRING, _T.STRING),
        _predicate("isQuantity", lambda text: QUANTITY.fullmatch(text) is not None, _T.STRING),
        _predicate("isURL", FORMATS["uri"], _T.STRING),
        _predicate("isIP", lambda text: FORMATS["ipv4"](text) or FORMATS["ipv6"](text), _T.STRING),
        _predicate("isCIDR", FORMATS["cidr"], _T.STRING),
        _predicate("sets.contains", _contains, _T.LIST, _T.LIST),
        _predicate(
            "sets.equivalent",
            lambda items, others: _contains(items, others) and _contains(others, items),
            _T.LIST,
            _T.LIST,
        ),
        _predicate(
            "sets.intersects",
            lambda items, others: any(one in items for one in others),
            _T.LIST,
            _T.LIST,
        ),
    ],
)
"""What expressions may use besides the standard library and its extensions."""

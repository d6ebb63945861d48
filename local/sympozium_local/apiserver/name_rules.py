"""How names, labels and keys may look, and the sentences that say so.

Source: k8s.io/apimachinery pkg/util/validation and pkg/api/validate/content.
"""

import re

_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = rf"{_LABEL}(\.{_LABEL})*"
_LABEL_1035 = "[a-z]([-a-z0-9]*[a-z0-9])?"
_KEY = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_CONFIG_KEY = "[-._a-zA-Z0-9]+"
_ENV = "[ -<>-~]+"

_LABEL_RE = re.compile(_LABEL)
_SUBDOMAIN_RE = re.compile(_SUBDOMAIN)
_LABEL_1035_RE = re.compile(_LABEL_1035)
_KEY_RE = re.compile(_KEY)
_CONFIG_KEY_RE = re.compile(_CONFIG_KEY)
_ENV_RE = re.compile(_ENV)

_ALPHANUMERIC_ENDS = "must start and end with an alphanumeric character"


def _regex_error(rule: str, pattern: str, *examples: str) -> str:
    shown = " or ".join(f"'{example}', " for example in examples)
    return f"{rule} (e.g. {shown}regex used for validation is '{pattern}')"


_DNS_LABEL_ERROR = _regex_error(
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', "
    f"and {_ALPHANUMERIC_ENDS}",
    _LABEL,
    "my-name",
    "123-abc",
)
_SUBDOMAIN_ERROR = _regex_error(
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or "
    f"'.', and {_ALPHANUMERIC_ENDS}",
    _SUBDOMAIN,
    "example.com",
)
_LABEL_1035_ERROR = _regex_error(
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an "
    "alphabetic character, and end with an alphanumeric character",
    _LABEL_1035,
    "my-name",
    "abc-123",
)
_KEY_ERROR = _regex_error(
    f"must consist of alphanumeric characters, '-', '_' or '.', and {_ALPHANUMERIC_ENDS}",
    _KEY,
    "MyName",
    "my.name",
    "123-abc",
)
_VALUE_ERROR = _regex_error(
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or "
    f"'.', and {_ALPHANUMERIC_ENDS}",
    f"({_KEY})?",
    "MyValue",
    "my_value",
    "12345",
)
_CONFIG_KEY_ERROR = _regex_error(
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.'",
    _CONFIG_KEY,
    "key.name",
    "KEY_NAME",
    "key-name",
)


def _check(value: str, expression: re.Pattern[str], max_bytes: int, rule: str) -> list[str]:
    wrong = []
    if len(value.encode()) > max_bytes:
        wrong.append(f"must be no more than {max_bytes} bytes")
    if not expression.fullmatch(value):
        wrong.append(rule)
    return wrong


def dns_label(value: str) -> list[str]:
    """Return what is wrong with *value* as an RFC 1123 label."""
    return _check(value, _LABEL_RE, 63, _DNS_LABEL_ERROR)


def dns_subdomain(value: str) -> list[str]:
    """Return what is wrong with *value* as an RFC 1123 subdomain."""
    return _check(value, _SUBDOMAIN_RE, 253, _SUBDOMAIN_ERROR)


def dns_1035_label(value: str) -> list[str]:
    """Return what is wrong with *value* as a DNS-1035 label, as kinds are named."""
    return _check(value, _LABEL_1035_RE, 63, _LABEL_1035_ERROR)


def path_segment(value: str) -> list[str]:
    """Return what is wrong with *value* as a part of a URL, as roles are named."""
    if value in {".", ".."}:
        return [f"may not be '{value}'"]
    return [f"may not contain '{one}'" for one in "/%" if one in value]


def label_key(value: str) -> list[str]:
    """Return what is wrong with *value* as the key of a label or annotation."""
    prefix, slash, name = value.rpartition("/")
    if "/" in prefix:
        suffix = " with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
        return [f"a valid label key {_KEY_ERROR}{suffix}"]
    wrong = []
    if slash:
        wrong = [f"prefix part {one}" for one in dns_subdomain(prefix)]
        if not prefix:
            wrong = ["prefix part must be non-empty"]
    if not name:
        wrong.append("name part must be non-empty")
    return wrong + [f"name part {one}" for one in _check(name, _KEY_RE, 63, _KEY_ERROR)]


def label_value(value: str) -> list[str]:
    """Return what is wrong with *value* as the value of a label."""
    return _check(value, _KEY_RE, 63, _VALUE_ERROR) if value else []


def config_key(value: str) -> list[str]:
    """Return what is wrong with *value* as a key of a ConfigMap or Secret."""
    if value in {".", ".."} or value.startswith(".."):
        return [f"must not be or start with '..': {value}"]
    return _check(value, _CONFIG_KEY_RE, 253, _CONFIG_KEY_ERROR)


def env_name(value: str) -> list[str]:
    """Return what is wrong with *value* as the name of an environment variable."""
    if _ENV_RE.fullmatch(value):
        return []
    return [
        "a valid environment variable name must consist only of printable ASCII characters other "
        "than '='"
    ]

"""The page on security says which rights the chart gives, and to whom: all of them, no others."""

import re
from collections.abc import Iterator

import pytest

from tests.chart.helm import NAMESPACE, ROOT, Object, objects

PAGE = ROOT / "docs" / "security.md"

Right = tuple[str, str, str, tuple[str, ...]]
"""(Role, resource.group/subresource, verb, names to which it is limited)."""

Bond = tuple[str, str, str]
"""(Role, namespace in which it is bound or nothing for the whole cluster, account)."""

HEADING = re.compile(r"^#### (Role|ClusterRole) (\S+)(?: \((\S+)\))?$")
BOUND = re.compile(r"^Bound in (?:the whole cluster|`([\w-]+)`), to `([\w-]+)`")
CODE = re.compile(r"`([^`]+)`")

EVERYTHING = (
    *("--set", "nats.replicas=3", "--set-string", "tenants.quota.pods=20"),
    *("--set-json", 'example.skills=["cluster-reader"]', "--set", "runs.dns=true"),
    *("--set", "monitoring.serviceMonitor.enabled=true"),
    *("--set", "monitoring.prometheusRule.enabled=true"),
    *("--set-json", 'networkPolicies.metricsFrom=[{"podSelector":{}}]'),
    *("--set-json", 'tenants.limits=[{"type":"Container","max":{"memory":"2Gi"}}]'),
)
"""Every part of the chart, hooks included, that a value can switch on."""


@pytest.fixture
def installed(helm: str) -> list[Object]:
    """What the chart installs where everything is switched on."""
    return objects(helm, *EVERYTHING)


def test_the_tables_of_rights_are_those_of_the_chart(installed: list[Object]) -> None:
    said, given = said_rights(), given_rights(installed)
    assert sorted(given - said) == [], "held, and not on the page"
    assert sorted(said - given) == [], "on the page, and not held"


def test_every_role_is_bound_to_whom_the_page_says(installed: list[Object]) -> None:
    said, given = said_bonds(), set(given_bonds(installed))
    assert sorted(given - said) == [], "bound, and not on the page"
    assert sorted(said - given) == [], "on the page, and not bound"


def test_every_right_has_its_reason() -> None:
    rows = [row for _, row in table_rows()]
    assert rows
    assert [row for row in rows if len(row) != 4 or not row[3]] == []


def test_no_right_is_a_wildcard_and_nobody_lists_all_secrets(installed: list[Object]) -> None:
    given = given_rights(installed)
    assert [right for right in given if "*" in right[1] or right[2] == "*"] == []
    reading = {"list", "watch"}
    unnamed = [one for one in given if one[1] == "secrets" and one[2] in reading and not one[3]]
    assert unnamed == []


def given_rights(installed: list[Object]) -> set[Right]:
    return {
        (title(obj["kind"], obj["metadata"]), named(group, resource), verb, names(rule))
        for obj in installed
        if obj["kind"] in {"Role", "ClusterRole"}
        for rule in obj["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def given_bonds(installed: list[Object]) -> Iterator[Bond]:
    for obj in installed:
        if obj["kind"] not in {"RoleBinding", "ClusterRoleBinding"}:
            continue
        where = obj["metadata"].get("namespace", "")
        role = {"name": obj["roleRef"]["name"], "namespace": where}
        for subject in obj["subjects"]:
            assert (subject["kind"], subject["namespace"]) == ("ServiceAccount", NAMESPACE), obj
            yield title(obj["roleRef"]["kind"], role), where, subject["name"]


def said_rights() -> set[Right]:
    return {
        (role, resource, verb.strip(), tuple(sorted(CODE.findall(row[2]))))
        for role, row in table_rows()
        for resource in CODE.findall(row[0])
        for verb in row[1].split(",")
    }


def said_bonds() -> set[Bond]:
    return {
        (role, bound[1] or "", bound[2])
        for role, line in role_lines()
        if (bound := BOUND.match(line))
    }


def table_rows() -> list[tuple[str, list[str]]]:
    """Return the rows of the tables below the roles' headings, with the role."""
    return [
        (role, [cell.strip() for cell in line.strip("|").split("|")])
        for role, line in role_lines()
        if line.startswith("| `")
    ]


def role_lines() -> Iterator[tuple[str, str]]:
    """Yield what stands below the headings of roles, with the role."""
    role = ""
    for line in PAGE.read_text().splitlines():
        if heading := HEADING.match(line):
            role = title(heading[1], {"name": heading[2], "namespace": heading[3] or NAMESPACE})
        elif line.startswith("#"):
            role = ""
        elif role:
            yield role, line


def title(kind: str, metadata: dict[str, str]) -> str:
    """Return by what a role is known: a Role by its namespace, too."""
    place = f" ({metadata['namespace']})" if kind == "Role" else ""
    return f"{kind} {metadata['name']}{place}"


def names(rule: dict[str, list[str]]) -> tuple[str, ...]:
    return tuple(sorted(rule.get("resourceNames", [])))


def named(group: str, resource: str) -> str:
    kind, _, sub = resource.partition("/")
    return (f"{kind}.{group}" if group else kind) + (f"/{sub}" if sub else "")

"""The page on security says which rights there are: all of them, and no others."""

import re
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "security.md"
MANIFESTS = ROOT / "helm" / "sympozium" / "rbac"

Right = tuple[str, str, str, tuple[str, ...]]
"""(Kind and name of the role, resource.group/subresource, verb, names to which it is limited)."""

HEADING = re.compile(r"^#### (Role|ClusterRole) (\S+)$")
CODE = re.compile(r"`([^`]+)`")


def test_the_tables_of_rights_are_those_of_the_manifests() -> None:
    said, given = said_rights(), given_rights()
    assert sorted(given - said) == [], "held, and not on the page"
    assert sorted(said - given) == [], "on the page, and not held"


def test_every_right_has_its_reason() -> None:
    rows = [row for _, row in table_rows()]
    assert rows
    assert [row for row in rows if len(row) != 4 or not row[3]] == []


def test_no_right_is_a_wildcard_and_nobody_lists_all_secrets() -> None:
    given = given_rights()
    assert [right for right in given if "*" in right[1] or right[2] == "*"] == []
    reading = {"list", "watch"}
    unnamed = [one for one in given if one[1] == "secrets" and one[2] in reading and not one[3]]
    assert unnamed == []


def given_rights() -> set[Right]:
    roles = [
        obj
        for file in sorted(MANIFESTS.glob("*.yaml"))
        for obj in yaml.safe_load_all(file.read_text())
        if obj and obj["kind"] in {"Role", "ClusterRole"}
    ]
    return {
        (f"{role['kind']} {role['metadata']['name']}", named(group, resource), verb, names(rule))
        for role in roles
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def said_rights() -> set[Right]:
    return {
        (role, resource, verb.strip(), tuple(sorted(CODE.findall(row[2]))))
        for role, row in table_rows()
        for resource in CODE.findall(row[0])
        for verb in row[1].split(",")
    }


def table_rows() -> list[tuple[str, list[str]]]:
    """Return the rows of the tables below the roles' headings, with the role."""
    rows, role = [], ""
    for line in PAGE.read_text().splitlines():
        if heading := HEADING.match(line):
            role = f"{heading[1]} {heading[2]}"
        elif line.startswith("#"):
            role = ""
        elif role and line.startswith("| `"):
            rows.append((role, [cell.strip() for cell in line.strip("|").split("|")]))
    return rows


def names(rule: dict[str, list[str]]) -> tuple[str, ...]:
    return tuple(sorted(rule.get("resourceNames", [])))


def named(group: str, resource: str) -> str:
    kind, _, sub = resource.partition("/")
    return (f"{kind}.{group}" if group else kind) + (f"/{sub}" if sub else "")

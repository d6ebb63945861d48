"""The alerts that the chart installs are those that the documentation explains."""

import re
from pathlib import Path
from typing import Any

import yaml

from tests.chart.helm import CHART, ROOT, named, objects

ROW = re.compile(r"^\| `(Sympozium\w+)` \| `(.+?)` \| (\w+) \| (.+) \|$", re.MULTILINE)


def documented(page: Path = ROOT / "docs" / "operations.md") -> list[dict[str, str]]:
    """Return the alerts of the table in the documentation."""
    return [
        {
            "alert": name,
            "expr": expression.replace(r"\|", "|"),
            "for": lasting,
            "summary": re.sub(r"\[(.+?)\]\(.+?\)", r"\1", meaning.replace("`", "")),
        }
        for name, expression, lasting, meaning in ROW.findall(page.read_text())
    ]


def test_each_documented_alert_is_in_the_chart_and_no_other() -> None:
    assert documented()
    assert yaml.safe_load((CHART / "alerts.yaml").read_text()) == documented()


def test_the_rule_holds_every_alert(helm: str) -> None:
    rendered = objects(helm, "--set", "monitoring.prometheusRule.enabled=true")
    rule = named(rendered, "PrometheusRule", "sympozium")
    (group,) = rule["spec"]["groups"]
    names: list[Any] = [one["alert"] for one in group["rules"]]
    assert names == [one["alert"] for one in documented()]
    assert all(one["annotations"]["summary"] for one in group["rules"])

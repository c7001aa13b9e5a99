"""The dashboard and the alert rules as a specification: they ask for nothing the connector does not tell."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

FOLDER = Path(__file__).parent.parent / "monitoring"
README = (FOLDER.parent / "README.md").read_text("utf-8")
RULES: list[dict[str, Any]] = yaml.safe_load((FOLDER / "alerts.yaml").read_text("utf-8"))["groups"][0]["rules"]
PANELS: list[dict[str, Any]] = json.loads((FOLDER / "grafana.json").read_text("utf-8"))["panels"]
ASKED = [rule["expr"] for rule in RULES] + [target["expr"] for panel in PANELS for target in panel["targets"]]
TOLD = set(re.findall(r"^\| `(connector_\w+)`", README, re.M))
"""test_docs.py compares this table with the code, both ways."""


class TestMonitoring:
    @pytest.mark.parametrize("expression", ASKED)
    def test_every_metric_asked_for_exists(self, expression: str) -> None:
        names = {name.removesuffix("_bucket") for name in re.findall(r"connector_\w+", expression)}
        assert names
        assert names <= TOLD

    @pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
    def test_every_alert_says_what_is_wrong_and_what_to_do(self, rule: dict[str, Any]) -> None:
        assert rule["annotations"].keys() == {"summary", "description"}

    def test_each_problem_that_a_gauge_names_has_an_alert(self) -> None:
        gauges = {"connector_history_gap", "connector_database_damaged", "connector_deletion_waits"}
        assert gauges <= set(re.findall(r"connector_\w+", " ".join(rule["expr"] for rule in RULES)))

    def test_panels_do_not_overlap(self) -> None:
        cells = [
            (x, y)
            for place in (panel["gridPos"] for panel in PANELS)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        ]
        assert len(cells) == len(set(cells))

    @pytest.mark.skipif("PROMTOOL" not in os.environ, reason="PROMTOOL names no promtool: see CONTRIBUTING.md")
    def test_promtool_takes_the_rules(self) -> None:
        checked = subprocess.run(
            [os.environ["PROMTOOL"], "check", "rules", FOLDER / "alerts.yaml"],
            capture_output=True,
            text=True,
            check=False,
        )
        assert checked.returncode == 0, checked.stdout + checked.stderr

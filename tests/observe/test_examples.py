"""The dashboard and the alerts of `examples/observability` ask for metrics and labels that there are."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from gateway.observe.metrics import Metrics

FOLDER = Path(__file__).parents[2] / "examples" / "observability"
DASHBOARD = json.loads((FOLDER / "dashboard.json").read_text())
RULES = yaml.safe_load((FOLDER / "alerts.yml").read_text())
SCRAPE = yaml.safe_load((FOLDER / "prometheus.yml").read_text())

# What Prometheus itself adds to every series, and the one series that is its own.
TARGET_LABELS = {"job", "instance"}
OWN_SERIES = {"up": TARGET_LABELS}
# Words of PromQL that look like names of series.
WORDS = frozenset({"by", "on", "or", "and", "unless", "bool", "offset", "ignoring", "without", "group_left"})


def series() -> dict[str, set[str]]:
    """Every series that semgate has, with its labels."""
    found: dict[str, set[str]] = {}
    for collector in Metrics().registry._collector_to_names:
        family = next(iter(collector.collect()))
        labels = set(collector._labelnames) | TARGET_LABELS
        match family.type:
            case "counter":
                found[f"{family.name}_total"] = labels
            case "histogram":
                found[f"{family.name}_bucket"] = labels | {"le"}
                found[f"{family.name}_sum"] = found[f"{family.name}_count"] = labels
            case _:
                found[family.name] = labels
    return found


def all_rules() -> list[dict[str, object]]:
    return [rule for group in RULES["groups"] for rule in group["rules"]]


def recorded() -> dict[str, set[str]]:
    """The series that the rules make, with the labels that they are summed by."""
    records = {rule["record"]: set(labels_of(str(rule["expr"]))) for rule in all_rules() if "record" in rule}
    return {str(name): labels for name, labels in records.items()}


def labels_of(expression: str) -> Iterator[str]:
    for listed in re.findall(r"\b(?:by|on)\s*\(([^)]*)\)", expression):
        yield from (label.strip() for label in listed.split(",") if label.strip())


def selectors(expression: str) -> list[tuple[str, list[str]]]:
    """Each series that is asked for, with the labels it is chosen by."""
    bare = re.sub(r"\b(by|on)\s*\([^)]*\)", " ", expression)
    found = []
    for name, matchers in re.findall(r"([a-zA-Z_:][\w:]*)\s*(?:\{([^}]*)\})?(?!\w*\s*\()(?![\w:])", bare):
        if name in WORDS or re.fullmatch(r"\d*[smhdw]", name):
            continue
        found.append((name, re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", matchers)))
    return found


def strip_strings(expression: str) -> str:
    """Values of matchers may look like anything."""
    return re.sub(r'"[^"]*"', '""', expression)


def expressions() -> list[tuple[str, str]]:
    found = [(f"alerts: {rule.get('alert') or rule['record']}", str(rule["expr"])) for rule in all_rules()]
    for panel in DASHBOARD["panels"]:
        found += [(f"dashboard: {panel['title']}", target["expr"]) for target in panel.get("targets", ())]
    found += [(f"annotation: {each['name']}", each["expr"]) for each in DASHBOARD["annotations"]["list"]]
    for variable in DASHBOARD["templating"]["list"]:
        if variable["type"] == "query":
            inner = re.fullmatch(r"label_values\((.*), (\w+)\)", variable["definition"])
            assert inner is not None
            found.append((f"variable: {variable['name']}", f"sum by ({inner[2]}) ({inner[1]})"))
    return found


@pytest.mark.parametrize(("where", "expression"), expressions(), ids=[where for where, _ in expressions()])
def test_every_series_and_label_exists(where: str, expression: str):
    known = series() | recorded() | OWN_SERIES
    asked = selectors(re.sub(r"\[[^\]]*\]", "", strip_strings(expression)))
    assert asked
    labels: set[str] = set()
    for name, matched in asked:
        assert name in known, f"{where}: there is no {name}"
        assert set(matched) <= known[name], f"{where}: {name} has no {set(matched) - known[name]}"
        labels |= known[name]
    assert set(labels_of(expression)) <= labels, where


@pytest.mark.parametrize(
    ("expression", "found"),
    [
        ('sum by (a) (rate(x_total{route=~"$r", b!=""}[5m]))', [("x_total", ["route", "b"])]),
        ("a_b / (c:d > 0) > 0.2", [("a_b", []), ("c:d", [])]),
        ("x{} and on (j) y offset 1d", [("x", []), ("y", [])]),
        ("vector(0) or histogram_quantile(0.5, sum by (le) (z_bucket))", [("z_bucket", [])]),
    ],
)
def test_expressions_are_taken_apart(expression: str, found: list[tuple[str, list[str]]]):
    assert selectors(re.sub(r"\[[^\]]*\]", "", strip_strings(expression))) == found


def test_the_dashboard_shows_every_metric():
    """But for those that only rules and people need."""
    shown = {name for _, expression in expressions() for name, _ in selectors(strip_strings(expression))}
    families = {re.sub(r"_(bucket|sum|count)$", "", name) for name in series()}
    asked = {re.sub(r"_(bucket|sum|count)$", "", name) for name in shown}
    assert families - asked == {"semgate_kept_bytes_total", "semgate_start_time_seconds"}


def test_panels_have_ids_of_their_own_and_do_not_overlap():
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert place["x"] + place["w"] <= 24
        assert not cells & taken, panel["title"]
        taken |= cells


def test_rules_have_the_shape_that_prometheus_wants():
    names = []
    for rule in all_rules():
        if "record" in rule:
            assert set(rule) == {"record", "expr"}
            names.append(rule["record"])
            continue
        assert (
            {"alert", "expr", "labels", "annotations"} <= set(rule) <= {"alert", "expr", "for", "labels", "annotations"}
        )
        assert rule["labels"]["severity"] in ("page", "ticket")
        assert set(rule["annotations"]) == {"summary", "description"}
        assert re.fullmatch(r"\d+[smhd]", rule.get("for", "0m"))
        names.append(rule["alert"])
    assert len(names) == len(set(names))


def test_annotations_use_labels_that_their_alert_has():
    for rule in all_rules():
        if "alert" not in rule:
            continue
        available = set(labels_of(rule["expr"])) or {
            label
            for name, _ in selectors(strip_strings(rule["expr"]))
            for label in (series() | recorded() | OWN_SERIES)[name]
        }
        used = set(re.findall(r"\$labels\.(\w+)", json.dumps(rule["annotations"])))
        kept = {label for name, _ in selectors(strip_strings(rule["expr"])) for label in recorded().get(name, ())}
        assert used <= available | kept, rule["alert"]


def test_prometheus_asks_the_path_that_semgate_has_and_loads_the_rules():
    (job,) = SCRAPE["scrape_configs"]
    assert (job["job_name"], job["metrics_path"]) == ("semgate", "/-/metrics")
    assert all((FOLDER / file).is_file() for file in SCRAPE["rule_files"])

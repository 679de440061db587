"""Alert rules and dashboard: checked and tested by promtool, read by Grafana's own types, and held to the
bot's metrics and to docs/operations.md, which must have an entry for each alert."""

import json
import re
import tempfile

import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.cog.runtime import panelcfg_config
from grafana_foundation_sdk.models.dashboard import Dashboard

from deploy.tree import run, text

ALERTS, TESTS = "deploy/prometheus/alerts.yml", "deploy/prometheus/alerts_test.yml"
BOARD = "deploy/grafana/connect-card.json"
# Labels that come from Prometheus rather than from the bot.
SCRAPED = {"job", "namespace", "instance", "le", "alertname", "alertstate", "severity"}
SUFFIXES = {"counter": {"_total"}, "histogram": {"_bucket", "_count", "_sum"}, "gauge": {""}}
GRID = 24


def measured(root):
    """The metrics of docs/operations.md's table, which .ci/check_readme holds to the code: the kind of
    each, and every word in its row, its labels and their values among them."""
    table = text(root, "docs/operations.md").partition("\n## Metrics\n")[2].partition("\n## ")[0]
    metrics = {
        name: (kind, set(re.findall(r"`([\w.]+)`", about)))
        for names, kind, about in re.findall(r"^\| (`[`\w, ]+`) \| (\w+) \| (.*) \|$", table, re.MULTILINE)
        for name in re.findall(r"\w+", names)
    }
    if len(metrics) < 10:
        raise SystemExit("docs/operations.md: the metrics cannot be found any more; mend .ci/check_deploy")
    return metrics


def values_of_labels(root):
    """Each label whose values are an enum of the bot's, with all of its values in any metric."""
    code = telemetry(root)
    names = dict(re.findall(r"labels!\((\w+): ([^;]*)\);", code))
    found = {}
    for label, kind in re.findall(r"^    (?:pub(?:\(\w+\))? )?(\w+): (\w+),$", code, re.MULTILINE):
        if kind in names:
            found.setdefault(label, set()).update(re.findall(r'= "([^"]+)"', names[kind]))
    if not {"answer", "party", "call", "outcome"} <= found.keys() or len(found["call"]) < 15:
        raise SystemExit("src/telemetry: the labels cannot be found any more; mend .ci/check_deploy")
    return found


def telemetry(root):
    """The code that owns the metrics."""
    return "".join(path.read_text(encoding="utf-8") for path in sorted((root / "src/telemetry").glob("*.rs")))


def by_buckets(root, written):
    """What is asked of a histogram's bucket that the bot does not have."""
    code = telemetry(root)
    bounds = {
        name: {*re.findall(r"[\d.]+", values.partition("=")[2]), "+Inf"}
        for name, values in re.findall(r"const (\w+_BUCKETS): ([^;]*; \d+\] = \[[^\]]*\]);", code)
    }
    of = dict(re.findall(r"(\w+_seconds): (?:Family<[^;]*?)?Histogram::new\((\w+)\)", code))
    if len(of) < 6 or not set(of.values()) <= bounds.keys():
        raise SystemExit("src/telemetry: the buckets cannot be found any more; mend .ci/check_deploy")
    for name, bound in re.findall(r'connect_card_(\w+)_bucket\{[^}]*\ble="([^"]*)"', written):
        if bound not in bounds[of[name]]:
            yield f"{name} has no bucket up to {bound}"


def by_labels(known, series):
    """What a test has the bot export and it never would."""
    for label, value in re.findall(r'(\w+)="([^"]*)"', series):
        if label not in SCRAPED and value not in known.get(label, {value}):
            yield f"no {label} is {value}"


def by_metrics(metrics, known, expression):
    """What an expression asks for that the bot does not have."""
    labels = set(SCRAPED)
    for name, braces in re.findall(r"connect_card_(\w+)\s*(\{[^}]*\})?", expression):
        metric = next((m for m, (kind, _) in metrics.items() for end in SUFFIXES[kind] if m + end == name), None)
        if not metric:
            yield f"there is no series connect_card_{name}"
            continue
        labels |= metrics[metric][1]
        for label, values in re.findall(r'(\w+)\s*(?:=~|!=|!~|=)\s*"([^"]*)"', braces):
            if label in SCRAPED:
                continue
            if label not in metrics[metric][1]:
                yield f"{metric} has no label {label}"
            # Of the others, the values may be listed where another metric has the label.
            listed = known.get(label) or set().union(*(words for _, words in metrics.values() if label in words))
            yield from (f"no {label} is {value}" for value in values.split("|") if value not in listed)
    for grouped in re.findall(r"\b(?:by|on) \(([^)]*)\)", expression):
        for label in re.findall(r"\w+", grouped):
            if label not in labels:
                yield f"nothing in it has a label {label}"


def prometheus(root):
    fine, said = run("promtool", "check", "rules", root / ALERTS)
    if not fine:
        yield said
        return
    metrics, known = measured(root), values_of_labels(root)
    rules = [rule for group in yaml.load(text(root, ALERTS), yaml.CSafeLoader)["groups"] for rule in group["rules"]]
    for rule in rules:
        for fault in [*by_metrics(metrics, known, rule["expr"]), *by_buckets(root, rule["expr"])]:
            yield f"{rule['alert']}: {fault}"
        if rule["annotations"].get("runbook") != f"docs/operations.md#{rule['alert'].lower()}":
            yield f"{rule['alert']} does not name its entry in docs/operations.md"
        if rule["labels"].get("severity") not in ("warning", "critical") or not rule["annotations"].get("summary"):
            yield f"{rule['alert']} has no severity or no summary"
    tests = yaml.load(text(root, TESTS), yaml.CSafeLoader)["tests"]
    for test in tests:
        for series in (item["series"] for item in test["input_series"]):
            faults = [*by_labels(known, series), *by_buckets(root, series)]
            yield from (f"the test “{test['name']}”: {fault}" for fault in faults)
    well = str(tests[0]["input_series"])
    for name in sorted({name for rule in rules for name in re.findall(r"connect_card_\w+", rule["expr"])}):
        if not re.search(rf"\b{name}\b", well):
            yield f"the tests' bot that is well has no {name}"
    alerts = {rule["alert"] for rule in rules}
    entries = set(re.findall(r"^### (ConnectCard\w+)$", text(root, "docs/operations.md"), re.MULTILINE))
    yield from (f"docs/operations.md has no entry for {name}" for name in sorted(alerts - entries))
    yield from (f"docs/operations.md has an entry for {name}, which no rule has" for name in sorted(entries - alerts))
    fine, said = run("promtool", "test", "rules", root / TESTS)
    if not fine:
        yield said


def untested(copy):
    """The alerts whose tests would not see that they never fire, or always."""
    path = copy / ALERTS
    whole = yaml.load(path.read_text(encoding="utf-8"), yaml.CSafeLoader)
    rules = whole["groups"][0]["rules"]
    for broken, what in (("vector(0) > 1", "never"), ("vector(1)", "always")):
        changed = [rule | {"expr": broken, "for": "0s"} for rule in rules]
        path.write_text(json.dumps({"groups": [{"name": "broken", "rules": changed}]}), encoding="utf-8")
        _, said = run("promtool", "test", "rules", copy / TESTS)
        if what == "always":
            # Of the bot that is well, which comes first.
            said = said.partition("got:")[2].partition("expr:")[0]
        named = set(re.findall(r'alertname(?:=|: )"?(\w+)', said))
        yield from (
            f"no test sees that {name} {what} fires" for name in sorted({rule["alert"] for rule in rules} - named)
        )


def lost(before, after, path=""):
    """Whatever Grafana's types did not take, or took for something else."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key, value in before.items():
            yield from lost(value, after.get(key), f"{path}.{key}" if path else key)
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for at, (old, new) in enumerate(zip(before, after, strict=True)):
            yield from lost(old, new, f"{path}[{at}]")
    elif before != after or type(before) is not type(after):
        yield f"Grafana does not know {path}, or not as {json.dumps(before)}"


def overlaps(one, other):
    return all(one[at] < other[at] + other[size] and other[at] < one[at] + one[size] for at, size in ("xw", "yh"))


def grafana(root):
    written = text(root, BOARD)
    board = json.loads(written)
    register_default_plugins()
    try:
        read = json.loads(JSONEncoder().encode(Dashboard.from_json(board)))
        yield from lost(board, read)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        yield f"Grafana's types do not take it: {error!r}"
    panels = board["panels"]
    if len({panel["id"] for panel in panels}) < len(panels):
        yield "two panels have one id"
    for at, panel in enumerate(panels):
        if panel["type"] != "row" and not panelcfg_config(panel["type"]):
            yield f"Grafana does not know a panel {panel['type']}"
        grid = panel["gridPos"]
        if grid["x"] + grid["w"] > GRID:
            yield f"{panel['title']} reaches over the edge"
        yield from (
            f"{panel['title']} lies on {other['title']}" for other in panels[:at] if overlaps(grid, other["gridPos"])
        )
        if panel["type"] != "row" and len({ask["refId"] for ask in panel["targets"]}) < len(panel["targets"]):
            yield f"{panel['title']} has two queries of one name"
    for bound in sorted(set(re.findall(r'"uid": "([^"]*)"', written)) - {board["uid"], "${datasource}"}):
        yield f"it is bound to the Prometheus {bound}"
    metrics, known, asked = measured(root), values_of_labels(root), []
    for panel in panels:
        for ask in panel.get("targets", []):
            asked.append(ask["expr"])
            yield from (f"{panel['title']}: {fault}" for fault in by_metrics(metrics, known, ask["expr"]))
    with tempfile.NamedTemporaryFile("w", suffix=".yml") as rules:
        plain = [re.sub(r"\$__\w+", "5m", ask) for ask in asked]
        rules.write(
            json.dumps(
                {"groups": [{"name": "x", "rules": [{"record": f"x:{n}", "expr": ask} for n, ask in enumerate(plain)]}]}
            )
        )
        rules.flush()
        fine, said = run("promtool", "check", "rules", rules.name)
        if not fine:
            yield said
    yield from (f"no panel shows {name}" for name in metrics if not any(f"connect_card_{name}" in ask for ask in asked))


# fmt: off
# A file, a text in it and what that becomes, and what must be said of it.
PLANTED_PROMETHEUS = [
    (ALERTS, "> 120", "> > 120", "parse error"),
    (ALERTS, "> 120", "> 1200", "alertname: ConnectCardCommandsWait"),
    (ALERTS, "oldest_open_seconds", "eldest_open_seconds", "no series connect_card_eldest_open_seconds"),
    (ALERTS, 'answer="not_accepted"', 'answer="unaccepted"', "no answer is unaccepted"),
    (ALERTS, "namespace, party) (rate", "namespace, side) (rate", "label side"),
    (ALERTS, "operations.md#connectcarddown", "operations.md#down", "does not name its entry"),
    (TESTS, "connect_card_sockets_wanted", "connect_card_sockets", "well has no connect_card_sockets_wanted"),
    (TESTS, 'call="chat.update"', 'call="update"', "no call is update"),
    (TESTS, 'outcome="timeout"', 'outcome="late"', "no outcome is late"),
    (ALERTS, """
          unless
          min by (job, namespace) (connect_card_by_http) == 1""", "", "ConnectCardNoSocket"),
    (ALERTS, ' / connect_card_rate_limit{party="fivetran"}) < 0.1', ") < 200", "ConnectCardFivetranCallsRunOut"),
    (ALERTS, "< 0.1", "< 0.2", "ConnectCardFivetranCallsRunOut"),
    (ALERTS, "audit_oldest_seconds) > 600\n        for: 10m", "audit_oldest_seconds) > 600\n        for: 1m", "ConnectCardAuditBehind"),
    (ALERTS, "users.info|", "", 'count by (alertname) (ALERTS)"'),
    (ALERTS, "|chat.postMessage", "", 'count by (alertname) (ALERTS)"'),
    (ALERTS, "|chat.postEphemeral", "", "ConnectCardCallsRefused"),
    (ALERTS, """
          and
          sum by (job, namespace) (increase(connect_card_ack_seconds_count[10m]))
            - sum by (job, namespace) (increase(connect_card_ack_seconds_bucket{le="1.0"}[10m])) > 2.5""", "", "ConnectCardAnswersSlow"),
    (ALERTS, """
          and
          sum by (job, namespace, writer) (increase(connect_card_commit_seconds_count[10m])) >= 20""", "", "ConnectCardDatabaseSlow"),
    (ALERTS, 'ack_seconds_bucket{le="1.0"}[10m])) > 2.5', 'ack_seconds_bucket{le="1.0"}[10m])) > 2', "ConnectCardAnswersSlow"),
    (ALERTS, 'commit_seconds_bucket{le="0.5"}[10m])) > 2.5', 'commit_seconds_bucket{le="0.5"}[10m])) > 2', "ConnectCardDatabaseSlow"),
    (ALERTS, 'commit_seconds_bucket{le="0.5"}', 'commit_seconds_bucket{le="1.0"}', "commit_seconds has no bucket up to 1.0"),
    (TESTS, 'commit_seconds_bucket{job="connect-card",writer="change",le="2.0"}', 'commit_seconds_bucket{job="connect-card",writer="change",le="1.0"}', "commit_seconds has no bucket up to 1.0"),
    ("docs/operations.md", "### ConnectCardClockWrong", "### ConnectCardClockRight", "no entry for ConnectCardClockWrong"),
]
PLANTED_GRAFANA = [
    (BOARD, '"type": "stat"', '"type": "stats"', "know a panel stats"),
    (BOARD, '"textMode"', '"textMood"', "options.textMood"),
    (BOARD, '"schemaVersion"', '"schemeVersion"', "Grafana does not know schemeVersion"),
    (BOARD, "connect_card_in_hand{", "connect_card_in_foot{", "no series connect_card_in_foot"),
    (BOARD, "sum(up{", "sum((up{", "parse error"),
    (BOARD, '"x": 4,', '"x": 3,', "lies on"),
    (BOARD, '"uid": "${datasource}"', '"uid": "mine"', "bound to the Prometheus mine"),
]
# fmt: on

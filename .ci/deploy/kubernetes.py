"""Kubernetes' files: built by kubectl, alone and with their components, and held to its schemas, old and
new, to the restricted pod security standard, and to what the bot needs."""

import json
import re
import shutil
import tempfile
import textwrap
import tomllib
from functools import cache
from pathlib import Path

import kubernetes_validate
import yaml

from deploy.tree import run, text, variables

KUBE = "deploy/kubernetes"
NAME = "connect-card"
# The oldest Kubernetes that has all we use (preStop.sleep came with it), and the newest.
KUBERNETES = ("1.30", "1.37")
# Custom kinds, of which no schema is at hand.
NO_SCHEMA = {"PodMonitor"}
BUILDS = [
    (base, components)
    for components in (
        (),
        ("ingress", "pod-monitor"),
        ("socket-mode", "pod-monitor"),
        ("ingress", "both-ways", "second-key"),
    )
    for base in ("sqlite", "postgres")
]
DRAIN_SECONDS = 35
# How long a pod that goes still answers, so that every balancer has heard of it.
PAUSE_SECONDS = 5
USER = 65532
# How long a pod may take to start, which a database that is starting itself may need.
START_SECONDS = 30
# What the bot needs whichever way it is reached.
SECRETS = {"SLACK_BOT_TOKEN_FILE", "FIVETRAN_API_KEY_FILE", "FIVETRAN_API_SECRET_FILE"}
# Where a cluster and its cloud have what is nobody's business, their metadata first.
PRIVATE = {"10.0.0.0/8", "100.64.0.0/10", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7", "fe80::/10"}
EVERYWHERE = {"0.0.0.0", "::", "[::]"}
# Where each probe asks. A pod that is not ready helps nobody by being started again.
PROBES = {"startupProbe": "/healthz", "livenessProbe": "/healthz", "readinessProbe": "/readyz"}


def kubernetes(root):
    with tempfile.TemporaryDirectory() as copy:
        # Beside which there is room to build.
        folder = shutil.copytree(root / KUBE, Path(copy, "kubernetes"))
        yield from built(root, folder)
    places = [path for path in (root / KUBE).rglob("*.*") if "ghcr.io" in path.read_text(encoding="utf-8")]
    if len(places) != 1:
        yield f"the image is named in {len(places)} files, and should be in one"


def build(folder, kustomization):
    with tempfile.TemporaryDirectory(dir=folder) as site:
        Path(site, "kustomization.yaml").write_text(kustomization, encoding="utf-8")
        return run("kubectl", "kustomize", site)


def built(root, folder):
    namespace = yaml.load(text(root, f"{KUBE}/namespace.yaml"), yaml.CSafeLoader)
    for base, components in BUILDS:
        what = " + ".join([base, *components])
        lines = {"resources": [f"../{base}"], "components": [f"../components/{name}" for name in components]}
        done, said = build(folder, json.dumps(lines))
        if not done:
            yield f"{what}: {said}"
            continue
        objects = [*yaml.load_all(said, yaml.CSafeLoader), namespace]
        for fault in [*by_schema(objects), *by_use(root, objects, base, components)]:
            yield f"{what}: {fault}"
    # What docs/deploying.md has people write, with this tree in the place of the published one.
    example = re.search(r"^ *```yaml\n(.*?)^ *```", text(root, "docs/deploying.md"), re.DOTALL | re.MULTILINE).group(1)
    example, places = re.subn(r"https://\S+//deploy/kubernetes/(\S+)\?ref=\S+", r"../\1", example)
    done, said = build(folder, textwrap.dedent(example))
    if not done or not places or "your_group_id" not in said:
        yield f"docs/deploying.md's kustomization.yaml: {said}"
        return
    for thing in yaml.load_all(said, yaml.CSafeLoader):
        if thing["metadata"].get("namespace") != NAME:
            yield f"docs/deploying.md's kustomization.yaml: {thing['kind']} is not in the namespace {NAME}"


@cache
def valid(thing, version):
    """What a version of Kubernetes has against an object, which most builds share."""
    try:
        kubernetes_validate.validate(json.loads(thing), version, strict=True)
    except kubernetes_validate.ValidationError as error:
        return f"{'.'.join(str(step) for step in error.path)}: {error.message}"
    return None


def by_schema(objects):
    for thing in objects:
        for version in KUBERNETES if thing["kind"] not in NO_SCHEMA else ():
            if fault := valid(json.dumps(thing), version):
                yield f"{thing['kind']} in Kubernetes {version}: {fault}"


def restricted(pod, container):
    """Where a pod falls short of the restricted pod security standard, and of a read-only root."""
    whole, own = pod.get("securityContext", {}), container.get("securityContext", {})
    for wanted, there in {
        "runAsNonRoot": whole.get("runAsNonRoot") is True and whole.get("runAsUser") == USER,
        # The secrets' files and the volume are this group's, and nobody else's.
        "fsGroup": whole.get("fsGroup") == whole.get("runAsGroup") == USER,
        "defaultMode": all(v["secret"].get("defaultMode") == 0o440 for v in pod.get("volumes", []) if "secret" in v),
        "seccompProfile": whole.get("seccompProfile") == {"type": "RuntimeDefault"},
        "allowPrivilegeEscalation": own.get("allowPrivilegeEscalation") is False,
        "capabilities": own.get("capabilities") == {"drop": ["ALL"]},
        "readOnlyRootFilesystem": own.get("readOnlyRootFilesystem") is True,
        "hostNetwork": not any(pod.get(name) for name in ("hostNetwork", "hostPID", "hostIPC")),
        "volumes": all({"secret", "persistentVolumeClaim"} & set(volume) for volume in pod.get("volumes", [])),
        "automountServiceAccountToken": pod.get("automountServiceAccountToken") is False,
    }.items():
        if not there:
            yield f"the pod's {wanted} is not as restricted as it should be"


def selectors(objects):
    """Every selector that means the bot's pods, with what it belongs to."""
    for thing in objects:
        spec, kind = thing.get("spec", {}), thing["kind"]
        if kind == "Service":
            yield kind, spec.get("selector")
        elif kind in ("Deployment", "PodDisruptionBudget", "PodMonitor"):
            yield kind, spec.get("selector", {}).get("matchLabels")
        elif kind == "NetworkPolicy":
            yield kind, spec.get("podSelector", {}).get("matchLabels")
        if kind == "Deployment":
            for spread in spec["template"]["spec"].get("topologySpreadConstraints", []):
                yield "topologySpreadConstraints", spread.get("labelSelector", {}).get("matchLabels")


def named_ports(value):
    """Every port that is meant by its name."""
    if isinstance(value, dict):
        for key, item in value.items():
            if key in ("port", "targetPort") and isinstance(item, str):
                yield item
            yield from named_ports(item)
    elif isinstance(value, list):
        for item in value:
            yield from named_ports(item)


def of_image(root):
    """What the image itself sets."""
    lines = re.findall(r"^ENV (.+)$", text(root, "Dockerfile").rpartition("\nFROM ")[2], re.MULTILINE)
    found = dict(item.split("=", 1) for line in lines for item in line.split())
    if "DATABASE_URL" not in found:
        raise SystemExit("Dockerfile: its ENV cannot be found any more; mend .ci/check_deploy")
    return found


def listening(container, settings):
    """Where the bot does not listen at the ports that its container has, for all who are let through."""
    ports = {port["name"]: str(port["containerPort"]) for port in container["ports"]}
    metrics, _, metrics_port = settings.get("METRICS_ADDR", "").rpartition(":")
    heard = {"http": (settings.get("HOST", ""), settings.get("PORT", "")), "metrics": (metrics, metrics_port)}
    for name, (host, port) in heard.items():
        if ports.get(name) != port:
            yield f"port {name} is {ports.get(name)}, and the bot listens at {port or 'nothing'}"
        if host not in EVERYWHERE:
            yield f"for {name}, the bot listens at {host or 'nothing'} alone"


def let_out(policies):
    """Every port that the bot may reach anywhere, or at any public address, with its protocol."""
    for rule in (rule for policy in policies for rule in policy["spec"].get("egress", [])):
        anywhere = [to.get("ipBlock", {}).get("cidr") == "0.0.0.0/0" for to in rule.get("to", [])]
        if any(anywhere) or not anywhere:
            yield from ((port["port"], port["protocol"]) for port in rule["ports"])


def too_open(policies):
    """Where a policy lets in everybody, or lets the bot out to what is private."""
    for policy in policies:
        if any(not rule.get("from") for rule in policy["spec"].get("ingress", [])):
            yield "a NetworkPolicy lets everybody in"
        blocks = [to["ipBlock"] for rule in policy["spec"].get("egress", []) for to in rule.get("to", [])]
        let = {cidr for block in blocks for cidr in block.get("except", [])}
        if blocks and PRIVATE - let:
            yield f"a NetworkPolicy lets the bot reach {min(PRIVATE - let)}"


def ways(root, kinds, labels):
    """Where what lets people in, or watches, does not lead to what the bot has there."""
    served = {port["name"] for service in kinds.get("Service", []) for port in service["spec"]["ports"]}
    for port in (port for service in kinds.get("Service", []) for port in service["spec"]["ports"]):
        if port["targetPort"] != "http":
            yield f"the Service leads to {port['targetPort']}"
    routes = re.findall(r'\.route\("(/(?:slack|connected)/[^"]*)"', text(root, "src/server.rs"))
    if len(routes) < 3:
        raise SystemExit("src/server.rs: the routes cannot be found any more; mend .ci/check_deploy")
    for ingress in kinds.get("Ingress", []):
        paths = [path for rule in ingress["spec"]["rules"] for path in rule["http"]["paths"]]
        for path in paths:
            if path["backend"]["service"]["name"] != NAME or path["backend"]["service"]["port"]["name"] not in served:
                yield f"the Ingress sends {path['path']} to a service or port that is not there"
        let = [path["path"].rstrip("/") for path in paths if path["pathType"] == "Prefix"]
        yield from (
            f"the Ingress leaves out {route}" for route in routes if not any(route.startswith(f"{at}/") for at in let)
        )
    for monitor in kinds.get("PodMonitor", []):
        # By this label the Prometheus Operator is mostly told what to take up.
        release = monitor["metadata"].get("labels", {}).get("release")
        if not release or f"labels: {{ release: {release} }}" not in text(root, "docs/operations.md"):
            yield f"the PodMonitor is of the release {release}, and docs/operations.md's PrometheusRule is not"
        # The alerts and the dashboard know it by this name.
        if labels.get(monitor["spec"].get("jobLabel")) != NAME:
            yield f"the PodMonitor's job is not {NAME}"
        for end in monitor["spec"]["podMetricsEndpoints"]:
            if (end["port"], end.get("path", "/metrics")) != ("metrics", "/metrics"):
                yield f"the PodMonitor scrapes {end['port']}{end.get('path', '/metrics')}"


def started(root, kinds, pod, container):
    """Where a pod has not what it is started with, or runs as what it should not."""
    if {"command", "args"} & container.keys():
        yield "the container starts something else than what its image is made for"
    named = [source.get("configMapRef", {}).get("name") for source in container.get("envFrom", [])]
    if named != [kinds["ConfigMap"][0]["metadata"]["name"]]:
        yield "the container reads no ConfigMap that is there"
    account = pod.get("serviceAccountName")
    if account not in {account["metadata"]["name"] for account in kinds.get("ServiceAccount", [])}:
        yield f"the pod runs as {account}, which is not there"
    for secret in (volume["secret"]["secretName"] for volume in pod["volumes"] if "secret" in volume):
        if f"create secret generic {secret} " not in text(root, "docs/deploying.md"):
            yield f"docs/deploying.md makes another Secret than {secret}"
    limits = container.get("resources", {}).get("limits", {})
    if "memory" not in limits or "cpu" in limits:
        yield "the container has no limit on memory, or one on CPU"
    for probe, wanted in PROBES.items():
        asked = container.get(probe, {}).get("httpGet", {})
        if (asked.get("port"), asked.get("path")) != ("http", wanted):
            yield f"the {probe} asks for {asked.get('port')}{asked.get('path')}"
    start = container.get("startupProbe", {})
    if start.get("periodSeconds", 10) * start.get("failureThreshold", 3) < START_SECONDS:
        yield f"a pod has less than {START_SECONDS} s to start"
    if kinds["Deployment"][0]["metadata"].get("namespace") != NAME:
        yield f"the bot is not in the namespace {NAME}"
    if kinds["Namespace"][0]["metadata"]["labels"].get("pod-security.kubernetes.io/enforce") != "restricted":
        yield "the namespace lets in what is not restricted"


def by_use(root, objects, base, components):
    kinds = {}
    for thing in objects:
        kinds.setdefault(thing["kind"], []).append(thing)
    deployment = kinds["Deployment"][0]["spec"]
    template = deployment["template"]
    pod, container = template["spec"], template["spec"]["containers"][0]
    yield from restricted(pod, container)

    labels = template["metadata"]["labels"].items()
    for kind, selector in selectors(objects):
        if not selector or not selector.items() <= labels:
            yield f"{kind} does not select the bot's pods, and no others"
    ports = {port["name"] for port in container["ports"]}
    meant = [thing for thing in objects if thing["kind"] in ("Service", "NetworkPolicy", "Deployment", "PodMonitor")]
    for port in sorted(
        set(named_ports(meant))
        | {p["port"] for m in kinds.get("PodMonitor", []) for p in m["spec"]["podMetricsEndpoints"]}
    ):
        if port not in ports:
            yield f"the container has no port {port}"
    yield from ways(root, kinds, template["metadata"]["labels"])
    yield from started(root, kinds, pod, container)

    env = {item["name"]: item["value"] for item in container["env"]}
    settings = kinds["ConfigMap"][0]["data"]
    for name in sorted((env.keys() | settings.keys()) - variables(root)):
        yield f"sets {name}, which the bot does not read"
    # The bot refuses both; what is empty counts as unset.
    whole = {**of_image(root), **settings, **env}
    yield from listening(container, whole)
    seen = {name for name, value in whole.items() if value}
    yield from (f"sets both {name} and {name}_FILE" for name in sorted(seen) if f"{name}_FILE" in seen)
    mounts = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    for name, path in env.items():
        if name.endswith("_FILE") and "secret" not in volumes.get(mounts.get(str(Path(path).parent)), {}):
            yield f"{name} is {path}, where no Secret is mounted"
        if name.endswith("_FILE") and Path(path).name != name.removesuffix("_FILE"):
            yield f"{name} is {path}, and docs/deploying.md has people call it {name.removesuffix('_FILE')}"
    routes = text(root, "src/server.rs")
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        path = container.get(probe, {}).get("httpGet", {}).get("path")
        if f'"{path}"' not in routes:
            yield f"the {probe} asks for {path}, which is no route"
    pause = container.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
    if pod.get("terminationGracePeriodSeconds", 0) < DRAIN_SECONDS + pause:
        yield f"terminationGracePeriodSeconds leaves less than {DRAIN_SECONDS} s for draining"
    version = tomllib.loads(text(root, "Cargo.toml"))["workspace"]["package"]["version"]
    if not container["image"].endswith(f"/{NAME}:{version}"):
        yield f"the image is {container['image']}, and this is {version}"

    strategy, policies = deployment.get("strategy", {}), kinds["NetworkPolicy"]
    if base == "sqlite":
        database = env.get("DATABASE_URL", "").removeprefix("sqlite:")
        claim = volumes.get(mounts.get(str(Path(database).parent)), {}).get("persistentVolumeClaim", {})
        claims = {
            item["metadata"]["name"]: item["spec"]["accessModes"] for item in kinds.get("PersistentVolumeClaim", [])
        }
        if claims.get(claim.get("claimName")) != ["ReadWriteOnce"]:
            yield "the database is not in a volume of its own that one node writes to"
        if deployment.get("replicas") != 1 or strategy != {"type": "Recreate"}:
            yield "two processes might use one SQLite file"
    else:
        budget = kinds.get("PodDisruptionBudget", [{}])[0].get("spec", {}).get("maxUnavailable", deployment["replicas"])
        if deployment["replicas"] < 2 or budget >= deployment["replicas"]:
            yield "a disruption may take every replica"
        if strategy.get("rollingUpdate", {}).get("maxUnavailable") != 0:
            yield "an update leaves fewer replicas than there are"
        if (5432, "TCP") not in let_out(policies):
            yield "no NetworkPolicy lets the bot reach Postgres"
        apart = {spread.get("topologyKey") for spread in pod.get("topologySpreadConstraints", [])}
        if "DATABASE_URL_FILE" not in env or "kubernetes.io/hostname" not in apart:
            yield "the replicas share no database, or may all be on one node"
        if pause < PAUSE_SECONDS:
            yield "a pod goes before every balancer knows"
    yield from too_open(policies)
    for port in {(443, "TCP"), (53, "UDP"), (53, "TCP")} - {*let_out(policies)}:
        yield f"no NetworkPolicy lets the bot reach port {port[0]} over {port[1]}"
    if {"Ingress", "Egress"} != {way for policy in policies for way in policy["spec"].get("policyTypes", [])}:
        yield "no NetworkPolicy is for both ways, which leaves a way open"
    ways_in = {
        port["port"] for policy in policies for rule in policy["spec"].get("ingress", []) for port in rule["ports"]
    }
    sockets = "socket-mode" in components
    if ways_in != ({"metrics"} if sockets else {"http", "metrics"}) or bool(kinds.get("Service")) == sockets:
        yield f"it can be reached at {sorted(map(str, ways_in))}"
    yield from (f"it does not have {name}" for name in sorted(SECRETS - env.keys()))
    both = "both-ways" in components
    if ("SLACK_SIGNING_SECRET_FILE" in env, "SLACK_APP_TOKEN_FILE" in env) != (not sockets, sockets or both):
        yield "it does not have the secret of its way to Slack, or has another's"
    second = {name for name in ("FIVETRAN_API_KEY_2_FILE", "FIVETRAN_API_SECRET_2_FILE") if name in env}
    if len(second) != (2 if "second-key" in components else 0):
        yield "it does not have both halves of the second key, or has one unasked"


# fmt: off
# A file, a text in it and what that becomes, and what must be said of it.
PLANTED = [
    (f"{KUBE}/sqlite/kustomization.yaml", "- volume.yaml", "- volumes.yaml", "volumes.yaml"),
    (f"{KUBE}/base/deployment.yaml", "periodSeconds: 2", "periodSecond: 2", "periodSecond"),
    (f"{KUBE}/base/deployment.yaml", "runAsNonRoot: true", "runAsNonRoot: false", "runAsNonRoot"),
    (f"{KUBE}/base/deployment.yaml", "drop: [ALL]", "drop: [NET_RAW]", "capabilities"),
    (f"{KUBE}/base/deployment.yaml", "path: /readyz", "path: /ready", "/ready, which is no route"),
    (f"{KUBE}/base/deployment.yaml", "Seconds: 35", "Seconds: 30", "less than 35 s"),
    (f"{KUBE}/base/deployment.yaml", "name: SLACK_BOT_TOKEN_FILE", "name: SLACK_TOKEN_FILE", "sets SLACK_TOKEN_FILE"),
    (f"{KUBE}/base/deployment.yaml", "mountPath: /secrets", "mountPath: /secret", "where no Secret is mounted"),
    (f"{KUBE}/base/settings.env", "METRICS_ADDR", "METRIC_ADDR", "sets METRIC_ADDR"),
    (f"{KUBE}/base/kustomization.yaml", "newTag: ", "newTag: 9", "and this is"),
    (f"{KUBE}/base/service.yaml", "targetPort: http", "targetPort: web", "no port web"),
    (f"{KUBE}/base/network-policy.yaml", "\n    matchLabels: { app.kubernetes.io/name: connect-card }", " {}", "NetworkPolicy does not select"),
    (f"{KUBE}/components/ingress/ingress.yaml", "name: connect-card, port", "name: connect-cart, port", "the Ingress sends"),
    (f"{KUBE}/components/pod-monitor/pod-monitor.yaml", "port: metrics", "port: numbers", "no port numbers"),
    (f"{KUBE}/components/socket-mode/kustomization.yaml", "/spec/ingress/0 }", "/spec/ingress/1 }", "it can be reached at"),
    ("docs/deploying.md", "path: /spec/tls", "path: /spec/tsl", "docs/deploying.md's kustomization.yaml"),
    (f"{KUBE}/sqlite/deployment.yaml", "replicas: 1", "replicas: 2", "two processes"),
    (f"{KUBE}/sqlite/volume.yaml", "ReadWriteOnce", "ReadWriteMany", "not in a volume of its own"),
    (f"{KUBE}/postgres/deployment.yaml", "maxUnavailable: 0", "maxUnavailable: 1", "fewer replicas"),
    (f"{KUBE}/postgres/disruption-budget.yaml", "maxUnavailable: 1", "maxUnavailable: 2", "every replica"),
    (f"{KUBE}/postgres/deployment.yaml", '- { name: DATABASE_URL, value: "" }', "", "sets both DATABASE_URL and DATABASE_URL_FILE"),
    (f"{KUBE}/base/settings.env", "LOG_FORMAT=json", "SLACK_BOT_TOKEN=xoxb-1", "sets both SLACK_BOT_TOKEN and"),
    (f"{KUBE}/postgres/network-policy.yaml", "5432", "5433", "reach Postgres"),
    (f"{KUBE}/base/network-policy.yaml", "port: 443,", "port: 4443,", "no NetworkPolicy lets the bot reach port 443"),
    (f"{KUBE}/base/network-policy.yaml", "{ port: 53, protocol: UDP }, ", "", "no NetworkPolicy lets the bot reach port 53"),
    (f"{KUBE}/base/network-policy.yaml", "cidr: 0.0.0.0/0, except", "cidr: 198.51.100.0/24, except", "no NetworkPolicy lets the bot reach port 443"),
    (f"{KUBE}/base/network-policy.yaml", "[Ingress, Egress]", "[Ingress]", "leaves a way open"),
    (f"{KUBE}/base/network-policy.yaml", "port: metrics,", "port: 9001,", "it can be reached at"),
    (f"{KUBE}/base/deployment.yaml", "containerPort: 3000", "containerPort: 3001", "port http is 3001, and the bot listens at 3000"),
    (f"{KUBE}/base/settings.env", "LOG_FORMAT=json", "PORT=8080", "port http is 3000, and the bot listens at 8080"),
    (f"{KUBE}/base/settings.env", "LOG_FORMAT=json", "HOST=127.0.0.1", "the bot listens at 127.0.0.1 alone"),
    (f"{KUBE}/base/settings.env", "9000", "9100", "port metrics is 9000, and the bot listens at 9100"),
    (f"{KUBE}/base/settings.env", "0.0.0.0:9000", "127.0.0.1:9000", "the bot listens at 127.0.0.1 alone"),
    (f"{KUBE}/base/settings.env", "METRICS_ADDR=0.0.0.0:9000\n", "", "port metrics is 9000, and the bot listens at nothing"),
    (f"{KUBE}/base/deployment.yaml", "        fsGroup: 65532\n", "", "the pod's fsGroup"),
    (f"{KUBE}/base/deployment.yaml", "defaultMode: 0440", "defaultMode: 0444", "the pod's defaultMode"),
    (f"{KUBE}/base/deployment.yaml", "/secrets/SLACK_BOT_TOKEN }", "/secrets/BOT_TOKEN }", "SLACK_BOT_TOKEN_FILE is /secrets/BOT_TOKEN"),
    (f"{KUBE}/base/deployment.yaml", "secretName: connect-card,", "secretName: secrets,", "docs/deploying.md makes another Secret than secrets"),
    (f"{KUBE}/base/deployment.yaml", "configMapRef: { name: connect-card }", "configMapRef: { name: settings }", "reads no ConfigMap that is there"),
    (f"{KUBE}/base/deployment.yaml", "serviceAccountName: connect-card", "serviceAccountName: card", "runs as card, which is not there"),
    (f"{KUBE}/base/deployment.yaml", "path: /healthz, port: http }\n            periodSeconds: 10", "path: /readyz, port: http }\n            periodSeconds: 10", "the livenessProbe asks for http/readyz"),
    (f"{KUBE}/base/deployment.yaml", "path: /readyz, port: http", "path: /readyz, port: metrics", "the readinessProbe asks for metrics/readyz"),
    (f"{KUBE}/base/deployment.yaml", "path: /readyz", "path: /healthz", "the readinessProbe asks for http/healthz"),
    (f"{KUBE}/base/deployment.yaml", "limits: { memory", "limits: { cpu: 100m, memory", "has no limit on memory, or one on CPU"),
    (f"{KUBE}/base/deployment.yaml", "          image: connect-card\n", "          image: connect-card\n          args: [check]\n", "starts something else"),
    (f"{KUBE}/base/service.yaml", "targetPort: http", "targetPort: metrics", "the Service leads to metrics"),
    (f"{KUBE}/components/ingress/ingress.yaml", "path: /connected", "path: /connect", "the Ingress leaves out /connected/"),
    (f"{KUBE}/components/ingress/ingress.yaml", "path: /slack\n            pathType: Prefix", "path: /slack\n            pathType: Exact", "the Ingress leaves out /slack/"),
    (f"{KUBE}/components/pod-monitor/pod-monitor.yaml", "  jobLabel: app.kubernetes.io/name\n", "", "the PodMonitor's job is not connect-card"),
    (f"{KUBE}/components/pod-monitor/pod-monitor.yaml", "labels: { release", "annotations: { release", "the PodMonitor is of the release None"),
    ("docs/operations.md", "labels: { release: kube-prometheus-stack }", "labels: { release: prometheus }", "docs/operations.md's PrometheusRule is not"),
    (f"{KUBE}/components/pod-monitor/pod-monitor.yaml", "port: metrics", "port: http", "the PodMonitor scrapes http"),
    (f"{KUBE}/components/pod-monitor/pod-monitor.yaml", "interval: 15s", "interval: 15s\n      path: /numbers", "the PodMonitor scrapes metrics/numbers"),
    (f"{KUBE}/sqlite/kustomization.yaml", "namespace: connect-card", "namespace: default", "not in the namespace connect-card"),
    (f"{KUBE}/namespace.yaml", "enforce: restricted", "enforce: baseline", "the namespace lets in what is not restricted"),
    (f"{KUBE}/postgres/deployment.yaml", "preStop: { sleep: { seconds: 5 } }", "preStop: { sleep: { seconds: 1 } }", "goes before every balancer knows"),
    (f"{KUBE}/postgres/deployment.yaml", "topologyKey: kubernetes.io/hostname", "topologyKey: kubernetes.io/os", "may all be on one node"),
    (f"{KUBE}/postgres/network-policy.yaml", "protocol: TCP", "protocol: UDP", "reach Postgres"),
    (f"{KUBE}/components/both-ways/kustomization.yaml", "SLACK_APP_TOKEN_FILE", "SLACK_BOT_TOKEN_FILE", "the secret of its way to Slack"),
    (f"{KUBE}/components/second-key/kustomization.yaml", "/secrets/FIVETRAN_API_SECRET_2", "/secrets/FIVETRAN_API_SECRET", "FIVETRAN_API_SECRET_2_FILE is"),
    (f"{KUBE}/components/second-key/kustomization.yaml", "{ name: FIVETRAN_API_SECRET_2_FILE, value: /secrets/FIVETRAN_API_SECRET_2 }", "", "both halves"),
    (f"{KUBE}/base/network-policy.yaml", "        - namespaceSelector: { matchLabels: { kubernetes.io/metadata.name: monitoring } }\n", "", "lets everybody in"),
    (f"{KUBE}/base/network-policy.yaml", "169.254.0.0/16, ", "", "reach 169.254.0.0/16"),
    (f"{KUBE}/base/deployment.yaml", "            failureThreshold: 30\n", "", "less than 30 s to start"),
    (f"{KUBE}/base/deployment.yaml", "            - { name: FIVETRAN_API_SECRET_FILE, value: /secrets/FIVETRAN_API_SECRET }\n", "", "it does not have FIVETRAN_API_SECRET_FILE"),
    ("docs/deploying.md", "namespace: connect-card\n   resources", "resources", "is not in the namespace"),
]
# fmt: on

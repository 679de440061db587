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
    for components in ((), ("ingress", "pod-monitor"), ("socket-mode", "pod-monitor"))
    for base in ("sqlite", "postgres")
]
DRAIN_SECONDS = 35


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
        "runAsNonRoot": whole.get("runAsNonRoot") is True and whole.get("runAsUser") == 65532,
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
    served = {port["name"] for service in kinds.get("Service", []) for port in service["spec"]["ports"]}
    for ingress in kinds.get("Ingress", []):
        for path in (path for rule in ingress["spec"]["rules"] for path in rule["http"]["paths"]):
            if path["backend"]["service"]["name"] != NAME or path["backend"]["service"]["port"]["name"] not in served:
                yield f"the Ingress sends {path['path']} to a service or port that is not there"

    env = {item["name"]: item["value"] for item in container["env"]}
    settings = kinds["ConfigMap"][0]["data"]
    for name in sorted((env.keys() | settings.keys()) - variables(root)):
        yield f"sets {name}, which the bot does not read"
    # The bot refuses both; what is empty counts as unset.
    seen = {name for name, value in {**of_image(root), **settings, **env}.items() if value}
    yield from (f"sets both {name} and {name}_FILE" for name in sorted(seen) if f"{name}_FILE" in seen)
    mounts = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    for name, path in env.items():
        if name.endswith("_FILE") and "secret" not in volumes.get(mounts.get(str(Path(path).parent)), {}):
            yield f"{name} is {path}, where no Secret is mounted"
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
        if not any(
            port["port"] == 5432 for policy in policies for rule in policy["spec"]["egress"] for port in rule["ports"]
        ):
            yield "no NetworkPolicy lets the bot reach Postgres"
        if "DATABASE_URL_FILE" not in env or not pod.get("topologySpreadConstraints"):
            yield "the replicas share no database, or may all be on one node"
    ways_in = {
        port["port"] for policy in policies for rule in policy["spec"].get("ingress", []) for port in rule["ports"]
    }
    sockets = "socket-mode" in components
    if ways_in != ({"metrics"} if sockets else {"http", "metrics"}) or bool(kinds.get("Service")) == sockets:
        yield f"it can be reached at {sorted(ways_in)}"
    if ("SLACK_SIGNING_SECRET_FILE" in env, "SLACK_APP_TOKEN_FILE" in env) != (not sockets, sockets):
        yield "it does not have the secret of its way to Slack, or has another's"


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
]
# fmt: on

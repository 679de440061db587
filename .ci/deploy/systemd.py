"""The systemd unit: rated and verified by systemd-analyze, and held to what the bot needs, since a sandbox
in which it cannot work is rated best of all."""

import re
import tempfile
from pathlib import Path

from deploy.tree import run, text

UNIT = "deploy/systemd/connect-card.service"
DRAIN_SECONDS = 35
# Ten times what systemd-analyze prints.
EXPOSURE = 20
FAMILIES = {"AF_INET", "AF_INET6", "AF_UNIX", "AF_NETLINK"}


def systemd(root):
    unit = root / UNIT
    content, spoken = unit.read_text(encoding="utf-8"), {}
    for key, value in re.findall(r"^(\w+)=(.*)$", content, re.MULTILINE):
        spoken.setdefault(key, []).append(value)
    safe, said = run("systemd-analyze", "security", "--offline=true", f"--threshold={EXPOSURE}", "--no-pager", unit)
    if not safe:
        yield said.splitlines()[-1]
    with tempfile.TemporaryDirectory() as folder:
        # The program is not at its place here.
        copy = Path(folder, unit.name)
        copy.write_text(re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", content, flags=re.MULTILINE), encoding="utf-8")
        _, said = run("systemd-analyze", "verify", "--man=no", "--recursive-errors=no", copy)
        yield from (line.partition(f"{unit.name}:")[2] for line in said.splitlines() if unit.name in line)
    # A sandbox in which the bot cannot work is rated best of all.
    if not FAMILIES <= set(" ".join(spoken.get("RestrictAddressFamilies", [])).split()):
        yield f"RestrictAddressFamilies leaves out one of {sorted(FAMILIES)}"
    if set(spoken) & {"PrivateNetwork", "IPAddressDeny", "RootDirectory", "ReadOnlyPaths", "InaccessiblePaths"}:
        yield "it shuts the bot off from the network, or from files that it needs"
    state = spoken.get("StateDirectory", [""])[0]
    if f"DATABASE_URL=sqlite:/var/lib/{state}/" not in text(root, "docs/deploying.md"):
        yield f"docs/deploying.md does not put the database into /var/lib/{state}"
    if int(spoken.get("TimeoutStopSec", ["0"])[0]) < DRAIN_SECONDS:
        yield f"TimeoutStopSec leaves less than {DRAIN_SECONDS} s for draining"
    if spoken.get("ExecReload") != ["/bin/kill -HUP $MAINPID"] or spoken.get("Restart") != ["always"]:
        yield "it is not reloaded by SIGHUP, or not always restarted"


# fmt: off
# A file, a text in it and what that becomes, and what must be said of it.
PLANTED = [
    (UNIT, "CapabilityBoundingSet=\nAmbientCapabilities=\nPrivateUsers=yes\n", "", "exposure level"),
    (UNIT, "UMask=", "Umask=", "Unknown key"),
    (UNIT, "AF_INET6 ", "", "leaves out"),
    (UNIT, "PrivateTmp=yes", "IPAddressDeny=any", "shuts the bot off"),
    (UNIT, "StateDirectory=connect-card", "StateDirectory=card", "does not put the database into"),
]
# fmt: on

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
# What the bot needs to the letter, or what docs/deploying.md believes. Many a sandbox is rated no worse
# without them.
EXACT = {
    "After": ["network-online.target"],
    "Wants": ["network-online.target"],
    "StartLimitIntervalSec": ["0"],
    "Type": ["exec"],
    "User": ["connect-card"],
    "Group": ["connect-card"],
    "ExecStart": ["/usr/local/bin/connect-card serve"],
    "WorkingDirectory": ["/etc/connect-card"],
    "ConfigurationDirectory": ["connect-card"],
    "ConfigurationDirectoryMode": ["0750"],
    "StateDirectoryMode": ["0700"],
    "ExecReload": ["/bin/kill -HUP $MAINPID"],
    "Restart": ["always"],
    "RestartSec": ["2"],
    # src/cli.rs: a variable is wrong.
    "RestartPreventExitStatus": ["2"],
    "UMask": ["0077"],
    "ProtectSystem": ["strict"],
    "SystemCallFilter": ["@system-service", "~@privileged @resources"],
    "SystemCallErrorNumber": ["EPERM"],
    "WantedBy": ["multi-user.target"],
    "DevicePolicy": ["closed"],
    "ProtectProc": ["invisible"],
    "ProcSubset": ["pid"],
    "CapabilityBoundingSet": [""],
    "AmbientCapabilities": [""],
    "KeyringMode": ["private"],
    "SystemCallArchitectures": ["native"],
}
# The rest of the sandbox. Each of them alone may go without the whole being rated above what is allowed.
YES = """
    ProtectHome PrivateTmp PrivateDevices PrivateMounts RemoveIPC
    ProtectClock ProtectControlGroups ProtectHostname ProtectKernelLogs ProtectKernelModules ProtectKernelTunables
    NoNewPrivileges PrivateUsers RestrictNamespaces RestrictRealtime RestrictSUIDSGID LockPersonality
    MemoryDenyWriteExecute
""".split()
# What shuts the bot off from the network, or from files that it needs.
SHUTS_OFF = {
    "PrivateNetwork", "IPAddressDeny", "SocketBindDeny", "RestrictNetworkInterfaces", "RootDirectory", "RootImage",
    "ReadOnlyPaths", "InaccessiblePaths", "NoExecPaths", "TemporaryFileSystem",
}  # fmt: skip
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
    if set(spoken) & SHUTS_OFF:
        yield "it shuts the bot off from the network, or from files that it needs"
    state = spoken.get("StateDirectory", [""])[0]
    if f"DATABASE_URL=sqlite:/var/lib/{state}/" not in text(root, "docs/deploying.md"):
        yield f"docs/deploying.md does not put the database into /var/lib/{state}"
    if int(spoken.get("TimeoutStopSec", ["0"])[0]) < DRAIN_SECONDS:
        yield f"TimeoutStopSec leaves less than {DRAIN_SECONDS} s for draining"
    for key, wanted in {**EXACT, **dict.fromkeys(YES, ["yes"])}.items():
        if spoken.get(key) != wanted:
            yield f"{key} is not {' and '.join(wanted) or 'empty'}"
    if {"Environment", "EnvironmentFile", "PassEnvironment"} & set(spoken):
        yield "it puts the secrets into its environment, where other processes may read them"


# fmt: off
# A file, a text in it and what that becomes, and what must be said of it.
PLANTED = [
    (UNIT, "CapabilityBoundingSet=\nAmbientCapabilities=\nPrivateUsers=yes\n", "", "exposure level"),
    (UNIT, "UMask=", "Umask=", "Unknown key"),
    (UNIT, "AF_INET6 ", "", "leaves out"),
    (UNIT, "PrivateTmp=yes", "IPAddressDeny=any", "shuts the bot off"),
    (UNIT, "StateDirectory=connect-card", "StateDirectory=card", "does not put the database into"),
    (UNIT, "User=connect-card\nGroup=connect-card\n", "", "User is not connect-card"),
    (UNIT, "Group=connect-card", "Group=root", "Group is not connect-card"),
    (UNIT, "connect-card serve", "connect-card serv", "ExecStart is not"),
    (UNIT, "=/usr/local/bin/", "=/usr/bin/", "ExecStart is not"),
    (UNIT, "WorkingDirectory=/etc/connect-card", "WorkingDirectory=/etc/connectcard", "WorkingDirectory is not /etc/connect-card"),
    (UNIT, "SystemCallFilter=~@privileged @resources", "SystemCallFilter=~@privileged @resources\nSystemCallFilter=~@network-io", "SystemCallFilter is not"),
    (UNIT, "SystemCallErrorNumber=EPERM\n", "", "SystemCallErrorNumber is not"),
    (UNIT, "RestartPreventExitStatus=2\n", "", "RestartPreventExitStatus is not 2"),
    (UNIT, "Restart=always", "Restart=on-failure", "Restart is not always"),
    (UNIT, "StartLimitIntervalSec=0\n", "", "StartLimitIntervalSec is not 0"),
    (UNIT, "-HUP $MAINPID", "-TERM $MAINPID", "ExecReload is not"),
    (UNIT, "Type=exec", "Type=oneshot", "Type is not exec"),
    (UNIT, "UMask=0077", "UMask=0022", "UMask is not 0077"),
    (UNIT, "StateDirectoryMode=0700\n", "", "StateDirectoryMode is not 0700"),
    (UNIT, "ConfigurationDirectoryMode=0750\n", "", "ConfigurationDirectoryMode is not 0750"),
    (UNIT, "ProtectSystem=strict", "ProtectSystem=full", "ProtectSystem is not strict"),
    (UNIT, "PrivateTmp=yes", "SocketBindDeny=any", "shuts the bot off"),
    (UNIT, "PrivateTmp=yes", "NoExecPaths=/usr/local", "shuts the bot off"),
    (UNIT, "PrivateTmp=yes", "EnvironmentFile=/etc/connect-card/.env", "puts the secrets into its environment"),
    (UNIT, "After=network-online.target\nWants=network-online.target\n", "", "After is not network-online.target"),
    (UNIT, "NoNewPrivileges=yes\n", "", "NoNewPrivileges is not yes"),
    (UNIT, "AmbientCapabilities=\n", "AmbientCapabilities=CAP_NET_ADMIN\n", "AmbientCapabilities is not empty"),
    (UNIT, "ProtectProc=invisible\n", "", "ProtectProc is not invisible"),
    (UNIT, "WantedBy=multi-user.target", "WantedBy=graphical.target", "WantedBy is not multi-user.target"),
]
# fmt: on

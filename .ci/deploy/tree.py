"""What every part of .ci/check_deploy needs: a tool's verdict, a file's text, and the bot's variables."""

import re
import subprocess


def run(*command, **more):
    """What a tool said, and whether it was content."""
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False, **more)
    return done.returncode == 0, (done.stdout + done.stderr).strip()


def text(root, name):
    return (root / name).read_text(encoding="utf-8")


def variables(root):
    """Every name that the bot reads, secrets' files included."""
    names = text(root, "src/config/names.rs")
    lists = dict(re.findall(r"const (NAMES|SECRETS): [^=]*= \[(.*?)\];", names, re.DOTALL))
    known, secrets = (set(re.findall(r'"(\w+)"', lists.get(name, ""))) for name in ("NAMES", "SECRETS"))
    if len(known) < 20 or not secrets:
        raise SystemExit("src/config/names.rs: the variables cannot be found any more; mend .ci/check_deploy")
    return known | {f"{name}_FILE" for name in secrets}

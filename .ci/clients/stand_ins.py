"""Starts the stand-ins and talks to them; what the checks with each partner's client share.

Owns the started process. Must not know either client.
"""

import functools
import json
import os
import subprocess
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

# Both clients would send what is for loopback to a proxy of the machine's.
for name in ["http_proxy", "https_proxy", "all_proxy"]:
    os.environ.pop(name, None)
    os.environ.pop(name.upper(), None)


@functools.cache
def program():
    """The stand-ins' program, built as `cargo test` builds it."""
    command = ["cargo", "build", "--quiet", "--locked", "--example", "serve", "--message-format=json"]
    built = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True, text=True)
    made = [json.loads(line) for line in built.stdout.splitlines()]
    return next(one["executable"] for one in made if one.get("executable"))


class Case(unittest.TestCase):
    """A test with stand-ins of its own."""

    # What shall go wrong from the start on, for a check of this check: partner, route, status, body, or
    # another thing to do.
    fault = None

    def setUp(self):
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        process = subprocess.Popen([program()], text=True, **pipes)
        # They end with their input.
        self.addCleanup(process.wait)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.stdin.close)
        self._process = process
        started = json.loads(process.stdout.readline())
        self.slack, self.fivetran = started["slack"], started["fivetran"]
        if self.fault:
            self.tell(**{"do": "answer", **self.fault})

    def tell(self, do, **words):
        """Has the stand-ins do one thing, which stand-ins/examples/serve.rs lists."""
        print(json.dumps({"do": do, **words}), file=self._process.stdin, flush=True)
        answer = json.loads(self._process.stdout.readline())
        self.assertNotIn("error", answer)
        return answer["done"]

"""Slack's markup as nodes: every case of blocks_cases.json, as the browser makes it."""

import json
from pathlib import Path

from harness import Stage

CASES = json.loads((Path(__file__).parent / "blocks_cases.json").read_text())
# What a case's text becomes, with no attribute but where it leads.
DRAW = """async (cases) => {
  const { mrkdwn } = await import("./mrkdwn.js");
  const people = { U0ALICE: "Alice" }, channels = { C0CUSTOMER: "ext-customer" };
  return cases.map(({ text, zone, now, verbatim }) => {
    const drawn = document.createElement("div");
    const env = { zone, now: now && Date.parse(now), user: (id) => people[id], channel: (id) => channels[id] };
    drawn.append(mrkdwn(text, env, { verbatim }));
    for (const node of drawn.querySelectorAll("*"))
      for (const name of node.getAttributeNames()) if (name !== "href") node.removeAttribute(name);
    return { html: drawn.innerHTML, reads: drawn.textContent };
  });
}"""


class Markup(Stage):
    def test_every_case_is_drawn_as_slack_does(self):
        page = self.context().new_page()
        page.goto(self.sandbox.url)
        drawn = page.evaluate(DRAW, CASES)
        self.assertGreater(len(CASES), 100)
        self.assertEqual(len(drawn), len(CASES))
        for case, became in zip(CASES, drawn):
            with self.subTest(case["name"]):
                self.assertEqual(became["html"], case["html"])
                self.assertEqual(became["reads"], case.get("reads", became["reads"]))


PLANTED = [
    ({"is": "an escape that is undone twice", "file": "mrkdwn.js",
      "text": "export function mrkdwn(text, ", "becomes": 'export function mrkdwn(text, ...rest) { return once(text.replaceAll("&amp;", "&"), ...rest); }\nfunction once(text, '},
     "test_every_case_is_drawn_as_slack_does", 'case["html"]'),
]

"""Fivetran's own command line against the stand-in for Fivetran.

Owns what a person with `fivetran-cli` would see of the routes that the stand-in has. What the bot
says to Fivetran is tested elsewhere; this is about the stand-in, which must answer as Fivetran does.
"""

import base64
import contextlib
import io
import json
import os

import stand_ins

# The command line would tell its makers who used it and for what.
os.environ["DO_NOT_TRACK"] = "1"

# It says at once that its part for connectors of one's own, which is not installed, is missing.
with contextlib.redirect_stderr(io.StringIO()):
    import fivetran_cli
    import fivetran_cli.http.config

CONNECTION = {
    "service": "google_ads", "group_id": "sandbox_group", "run_setup_tests": False, "paused": False,
    "destination_schema_names": "FIVETRAN_NAMING", "config": {"schema": "acme"},
    "connect_card_config": {"redirect_uri": "https://bot.example/connected/abc"},
}


class FivetranCli(stand_ins.Case):
    def setUp(self):
        super().setUp()
        # It has no option for this.
        fivetran_cli.http.config.DEFAULT_BASE_URL = self.fivetran["url"]
        self.key = self.encoded(self.fivetran["key"], self.fivetran["secret"])

    @staticmethod
    def encoded(key, secret):
        return base64.b64encode(f"{key}:{secret}".encode()).decode()

    def run_cli(self, line, config=None):
        words = ["beta", *line.split(), "--api-key", self.key]
        if config is not None:
            words += ["--config", json.dumps(config)]
        out, err = io.StringIO(), io.StringIO()
        code = fivetran_cli.run(words, stdout=out, stderr=err)
        return code, out.getvalue(), err.getvalue()

    def fetch(self, line, config=None):
        code, out, err = self.run_cli(line + " --output json", config)
        self.assertEqual(code, 0, err)
        answer = json.loads(out)
        self.assertEqual(answer["code"], "Success")
        return answer

    def refused(self, line, reason, config=None):
        code, _, err = self.run_cli(line, config)
        self.assertEqual(code, 1, f"{line} was not refused")
        self.assertIn(reason, err)

    def create(self, **changes):
        return self.fetch("connection create", {**CONNECTION, **changes})["data"]

    def test_a_key_opens_its_account(self):
        account = self.fetch("account get")["data"]
        self.assertEqual(set(account), {"account_id", "account_name", "user_id"})

    def test_a_wrong_key_opens_nothing(self):
        # fivetran.md, 2: 401 is a missing or malformed header or a bad pair.
        for key in [self.encoded(self.fivetran["key"], "wrong"), "not-base64", self.fivetran["key"]]:
            self.key = key
            for line in ["account get", "group list", "connection list", "connection get --connection-id x"]:
                self.refused(line, "Authentication failed")
        # This one takes no key.
        self.assertGreater(len(self.fetch("public-connector list")["data"]), 10)

    def test_groups_are_destinations(self):
        # fivetran.md, 4: a group's id is its destination's.
        group = self.fivetran["group_id"]
        listed = self.fetch("group list")["data"]["items"]
        self.assertEqual([(one["id"], one["name"]) for one in listed], [(group, self.fivetran["group_name"])])
        self.assertEqual(self.fetch(f"group get --group-id {group}")["data"], listed[0])
        destination = self.fetch(f"destination get --destination-id {group}")["data"]
        self.assertEqual((destination["id"], destination["group_id"]), (group, group))
        self.assertEqual(destination["setup_status"], "connected")
        self.assertEqual(self.fetch("destination list")["data"]["items"], [destination])
        self.refused("group get --group-id nowhere", "Cannot find entity 'Group' with id 'nowhere'")
        self.refused("destination get --destination-id x", "Cannot find entity 'Destination' with id 'x'")

    def test_the_catalogue_tells_what_a_service_wants(self):
        # fivetran.md, 3: the list has no `config`, the single read has.
        listed = self.fetch("connector-metadata list")["data"]["items"]
        self.assertTrue(all("config" not in one for one in listed))
        sheets = self.fetch("connector-metadata get --service google_sheets")["data"]
        self.assertEqual(sheets["config"]["required"], ["schema", "table"])
        self.refused("connector-metadata get --service adwords", "Cannot find entity")
        public = self.fetch("public-connector list")["data"]
        self.assertEqual([one["id"] for one in public], [one["id"] for one in listed])

    def test_lists_come_in_pages_that_fit_together(self):
        # fivetran.md, 3: 100 on a page unless asked otherwise, and the cursor is absent on the last.
        ids = self.tell("seed", group=self.fivetran["group_id"], schema="s", count=250)
        listed = self.fetch("connection list")["data"]
        self.assertEqual([one["id"] for one in listed["items"]], ids)
        self.assertIsNone(listed.get("next_cursor"))
        some = self.fetch("connection list --limit 120")["data"]["items"]
        self.assertEqual([one["id"] for one in some], ids[:120])
        # fivetran.md, 4: partial matches are not supported.
        named = self.fetch("connection list --schema s_24")["data"]["items"]
        self.assertEqual([one["id"] for one in named], [ids[24]])
        none = self.fetch("connection list --group-id sandbox_group --schema s_")["data"]["items"]
        self.assertEqual(none, [])
        broken = self.fetch("connection list --filter status.setup_state=broken")["data"]["items"]
        self.assertEqual(broken, [])

    def test_a_connection_is_made_with_its_card(self):
        made = self.create()
        card = made["connect_card"]
        self.assertIn("redirect_uri=https://bot.example/connected/abc", card["uri"])
        self.assertIn(card["token"], card["uri"])
        claims = card["token"].split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
        self.assertEqual(claims["d"]["connector"], made["id"])
        self.assertEqual((made["schema"], made["status"]["setup_state"]), ("acme", "incomplete"))
        # Only what makes a card shows it.
        seen = self.fetch(f"connection get --connection-id {made['id']}")["data"]
        self.assertNotIn("connect_card", seen)
        self.tell("finish", connection=made["id"])
        seen = self.fetch(f"connection get --connection-id {made['id']}")["data"]
        self.assertEqual(seen["status"]["setup_state"], "connected")
        # A table has a column for everything that a connection is said to have.
        code, table, err = self.run_cli("connection list --all-columns")
        self.assertEqual(code, 0, err)
        self.assertIn(made["id"], table)

    def test_what_a_creation_must_have(self):
        def refused(reason, **changes):
            body = {name: value for name, value in {**CONNECTION, **changes}.items() if value != ...}
            self.refused("connection create", reason, body)

        refused("Field 'group_id' is required", group_id=...)
        refused("Field 'service' is required", service=...)
        refused("Field 'schema' is required", config={"schema_prefix": "acme"})
        refused("Field 'schema' is required", config=...)
        refused("Unsupported connector service 'adwords'", service="adwords")
        refused("Cannot find entity 'Group' with id 'nowhere'", group_id="nowhere")
        refused("destination_schema_names", destination_schema_names="OURS")
        # fivetran.md, 1: `redirect_uri` is required inside, and begins with http:// or https://.
        refused("Field 'redirect_uri' is required", connect_card_config={})
        refused("Field 'redirect_uri' must start with", connect_card_config={"redirect_uri": "bot.example"})
        self.create()
        # fivetran.md, 3: unique in its destination.
        refused("already exists", service="stripe")
        self.assertEqual(len(self.fetch("connection list")["data"]["items"]), 1)

    def test_a_connection_is_changed(self):
        one = "--connection-id " + self.create()["id"]

        def update(config):
            return self.fetch(f"connection update {one}", config)["data"]

        self.assertEqual(update({"paused": True})["status"]["sync_state"], "paused")
        self.assertEqual(update({"sync_frequency": 1440, "daily_sync_time": "14:00"})["sync_frequency"], 1440)
        # fivetran.md, 4: text is taken for what it means, if it means something that is allowed.
        self.assertIs(update({"paused": "false"})["paused"], False)
        for config in [{"paused": "perhaps"}, {"sync_frequency": 7}, {"schedule_type": "never"}]:
            self.refused(f"connection update {one}", "Invalid value", config)
        # fivetran.md, 3: what a connection is named by is permanent.
        self.refused(f"connection update {one}", "cannot be changed", {"config": {"schema": "other"}})
        # fivetran.md, 4: at least one field that stays.
        self.refused(f"connection update {one}", "persistent field", {"run_setup_tests": True})
        # Without a body there is no Content-Type, and a change must have one: fivetran.md, 1.
        self.refused(f"connection update {one}", "415")

    def test_a_sync_begins_where_it_can(self):
        connection = self.create()["id"]
        sync = f"connection sync --connection-id {connection}"
        self.refused(sync, "incomplete", {"force": False})
        self.tell("finish", connection=connection)
        # The first one has begun by itself. fivetran.md, 2: 409 for a sync that is already running.
        self.refused(sync, "already in progress", {"force": False})
        self.fetch(sync, {"force": True})

    def test_a_deleted_connection_is_gone_and_its_name_free(self):
        one = "--connection-id " + self.create()["id"]
        self.assertIn("has been deleted", self.fetch(f"connection delete {one} --yes")["message"])
        for line in [f"connection get {one}", f"connection delete {one} --yes"]:
            self.refused(line, "Cannot find entity 'Connection'")
        for verb, config in [("sync", {}), ("update", {"paused": True})]:
            self.refused(f"connection {verb} {one}", "Cannot find entity 'Connection'", config)
        self.create()

    def test_a_system_key_does_what_its_permissions_say_and_no_more(self):
        connection = self.create()["id"]
        permissions = [{"resource_type": "CONNECTOR", "access_level": "READ"}]
        made = self.fetch("system-key create", {"name": "reader", "permissions": permissions})["data"]
        owner, self.key = self.key, self.encoded(made["key"], made["secret"])
        self.assertEqual(len(self.fetch("connection list")["data"]["items"]), 1)
        self.refused("connection create", "CONNECTOR_MANAGE", {**CONNECTION, "config": {"schema": "x"}})
        self.refused(f"connection delete --connection-id {connection} --yes", "CONNECTOR_MANAGE")
        self.refused("account get", "ACCOUNT_READ")
        self.refused(f"system-key get --key-id {made['id']}", "Access denied")
        self.key = owner
        self.assertEqual(self.fetch(f"system-key get --key-id {made['id']}")["data"]["id"], made["id"])


# What each planted fault must be noticed by.
PLANTED = [
    ({"partner": "fivetran", "route": "create_connection", "status": 201,
      "body": {"code": "Success", "data": {"id": "always_well"}}}, "test_what_a_creation_must_have"),
    ({"partner": "fivetran", "route": "account", "status": 200,
      "body": {"code": "Success", "data": {}}}, "test_a_wrong_key_opens_nothing"),
    ({"partner": "fivetran", "route": "list_page", "status": 200,
      "body": {"code": "Success", "data": {"items": []}}}, "test_lists_come_in_pages_that_fit_together"),
    ({"partner": "fivetran", "route": "group", "status": 200,
      "body": {"code": "Success", "data": {"id": "sandbox_group"}}}, "test_groups_are_destinations"),
]

"""Slack's own Python client against the stand-in for Slack, and on what the bot shows.

Owns what a bot written with `slack_sdk` would see of the methods that the stand-in has: the client
of the Web API and of response_urls, the check of signatures, the models of blocks, and Socket Mode. What our bot
does with Slack is tested elsewhere; this is about the stand-in, which must answer as Slack does.
"""

import http.server
import json
import queue
import threading
import time
import urllib.parse
import warnings

import stand_ins
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from slack_sdk.models.blocks import (
    ActionsBlock, Block, ButtonElement, DividerBlock, InputBlock, Option, OptionGroup, PlainTextInputElement, SectionBlock,
)
from slack_sdk.models.views import View
from slack_sdk.signature import SignatureVerifier
from slack_sdk.socket_mode import SocketModeClient
from slack_sdk.socket_mode.response import SocketModeResponse
from slack_sdk.webhook import WebhookClient

# By then it has happened, or never does.
PATIENCE = 20
CHANNEL = "C0CUSTOMER"
TYPED = {"typed": "/connect-card adwords customer_schema", "channel": CHANNEL, "user": "U0ALICE"}


class Bot(http.server.HTTPServer):
    """A bot that keeps what reaches it, and answers as it is told."""

    def __init__(self, respond=lambda form: None):
        super().__init__(("127.0.0.1", 0), Receiver)
        self.respond, self.seen = respond, []
        self.thread = threading.Thread(target=self.serve_forever)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.shutdown()
        self.thread.join()
        self.server_close()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}"


class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.seen.append((dict(self.headers), body))
        answer = self.server.respond(dict(urllib.parse.parse_qsl(body.decode(), keep_blank_values=True)))
        answer = b"" if answer is None else json.dumps(answer).encode()
        self.send_response(200)
        if answer:
            self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


def blocks(*of):
    return [block.to_dict() for block in of]


BUTTON = ActionsBlock(elements=[ButtonElement(text="Renew", action_id="renew", value="7")])
MODAL = View(
    type="modal", title="New", submit="Create", callback_id="new",
    blocks=[InputBlock(block_id="schema", label="Schema", element=PlainTextInputElement(action_id="name"))],
)


class SlackSdk(stand_ins.Case):
    def setUp(self):
        super().setUp()
        # What slack_sdk itself finds doubtful in a call is a fault of the call.
        caught = warnings.catch_warnings()
        caught.__enter__()
        self.addCleanup(caught.__exit__, None, None, None)
        warnings.simplefilter("error", UserWarning)
        self.client = self.with_token(self.slack["bot_token"])

    def with_token(self, token):
        return WebClient(token, base_url=self.slack["api_url"])

    def refused(self, error, call, *args, **kwargs):
        """The answer to a call that is refused with this word."""
        with self.assertRaises(SlackApiError) as raised:
            call(*args, **kwargs)
        answer = raised.exception.response
        self.assertEqual(answer["error"], error, answer.data)
        return answer

    def post(self, **arguments):
        return self.client.chat_postMessage(channel=CHANNEL, **arguments)

    def test_a_token_tells_whose_it_is(self):
        answer = self.client.auth_test()
        for name, there in [("team_id", "team_id"), ("bot_id", "bot_id"), ("user_id", "bot_user_id")]:
            self.assertEqual(answer[name], self.slack[there])
        # slack.md, 5: a header lists the scopes.
        self.assertIn("chat:write", answer.headers["x-oauth-scopes"].split(","))

    def test_a_wrong_token_opens_nothing(self):
        for token, error in [("xoxb-another", "invalid_auth"), (None, "not_authed")]:
            client = self.with_token(token)
            # Of a token that is not known there are no scopes to tell.
            self.assertNotIn("x-oauth-scopes", self.refused(error, client.auth_test).headers)
            self.refused(error, client.users_info, user="U0ALICE")
            self.refused(error, client.chat_postMessage, channel=CHANNEL, text="x")
            self.refused(error, client.views_open, trigger_id=self.tell("trigger_id"), view=MODAL)
        self.assertEqual(self.tell("messages"), [])

    def test_people_and_channels_are_looked_up(self):
        user = self.client.users_info(user="U0GUEST")["user"]
        self.assertEqual((user["id"], user["is_restricted"], user["team_id"]),
                         ("U0GUEST", True, self.slack["team_id"]))
        # slack.md, 3: an outsider has a team of their own, and `is_stranger`.
        self.assertIn("is_stranger", self.client.users_info(user="U0OUTSIDER")["user"])
        self.refused("user_not_found", self.client.users_info, user="U0NOBODY")
        self.assertFalse(self.client.conversations_info(channel=CHANNEL)["channel"]["is_ext_shared"])
        self.assertTrue(self.client.conversations_info(channel="C0SHARED")["channel"]["is_ext_shared"])
        # slack.md, 3: a private channel that the bot is not in is not there.
        for channel in ["C0PRIVATE", "C0NOWHERE"]:
            self.refused("channel_not_found", self.client.conversations_info, channel=channel)
        members = self.client.usergroups_users_list(usergroup="S0SETUP")["users"]
        self.assertEqual(members, ["U0ALICE"])
        self.refused("no_such_subteam", self.client.usergroups_users_list, usergroup="S0NONE")

    def test_a_message_is_posted_and_changed(self):
        posted = self.post(text="one", blocks=blocks(SectionBlock(text="*one*"), BUTTON),
                           unfurl_links=False, unfurl_media=False)
        self.assertEqual(posted["channel"], CHANNEL)
        self.assertEqual(posted["message"]["bot_id"], self.slack["bot_id"])
        place = {"channel": CHANNEL, "ts": posted["ts"]}
        changed = self.client.chat_update(**place, text="two")
        self.assertEqual((changed["ts"], changed["text"]), (posted["ts"], "two"))
        self.assertEqual(self.tell("messages"), ["two"])
        answered = self.post(text="three", thread_ts=posted["ts"])
        self.assertGreater(answered["ts"], posted["ts"])
        alone = self.client.chat_postEphemeral(channel=CHANNEL, user="U0ALICE", text="four")
        # slack.md, 5: an ephemeral message cannot be changed.
        self.refused("cant_update_message", self.client.chat_update,
                     channel=CHANNEL, ts=alone["message_ts"], text="five")

    def test_what_a_message_must_be(self):
        # slack.md, 5: the errors of each method.
        self.refused("channel_not_found", self.client.chat_postMessage, channel="C0NOWHERE", text="x")
        self.refused("channel_not_found", self.client.chat_postMessage, channel="C0PRIVATE", text="x")
        self.refused("no_text", self.client.api_call, "chat.postMessage", json={"channel": CHANNEL})
        self.refused("user_not_in_channel", self.client.chat_postEphemeral,
                     channel=CHANNEL, user="U0OUTSIDER", text="x")
        # What slack_sdk always sends itself: laravel-slack-api, issue 38, has the words.
        answer = self.refused("invalid_arguments", self.client.api_call, "chat.postMessage", json={"text": "x"})
        self.assertEqual(answer["response_metadata"]["messages"], ["[ERROR] missing required field: channel"])
        ts = self.post(text="one")["ts"]
        self.refused("message_not_found", self.client.chat_update, channel=CHANNEL, ts="1.0", text="x")
        self.client.chat_update(channel=CHANNEL, ts=ts, text="x" * 4000)
        self.refused("msg_too_long", self.client.chat_update, channel=CHANNEL, ts=ts, text="x" * 4001)
        self.refused("unknown_method", self.client.api_call, "chat.dance")

    def test_blocks_have_limits(self):
        def section(length):
            text = {"type": "mrkdwn", "text": "x" * length}
            return {"type": "section", "text": text}

        # slack.md, 6.1: 50 blocks of a message, 3000 characters of a section, and so on.
        for well, ill in [
            ([DividerBlock().to_dict()] * 50, [DividerBlock().to_dict()] * 51),
            ([section(3000)], [section(3001)]),
            (blocks(BUTTON), [{"type": "actions", "elements": []}]),
            ([{"type": "divider"}], [{"type": "divisor"}]),
            # grafana/oncall, pull request 702: no field that Slack does not know.
            ([{"type": "divider"}], [{"type": "divider", "emoji": True}]),
            ([{"type": "divider"}], [MODAL.blocks[0].to_dict()]),
        ]:
            self.post(text="x", blocks=well)
            answer = self.refused("invalid_blocks", self.post, text="x", blocks=ill)
            self.assertTrue(answer["response_metadata"]["messages"])
        self.refused("invalid_blocks_format", self.post, text="x", blocks="not JSON")

    def test_a_view_opens_once_and_soon(self):
        opened = self.client.views_open(trigger_id=(first := self.tell("trigger_id")), view=MODAL)["view"]
        self.refused("exchanged_trigger_id", self.client.views_open, trigger_id=first, view=MODAL)
        self.refused("invalid_trigger_id", self.client.views_open, trigger_id="1.2.x", view=MODAL)
        # slack.md, 1.1: it expires three seconds after it is sent.
        late = self.tell("trigger_id")
        self.tell("advance", seconds=4)
        self.refused("expired_trigger_id", self.client.views_open, trigger_id=late, view=MODAL)
        again = {"view_id": opened["id"], "view": MODAL, "hash": opened["hash"]}
        self.client.views_update(**again)
        self.refused("hash_conflict", self.client.views_update, **again)
        # slack.md, 6.1: `submit` is required with inputs, and a title has 24 characters.
        for part in [{"submit": None}, {"title": {"type": "plain_text", "text": "x" * 25}}]:
            view = {name: value for name, value in {**MODAL.to_dict(), **part}.items() if value}
            self.refused("invalid_arguments", self.client.views_open,
                         trigger_id=self.tell("trigger_id"), view=view)

    def test_a_home_is_published_over_the_one_that_its_hash_names(self):
        home = {"type": "home", "blocks": [block.to_dict() for block in MODAL.blocks[:1]]}
        first = self.client.views_publish(user_id="U0ALICE", view=home)["view"]
        guarded = {"user_id": "U0ALICE", "view": home, "hash": first["hash"]}
        self.assertEqual(self.client.views_publish(**guarded)["view"]["id"], first["id"])
        self.refused("hash_conflict", self.client.views_publish, **guarded)
        self.refused("invalid_arguments", self.client.views_publish, user_id="U0ALICE", view=MODAL)

    def test_a_file_is_sent_by_its_three_steps(self):
        direct = self.client.chat_postMessage(channel="U0ALICE", text="x")["channel"]
        sent = self.client.files_upload_v2(filename="a.csv", content="a,b\r\n", channel=direct, initial_comment="x")
        self.assertEqual(sent["files"][0]["title"], "a.csv")
        step = self.client.files_getUploadURLExternal(filename="a.csv", length=3)
        self.refused("file_not_found", self.client.files_completeUploadExternal,
                     files=[{"id": step["file_id"]}], channel_id=direct)

    def test_a_response_url_takes_five_messages_within_half_an_hour(self):
        # slack.md, 1.5
        hook = WebhookClient(self.tell("response_url", channel="C0PRIVATE", user="U0ALICE"))
        self.assertEqual(hook.send(response_type="in_channel").body, "no_text")
        for n in range(5):
            answer = hook.send(text=str(n), replace_original=n == 1)
            self.assertEqual((answer.status_code, answer.body), (200, "ok"))
        self.assertEqual(self.tell("messages"), ["1", "2", "3", "4"])
        sixth = hook.send(text="5")
        self.assertEqual((sixth.status_code, json.loads(sixth.body)["error"]), (404, "used_url"))
        late = WebhookClient(self.tell("response_url", channel=CHANNEL, user="U0ALICE"))
        self.tell("advance", seconds=30 * 60 + 1)
        answer = late.send(text="x")
        self.assertEqual((answer.status_code, json.loads(answer.body)["error"]), (404, "expired_url"))
        self.assertEqual(WebhookClient(late.url + "x").send(text="x").status_code, 404)

    def test_a_command_is_signed_and_its_trigger_opens_a_view(self):
        def open_view(form):
            self.client.views_open(trigger_id=form["trigger_id"], view=MODAL)
            return {"response_type": "ephemeral", "text": "Fill in the form."}

        with Bot(open_view) as bot:
            ack = self.tell("command", to=bot.url, **TYPED)
        self.assertEqual((ack["status"], json.loads(ack["body"])["text"]), (200, "Fill in the form."))
        [(headers, body)] = bot.seen
        verifier = SignatureVerifier(self.slack["signing_secret"])
        self.assertTrue(verifier.is_valid_request(body, headers))
        self.assertFalse(verifier.is_valid_request(body + b"&x=1", headers))
        self.assertFalse(SignatureVerifier("another").is_valid_request(body, headers))
        form = dict(urllib.parse.parse_qsl(body.decode()))
        self.assertEqual((form["command"], form["text"]), ("/connect-card", "adwords customer_schema"))
        self.assertEqual(WebhookClient(form["response_url"]).send(text="later").body, "ok")
        self.assertEqual(self.tell("messages"), ["later"])
        # slack.md, 2: five minutes, in either direction.
        stamp = int(headers["x-slack-request-timestamp"])
        self.assertLess(abs(time.time() - stamp), 60)
        self.tell("advance", seconds=3600)
        with Bot() as bot:
            self.tell("command", to=bot.url, **TYPED)
        [(headers, body)] = bot.seen
        self.assertFalse(verifier.is_valid_request(body, headers))

    def test_a_pressed_button_says_where_it_stood(self):
        posted = self.post(text="go", blocks=blocks(BUTTON))
        with Bot() as bot:
            self.tell("press", to=bot.url, action="renew", user="U0BOB")
        [(headers, body)] = bot.seen
        self.assertTrue(SignatureVerifier(self.slack["signing_secret"]).is_valid_request(body, headers))
        payload = json.loads(dict(urllib.parse.parse_qsl(body.decode()))["payload"])
        self.assertEqual(payload["container"]["message_ts"], posted["ts"])
        self.assertEqual(payload["channel"]["id"], CHANNEL)
        self.assertEqual([(one["action_id"], one["value"]) for one in payload["actions"]], [("renew", "7")])
        self.assertEqual(payload["message"]["blocks"][0]["type"], "actions")
        hook = WebhookClient(payload["response_url"])
        self.assertEqual(hook.send(text="gone", replace_original=True).body, "ok")
        self.assertEqual(self.tell("messages"), ["gone"])

    def test_an_app_level_token_opens_sockets_and_no_other(self):
        def open_with(token):
            return WebClient(base_url=self.slack["api_url"]).apps_connections_open(app_token=token)

        self.assertRegex(open_with(self.slack["app_token"])["url"], "^ws://.*/link/.ticket=.+&app_id=")
        self.refused("not_allowed_token_type", open_with, self.slack["bot_token"])
        self.refused("invalid_auth", open_with, "xapp-1-another")

    def test_a_socket_carries_commands_and_is_replaced(self):
        hellos, envelopes = queue.Queue(), []

        def note(_, message, __):
            if message.get("type") == "hello":
                hellos.put(message)

        def answer(client, envelope):
            envelopes.append(envelope)
            answer = {"response_type": "ephemeral", "text": f"{len(envelopes)}"}
            client.send_socket_mode_response(SocketModeResponse(envelope.envelope_id, answer))

        # The client itself sees to its pings and to what a `disconnect` asks for.
        client = SocketModeClient(self.slack["app_token"], web_client=WebClient(base_url=self.slack["api_url"]))
        self.addCleanup(client.close)
        client.message_listeners.append(note)
        client.socket_mode_request_listeners.append(answer)
        client.connect()
        self.tell("deliver_by_sockets")
        # Until it reads, which may take it a while, it acknowledges nothing.
        hello = hellos.get(timeout=PATIENCE)
        acks = [self.tell("command", to="", **TYPED)]
        for reason in ["refresh_requested", "warning"]:
            self.assertEqual(self.tell("rotate", reason=reason), 1)
            self.assertEqual(hellos.get(timeout=PATIENCE)["type"], "hello")
            # Of the socket before only the end may still be to come.
            while len(self.tell("wait_for_a_socket")) > 1:
                pass
            acks.append(self.tell("command", to="", **TYPED))
        self.assertEqual([json.loads(ack["body"])["text"] for ack in acks], ["1", "2", "3"])
        self.assertEqual(self.tell("violations"), [])
        self.assertEqual(hello["num_connections"], 1)
        self.assertEqual(hello["connection_info"], {"app_id": self.slack["app_id"]})
        self.assertIn("approximate_connection_time", hello["debug_info"])
        envelope = envelopes[0]
        self.assertEqual((envelope.type, envelope.accepts_response_payload), ("slash_commands", True))
        self.assertEqual(envelope.payload["text"], "adwords customer_schema")
        self.assertEqual(WebhookClient(envelope.payload["response_url"]).send(text="later").body, "ok")

    def test_slacks_models_take_what_the_bot_shows(self):
        gallery = sorted((stand_ins.ROOT / "tests" / "fixtures" / "gallery").glob("*.json"))
        self.assertGreater(len(gallery), 100)
        for path in gallery:
            with self.subTest(path.name):
                self.assertEqual(refusals(json.loads(path.read_text())), [])

    def test_slacks_models_refuse_what_slack_would(self):
        button = {"type": "button", "action_id": "a", "text": {"type": "plain_text", "text": "x" * 76}}
        for ill in [
            {"blocks": [{"type": "sektion"}]},
            {"blocks": [{"type": "actions", "elements": [button]}]},
            {"blocks": [{"type": "divider", "colour": "red"}]},
            {"options": [{"text": {"type": "plain_text", "text": "x"}, "value": "x" * 200}]},
            {**MODAL.to_dict(), "title": {"type": "plain_text", "text": "x" * 25}},
        ]:
            self.assertNotEqual(refusals(ill), [], ill)


def refusals(shown):
    """What Slack's own models find wrong with something that is shown."""
    found = []
    with warnings.catch_warnings(record=True) as doubts:
        warnings.simplefilter("always")
        try:
            if shown.get("type") == "modal":
                again = View(**shown).to_dict()
            elif "options" in shown:
                again = {"options": [Option(**option).to_dict() for option in shown["options"]]}
            elif "option_groups" in shown:
                groups = [OptionGroup(**group).to_dict() for group in shown["option_groups"]]
                again = {"option_groups": groups}
            else:
                parsed = Block.parse_all(shown.get("blocks", []))
                again = {**shown, "blocks": [block.to_dict() for block in parsed]} if parsed else shown
        except Exception as error:  # They raise what they like.
            return [f"{type(error).__name__}: {error}"]
    found += [str(doubt.message) for doubt in doubts]
    # What they do not know, they leave out.
    if again != shown:
        found.append(f"{json.dumps(again)} became of it")
    return found


# What each planted fault must be noticed by.
PLANTED = [
    ({"partner": "slack", "route": "chat.postMessage", "status": 200,
      "body": {"ok": True, "channel": CHANNEL, "ts": "1.0"}}, "test_blocks_have_limits"),
    ({"partner": "slack", "route": "auth.test", "status": 200,
      "body": {"ok": True}}, "test_a_wrong_token_opens_nothing"),
    ({"partner": "slack", "route": "views.open", "status": 200,
      "body": {"ok": True, "view": {"id": "V1", "hash": "1"}}}, "test_a_view_opens_once_and_soon"),
    ({"partner": "slack", "route": "views.publish", "status": 200,
      "body": {"ok": True, "view": {"id": "V1", "hash": "1"}}},
     "test_a_home_is_published_over_the_one_that_its_hash_names"),
    ({"partner": "slack", "route": "files.completeUploadExternal", "status": 200,
      "body": {"ok": True, "files": [{"id": "F1", "title": "a.csv"}]}}, "test_a_file_is_sent_by_its_three_steps"),
    ({"partner": "slack", "route": "users.info", "status": 200,
      "body": {"ok": False, "error": "fatal_error"}}, "test_people_and_channels_are_looked_up"),
    ({"partner": "slack", "route": "apps.connections.open", "status": 200,
      "body": {"ok": True, "url": "ws://127.0.0.1:1/link/?ticket=1&app_id=1"}},
     "test_an_app_level_token_opens_sockets_and_no_other"),
    # The client puts no frames together: what comes in pieces, it never sees.
    ({"do": "deliver_in_pieces", "route": "envelopes"}, "test_a_socket_carries_commands_and_is_replaced"),
]

"""A Slack with sockets that break at random, written for a check of the bot with the package `websockets`.

Owns Socket Mode as docs.slack.dev and the mock servers of python-slack-sdk and node-slack-sdk have it,
the few methods of the Web API that a command needs, and what became of each command. Must not know how
the bot is started, or how what became of it is judged. Nothing of the stand-ins is used: what is wrong
there must not be wrong here.
"""

import asyncio
import json
import logging
import random
import re
import socket
import struct
import time
import uuid
from collections import Counter
from http import HTTPStatus

from small_web import Web
from websockets.asyncio.server import serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Response

BOT_TOKEN, APP_TOKEN, APP = "xoxb-1-made-up", "xapp-1-A0MADEUP-1-made-up", "A0MADEUP"
TEAM, CHANNEL, USER = "T0MADEUP", "C0MADEUP", "U0MADEUP"
# Slack waits so long for an acknowledgement, and keeps a ticket for about so long.
PATIENCE, TICKET_LIFE = 3, 30
PING_EVERY = 5
# What never comes, comes after this: longer than anybody waits for it.
NEVER = 15
# The bot is to leave a socket that hangs within this time.
HUNG = 10
# A link of a Connect Card, as `small_web` makes them.
LINK = re.compile(r"connect-card/setup\?[^\"\\ |>]*?of=(made_\d+)")
# How an acknowledgement begins that promises a link; the second of a request that came twice.
PROMISE = re.compile("Making a link|Already on it")

logging.getLogger("websockets").setLevel(logging.CRITICAL)


def refusal(status):
    """What a handshake is answered with that leads to nothing."""
    headers = Headers([("Connection", "close"), ("Content-Length", "0")])
    return Response(status, HTTPStatus(status).phrase, headers, b"")


class Command:
    """What was typed, and what became of it."""

    def __init__(self, number):
        self.schema = f"schema_{number:06}"
        self.told = None  # What the acknowledgement says.
        self.after = None  # How long that took, in seconds.
        self.fate = "not sent"


class Envelope:
    """One sending of a command on one socket."""

    def __init__(self):
        self.heard = asyncio.get_running_loop().create_future()
        self.sent_at = time.monotonic()


class Socket:
    def __init__(self, connection):
        self.connection = connection
        self.gets = True  # Whether it gets new envelopes.
        self.well = True  # Whether the app can be expected to answer.
        self.under_way, self.answered = {}, set()

    def spoil(self):
        """From now on nothing is expected of it, and what is under way on it may be lost."""
        self.gets = self.well = False
        for envelope in self.under_way.values():
            if not envelope.heard.done():
                envelope.heard.set_result(None)

    def reset(self):
        self.spoil()
        transport = self.connection.transport
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()


class Slack:
    def __init__(self, seed):
        self.dice = random.Random(seed)
        self.sockets, self.tickets, self.posts = [], {}, []
        self.opened, self.did, self.unknown = 0, Counter(), Counter()
        self.breaches, self.silent_since = [], None
        self.longest_silence = self.longest_hung = self.longest_held_up = 0
        self.opens_refused, self.links_refused = [], []
        # Those who wait for a socket that hangs to be left.
        self.hung = []
        # For a check of the check: what is said is not heard.
        self.deaf = False

    async def start(self):
        self.url = await Web(self.answer).start()
        server = await serve(self.link, "127.0.0.1", 0, process_request=self.admit, ping_interval=None,
                             compression=None, open_timeout=None, close_timeout=1)
        self.at = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"

    # The Web API.

    def answer(self, request):
        if request.path.startswith("/commands/"):
            self.post(request.fields())
            return 200, "ok", {}
        method = request.path.removeprefix("/api/")
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        if method == "apps.connections.open":
            return self.open(token)
        if token != BOT_TOKEN:
            return 200, {"ok": False, "error": "invalid_auth"}, {}
        fields = request.fields()
        match method:
            case "auth.test":
                answer = {"url": "https://made-up.slack.com/", "team": "Made up", "team_id": TEAM, "user": "bot",
                          "user_id": "U0BOT", "bot_id": "B0BOT", "is_enterprise_install": False}
            case "bots.info":
                answer = {"bot": {"id": fields["bot"], "app_id": APP, "user_id": "U0BOT", "deleted": False}}
            case "users.info":
                answer = {"user": {"id": fields["user"], "team_id": TEAM, "name": "alice", "deleted": False,
                                   "is_bot": False, "is_restricted": False, "is_ultra_restricted": False}}
            case "conversations.info":
                answer = {"channel": {"id": CHANNEL, "name": "made-up", "is_channel": True, "is_ext_shared": False}}
            case "chat.postMessage" | "chat.postEphemeral":
                answer = {"channel": CHANNEL, "ts": self.post(fields), "message_ts": f"{len(self.posts)}.0"}
            case "chat.update":
                answer = {"channel": CHANNEL, "ts": fields["ts"], "text": fields.get("text", "")}
            case _:
                self.unknown[method] += 1
                return 200, {"ok": False, "error": "unknown_method"}, {}
        return 200, {"ok": True, **answer}, {}

    def post(self, message):
        self.posts.append(json.dumps(message))
        return f"1700000000.{len(self.posts):06}"

    def links(self):
        """How often a link of each connection was posted."""
        return Counter(made for post in self.posts for made in set(LINK.findall(post)))

    def open(self, token):
        if token != APP_TOKEN:
            return 200, {"ok": False, "error": "not_allowed_token_type" if token == BOT_TOKEN else "invalid_auth"}, {}
        if self.opens_refused:
            self.did["open refused"] += 1
            return self.opens_refused.pop()
        ticket = uuid.uuid4().hex
        self.tickets[ticket] = time.monotonic()
        return 200, {"ok": True, "url": f"{self.at}/link/?ticket={ticket}&app_id={APP}"}, {}

    # Sockets.

    async def admit(self, connection, request):
        """Answers a handshake: with None it goes on."""
        if self.links_refused:
            status = self.links_refused.pop()
            if status is None:
                self.did["handshake hung"] += 1
                await asyncio.sleep(NEVER)
                connection.transport.abort()
                return None
            self.did["handshake refused"] += 1
            return refusal(status)
        ticket = re.search(r"[?&]ticket=(\w+)", request.path)
        made = self.tickets.pop(ticket[1], None) if ticket else None
        if made is None or time.monotonic() - made > TICKET_LIFE or not request.path.startswith("/link/"):
            self.breaches.append(f"a handshake without a good ticket: {request.path[:20]}")
            return refusal(409)
        return None

    async def link(self, connection):
        one = Socket(connection)
        hello = {"type": "hello", "num_connections": len(self.sockets) + 1, "connection_info": {"app_id": APP},
                 "debug_info": {"host": "applink-made-up", "build_number": 1, "approximate_connection_time": 18060}}
        pings = asyncio.create_task(self.ping(one))
        try:
            if len(self.sockets) >= 10:
                self.breaches.append("more than ten sockets")
            await connection.send(json.dumps(hello))
            self.opened += 1
            self.sockets.append(one)
            self.count()
            async for said in connection:
                self.hear(one, said)
        except ConnectionClosed:
            pass
        finally:
            pings.cancel()
            if one in self.sockets:
                self.sockets.remove(one)
            if one.well and one.under_way and not self.deaf:
                self.breaches.append("the bot closed a socket on which it owed an acknowledgement")
            one.spoil()
            self.count()

    async def ping(self, one):
        while True:
            await asyncio.sleep(PING_EVERY)
            # One that hangs says nothing.
            if not one.well:
                return
            try:
                pong = await one.connection.ping(f"Ping from applink-made-up {uuid.uuid4()}")
                await asyncio.wait_for(pong, 2 * PING_EVERY)
            except TimeoutError:
                if one.well:
                    self.breaches.append("a ping was not answered")
            except ConnectionClosed:
                return

    def count(self):
        """Notes since when no socket gets envelopes."""
        now = time.monotonic()
        if self.live():
            if self.silent_since is not None:
                self.longest_silence = max(self.longest_silence, now - self.silent_since)
            self.silent_since = None
        elif self.silent_since is None:
            self.silent_since = now

    def live(self):
        return [one for one in self.sockets if one.gets]

    def hear(self, one, said):
        """Takes an acknowledgement: strictly one JSON object in a text, once, on the socket of its envelope."""
        if self.deaf:
            return
        try:
            ack = json.loads(said) if isinstance(said, str) else None
            id, payload = ack.pop("envelope_id"), ack.pop("payload", {})
            if ack or not isinstance(payload, dict):
                raise ValueError
        except (AttributeError, KeyError, ValueError):
            self.breaches.append(f"not an acknowledgement: {said[:80]!r}")
            return
        envelope = one.under_way.pop(id, None)
        if envelope is None:
            again = "again" if id in one.answered else "of what was not sent there"
            self.breaches.append(f"an acknowledgement {again}: {id}")
            return
        one.answered.add(id)
        if not envelope.heard.done():
            envelope.heard.set_result((time.monotonic() - envelope.sent_at, payload))

    async def send(self, one, id, payload, in_pieces=False):
        """Sends an envelope on a socket; gives how long its acknowledgement took and what it says, or None."""
        text = json.dumps({
            "envelope_id": id, "payload": payload, "type": "slash_commands", "accepts_response_payload": True,
        })
        envelope = Envelope()
        one.under_way[id] = envelope
        third = len(text) // 3
        try:
            await one.connection.send([text[:third], text[third:2 * third], text[2 * third:]] if in_pieces else text)
        except ConnectionClosed:
            one.spoil()
        # What is late is waited for, so that it is known how late.
        try:
            return await asyncio.wait_for(asyncio.shield(envelope.heard), 2 * PATIENCE)
        except TimeoutError:
            if one.well:
                return (2 * PATIENCE, None)
            return None

    async def type(self, command):
        """Types a command, as soon as there is a socket for it."""
        while not (live := self.live()):
            await asyncio.sleep(0.02)
        one, id = self.dice.choice(live), str(uuid.uuid4())
        payload = {
            "token": "made-up", "team_id": TEAM, "team_domain": "made-up",
            "channel_id": CHANNEL, "channel_name": "made-up", "user_id": USER, "user_name": "alice",
            "command": "/connect-card", "text": f"google_ads {command.schema}", "api_app_id": APP,
            "is_enterprise_install": "false", "trigger_id": f"1.2.{uuid.uuid4().hex}",
            "response_url": f"{self.url}/commands/{TEAM}/1/{uuid.uuid4().hex}",
        }
        kind = self.dice.random()
        answers = [self.send(one, id, payload, in_pieces=kind > 0.95)]
        if kind < 0.05 and len(live) > 1:
            self.did["envelope on two sockets at once"] += 1
            other = self.dice.choice([another for another in live if another is not one])
            answers.append(self.send(other, id, payload))
        heard = [answer for answer in await asyncio.gather(*answers) if answer]
        if heard and 0.05 < kind < 0.1 and (others := [another for another in self.live() if another is not one]):
            # As if the acknowledgement had been lost.
            self.did["envelope once more"] += 1
            heard.append(await self.send(self.dice.choice(others), id, payload) or heard[0])
        if not heard:
            command.fate = "lost with its socket"
            return
        command.after = max(after for after, _ in heard)
        told = [told.get("text", "") for _, told in heard if told]
        command.told = next(filter(PROMISE.match, told), "".join(told[:1]))
        if command.after > PATIENCE:
            command.fate = "late"
        else:
            command.fate = "accepted" if PROMISE.match(command.told) else "refused"

    async def watch_itself(self):
        """Notes for how long this process was held up, for that makes what it measures longer."""
        while True:
            began = time.monotonic()
            await asyncio.sleep(0.05)
            self.longest_held_up = max(self.longest_held_up, time.monotonic() - began - 0.05)

    # What goes wrong.

    async def disturb(self, pause):
        """Breaks something now and then, until it is cancelled."""
        while True:
            await asyncio.sleep(self.dice.uniform(pause / 2, pause * 3 / 2))
            await self.break_something()

    async def break_something(self):
        deed = self.dice.choices(
            ["reset", "reset all", "close", "hang", "warning", "refresh_requested", "refuse opens",
             "refuse handshakes", "hang a handshake", "odd frames"],
            [4, 1, 4, 2, 4, 4, 2, 2, 1, 4])[0]
        # Whoever has none is to get one: what refuses them does not pile up.
        live = self.live()
        if not live:
            return
        match deed:
            case "refuse opens":
                self.opens_refused = self.dice.choices([
                    (500, "no", {}), (503, {"ok": False, "error": "service_unavailable"}, {}),
                    (429, {"ok": False, "error": "ratelimited"}, {"retry-after": "1"}),
                    (200, {"ok": False, "error": "internal_error"}, {}), None], k=self.dice.randint(1, 2))
                return
            case "refuse handshakes":
                self.links_refused = self.dice.choices([409, 503], k=self.dice.randint(1, 2))
                return
            case "hang a handshake":
                self.links_refused = [None]
                return
        self.did[deed] += 1
        one = self.dice.choice(live)
        match deed:
            case "reset":
                one.reset()
            case "reset all":
                for one in live:
                    one.reset()
            case "close":
                one.spoil()
                asyncio.create_task(one.connection.close(self.dice.choice([1000, 1001, 1011, 1012]), "made up"))
            case "hang":
                one.spoil()
                one.connection.transport.pause_reading()
                self.hung.append(asyncio.create_task(self.watch_hung(one.connection.transport)))
            case "warning" | "refresh_requested":
                asyncio.create_task(self.rotate(one, deed))
            case "odd frames":
                asyncio.create_task(self.say_odd_things(one))
        self.count()

    async def watch_hung(self, transport):
        """Notes how long it takes until the other end has gone, which only the system knows."""
        began, kernel = time.monotonic(), transport.get_extra_info("socket")
        # The first byte is the connection's state, and 1 is an established one: tcp(7).
        while kernel.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1) == b"\x01":
            await asyncio.sleep(0.1)
            if time.monotonic() > began + NEVER:
                break
        took = time.monotonic() - began
        self.longest_hung = max(self.longest_hung, took)
        if took > HUNG:
            self.breaches.append(f"a socket that hung was not left within {HUNG} s")
        transport.abort()

    async def rotate(self, one, reason):
        warned = reason == "warning"
        if not warned:
            one.gets = False
            self.count()
        try:
            last = {"type": "disconnect", "reason": reason, "debug_info": {"host": "applink-made-up"}}
            await one.connection.send(json.dumps(last))
            await asyncio.sleep(PATIENCE if warned else 0)
            one.gets = False
            self.count()
            # Whoever has been asked leaves only with what it owes.
            await asyncio.sleep(PATIENCE)
            one.spoil()
            await one.connection.close(1000, "")
        except ConnectionClosed:
            pass

    async def say_odd_things(self, one):
        unknown = json.dumps({"type": "of_tomorrow", "debug_info": {}})
        try:
            for odd in [b"\x00\x01", "UNAUTHENTICATED: cache_error", "Ping from applink-made-up", "[]", "{", unknown]:
                await one.connection.send(odd)
            await one.connection.send(["Ping", " in", " pieces"])
        except ConnectionClosed:
            pass

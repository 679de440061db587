"""A small HTTP server, and a Fivetran on it that keeps the connections which it is asked to make.

Owns HTTP, and the few answers of Fivetran's that a command needs. Must not know Slack. Nothing of the
stand-ins is used: what is wrong there must not be wrong here.
"""

import asyncio
import base64
import json
import time
import urllib.parse
from collections import Counter

REASONS = {200: "OK", 201: "Created", 400: "Bad Request", 404: "Not Found", 429: "Too Many Requests",
           500: "Internal Server Error", 503: "Service Unavailable"}


class Request:
    def __init__(self, method, target, headers, body):
        self.method, self.headers, self.body = method, headers, body
        self.path, _, query = target.partition("?")
        self.query = dict(urllib.parse.parse_qsl(query))

    def fields(self):
        """What is asked for as a dictionary: the query, or the body, be it JSON or a form."""
        if self.method == "GET":
            return self.query
        if self.headers.get("content-type", "").startswith("application/json"):
            return json.loads(self.body or "{}")
        return dict(urllib.parse.parse_qsl(self.body.decode()))


class Web:
    """Serves `answer(request)`, which gives a status, a body and headers, or None to hang up."""

    def __init__(self, answer):
        self.answer = answer

    async def start(self):
        self.server = await asyncio.start_server(self.converse, "127.0.0.1", 0, backlog=1024)
        return f"http://127.0.0.1:{self.server.sockets[0].getsockname()[1]}"

    async def converse(self, reader, writer):
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                first, *lines = head.decode("latin-1").strip().split("\r\n")
                parts = (line.partition(":") for line in lines)
                headers = {name.lower(): value.strip() for name, _, value in parts}
                method, target, _ = first.split(" ")
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                answer = self.answer(Request(method, target, headers, body))
                if answer is None:
                    break
                status, content, more = answer
                is_text = isinstance(content, str)
                content = (content if is_text else json.dumps(content)).encode()
                more["content-type"] = "text/plain" if is_text else "application/json"
                more["content-length"] = len(content)
                lines = [f"HTTP/1.1 {status} {REASONS[status]}", *(f"{name}: {value}" for name, value in more.items())]
                writer.write("\r\n".join([*lines, "", ""]).encode() + content)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


class Fivetran:
    """An account with one destination, where every service is known and every name is free."""

    GROUP = "made_up"

    def __init__(self):
        self.connections = {}
        self.made = Counter()
        # How often the same creation is carried out, for a check of the check.
        self.times = 1

    def answer(self, request):
        path = request.path.strip("/").split("/")
        match request.method, path:
            case "POST", ["v1", "connections"]:
                return self.create(request.fields())
            case "POST", ["v1", "connections", id, "connect-card"] if id in self.connections:
                return self.success({"connector_id": id, "connect_card": self.card(id)})
            case "GET", ["v1", "connections", id] if id in self.connections:
                return self.success(self.connections[id])
            case "GET", ["v1", "connections"]:
                return self.page(request.query)
            case "GET", ["v1", "groups", self.GROUP]:
                return self.success({"id": self.GROUP, "name": "Made up"})
            case "GET", ["v1", "account", "info"]:
                return self.success({"account_id": "made_up", "account_name": "Made up"})
            case "GET", ["public", "connector-types"]:
                return 503, {"code": "ServiceUnavailable", "message": "The bot knows services of its own"}, {}
        return 404, {"code": "NotFound", "message": f"HTTP 404 Not Found: {request.path}"}, {}

    @staticmethod
    def success(data, status=200):
        return status, {"code": "Success", "message": "", "data": data}, {}

    def create(self, asked):
        schema = asked["config"]["schema"]
        for _ in range(self.times):
            self.made[schema] += 1
            id = f"made_{len(self.connections)}"
            self.connections[id] = {
                "id": id, "service": asked["service"], "schema": schema, "group_id": asked["group_id"],
                "paused": False, "created_at": time.strftime("%Y-%m-%dT%H:%M:%S.000000Z", time.gmtime()),
                "status": {"setup_state": "incomplete", "sync_state": "scheduled", "is_historical_sync": True,
                           "tasks": [], "warnings": []},
                "setup_tests": [], "config": {"schema": schema},
            }
        return self.success({**self.connections[id], "connect_card": self.card(id)}, 201)

    def card(self, id):
        def part(of):
            return base64.urlsafe_b64encode(json.dumps(of).encode()).rstrip(b"=").decode()

        token = f'{part({"alg": "HS256"})}.{part({"iat": int(time.time()), "d": {"connector": id}})}.{part(id)}'
        return {"token": token, "uri": f"https://fivetran.com/connect-card/setup?auth={token}&of={id}"}

    def page(self, query):
        those = list(self.connections.values())
        if "schema" in query:
            those = [one for one in those if one["schema"] == query["schema"]]
        start, limit = int(query.get("cursor", 0)), int(query.get("limit", 100))
        more = {"next_cursor": str(start + limit)} if start + limit < len(those) else {}
        return self.success({"items": those[start:start + limit], **more})

"""Who may use the page: whoever has its address, from the page itself, and nobody else."""

from urllib.parse import urlsplit

from harness import Stage

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)


class Access(Stage):
    def ask(self, path="", method="GET", **headers):
        """What a program is answered that is no browser; with a planted fault, it asks as the page would."""
        address = urlsplit(self.sandbox.url)
        url = path if path.startswith("http") else self.sandbox.url + path
        if self.fault:
            url, headers = url.replace("/not-the-token/", address.path), {}
            if method == "POST":
                headers = {"origin": f"http://{address.netloc}"}
        data = {"seconds": 1} if method == "POST" else None
        return self.context().request.fetch(url, method=method, headers=headers, data=data, max_redirects=0)

    def test_without_the_token_there_is_nothing(self):
        address = urlsplit(self.sandbox.url)
        origin = f"http://{address.netloc}"
        for path in ["/not-the-token/", "/not-the-token/events", "/not-the-token/app.js", "/not-the-token/gallery.json"]:
            with self.subTest(path):
                self.assertEqual(self.ask(origin + path).status, 404)
        for path in ["/", "/app.js", f"{address.path.rstrip('/')}x/"]:
            with self.subTest(path):
                self.assertEqual(self.context().request.get(origin + path).status, 404)
        self.assertEqual(self.ask(f"{origin}/not-the-token/clock", "POST", origin=origin).status, 404)

    def test_another_page_cannot_use_it(self):
        for origin in ["http://127.0.0.1:1", "http://localhost:1", "https://elsewhere.example", "null"]:
            with self.subTest(origin):
                self.assertEqual(self.ask("clock", "POST", origin=origin).status, 403)
        self.assertEqual(self.ask("clock", "POST").status, 403)
        self.assertEqual(self.ask("events", **{"sec-fetch-site": "cross-site"}).status, 403)

    def test_the_page_itself_can(self):
        origin = f"http://{urlsplit(self.sandbox.url).netloc}"
        self.assertEqual(self.ask("clock", "POST", origin=origin).status, 200)
        self.assertEqual(self.ask().status, 200)

    def test_a_name_that_leads_here_is_no_name_of_ours(self):
        port = urlsplit(self.sandbox.url).port
        for host in [f"elsewhere.example:{port}", "elsewhere.example", "127.0.0.1", f"127.0.0.1:{port + 1}"]:
            with self.subTest(host):
                self.assertEqual(self.ask(host=host).status, 404)

    def test_every_answer_has_its_headers(self):
        for path in ["", "app.js", "base.css", "gallery", "gallery.json", "no-such-file"]:
            with self.subTest(path):
                headers = self.ask(path).headers
                self.assertEqual(headers["content-security-policy"], POLICY)
                self.assertEqual(headers["x-content-type-options"], "nosniff")
                self.assertEqual(headers["referrer-policy"], "no-referrer")
                self.assertEqual(headers["cache-control"], "no-store")
                self.assertNotIn("access-control-allow-origin", headers)


PLANTED = [
    ({"is": "a token that nobody looks at"}, "test_without_the_token_there_is_nothing", "404"),
    ({"is": "an origin that nobody looks at"}, "test_another_page_cannot_use_it", "403"),
    ({"is": "a host that nobody looks at"}, "test_a_name_that_leads_here_is_no_name_of_ours", "404"),
]

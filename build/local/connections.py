"""How the embedded cloud's web server writes on its connections."""

from moto.moto_server.werkzeug_app import MotoRequestHandler

TOGETHER = 1 << 16
"""Bytes of an answer that leave in one piece: what the loopback interface carries as one segment (its MTU)."""


class RequestHandler(MotoRequestHandler):  # type: ignore[misc]  # moto has no types
    """Sends an answer's head and body together, where werkzeug sends them one after the other.

    With 30 requests side by side Terraform's AWS provider was seen to close about one connection in 700 after the head
    had come and before the body had. It then asks again, and what is made twice is a conflict. None in 4,000 since.
    """

    wbufsize = TOGETHER

    def handle_expect_100(self) -> bool:
        """Leave it to the moment the answer is begun: http.server would say it, and werkzeug once more."""
        return True

    def run_wsgi(self) -> None:
        """Answer one request."""
        if self.headers.get("Expect", "").strip().lower() == "100-continue":
            self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            self.wfile.flush()  # a client that waits for it sends nothing before
            del self.headers["Expect"]  # else werkzeug says it, too
        super().run_wsgi()

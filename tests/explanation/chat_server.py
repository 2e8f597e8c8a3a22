"""A server that answers as an OpenAI-compatible endpoint does, or fails as told."""

import json
import threading
from collections import Counter
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class ChatServer:
    """Counts requests per prompt, and how many are under way at once."""

    def __init__(self, answer, failures=(), delay=0.0):
        """Answer prompts.

        Args:
            answer: function from the user's message to the text of the answer.
            failures: what the first requests get instead, one after another: a status, `(status, headers)`,
                or bytes that are sent as an answer.
            delay: seconds that each request takes.
        """
        self.answer, self.failures, self.delay = answer, list(failures), delay
        self.requests, self.bodies, self.keys = Counter(), [], []
        self.under_way = self.most = 0
        self.lock = threading.Lock()

    def handle(self, handler):
        """Answer one request."""
        with self.lock:
            self.under_way += 1
            self.most = max(self.most, self.under_way)
            body = json.loads(handler.rfile.read(int(handler.headers["Content-Length"])))
            self.bodies.append(body)
            self.keys.append(handler.headers.get("Authorization"))
            question = body["messages"][-1]["content"]
            self.requests[question] += 1
            failure = self.failures.pop(0) if self.failures else None
        if self.delay:
            threading.Event().wait(self.delay)
        status, headers, content = 200, {}, None
        if isinstance(failure, tuple):
            status, headers = failure
        elif isinstance(failure, int):
            status = failure
        elif failure is not None:
            content = failure
        if content is None:
            text = self.answer(question) if status == 200 else f"status {status} for {self.keys[-1]}"
            message = {"choices": [{"message": {"content": text}}]}
            content = json.dumps(message).encode() if status == 200 else text.encode()
        with self.lock:
            self.under_way -= 1
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content)


@contextmanager
def serve(server):
    """Yield the address of a `ChatServer`."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            if self.path == "/v1/chat/completions":
                server.handle(self)
            else:
                self.send_error(404)

        def log_message(self, *arguments):
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=http.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{http.server_address[1]}/v1"
    finally:
        http.shutdown()
        http.server_close()
        thread.join()

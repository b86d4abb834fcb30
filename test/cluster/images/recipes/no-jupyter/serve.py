"""Answers NB_PREFIX/api on port 8888, and nothing else."""

import http.server
import os

API = os.environ.get("NB_PREFIX", "").rstrip("/") + "/api"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path != API:
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(b'{"version": "none"}\n')


http.server.ThreadingHTTPServer(("", 8888), Handler).serve_forever()

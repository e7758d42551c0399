"""Requests to the WSGI application, so that they pass every layer, the fast path included."""

import json
from io import BytesIO

from config.wsgi import application

MESSAGE = {
    "customerId": 1,
    "type": "A",
    "amount": "0.012",
    "uuid": "a596b362-08be-419f-8070-9c3055566e7c",
}


def post(headers, path="/messages", content=MESSAGE, app=application):
    """Post JSON. Return status, headers and content of the response."""
    body = json.dumps(content).encode()
    response = {}

    def start_response(status, head):
        response.update(status=int(status.split()[0]), headers=dict(head))

    environ = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": path,
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "HTTP_HOST": "localhost",
        "REMOTE_ADDR": "127.0.0.1",
        "CONTENT_TYPE": "application/json",
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": BytesIO(body),
        "wsgi.url_scheme": "http",
        **{f"HTTP_{name.upper()}": value for name, value in headers.items()},
    }
    content = b"".join(app(environ, start_response))
    return response["status"], response["headers"], json.loads(content)

"""A client for JSON services over HTTP: time limits, a bounded body, an API key, no redirects."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple, Self
from urllib.parse import parse_qsl, urlsplit

import requests
from urllib3.exceptions import HTTPError

MAX_BYTES = 64 * 1024 * 1024
CHUNK_BYTES = 256 * 1024
MAX_EXCERPT_LENGTH = 200


class Timeouts(NamedTuple):
    """Time limits in seconds. ``total`` includes the whole body and is checked between reads."""

    connect: float = 3.05
    read: float = 10.0
    total: float = 60.0


class RemoteServiceUnavailable(Exception):
    """The service cannot be reached, failed, or sent a response that cannot be used."""


@dataclass(frozen=True)
class Response:
    """A complete response of any status."""

    request: str  # method and URL without the query, for messages
    status: int
    headers: Mapping[str, str]  # names ignore case
    body: bytes
    links: Mapping[str, Mapping[str, str]]  # the Link header by rel

    def json(self) -> Any:
        """Return the decoded body.

        :raises RemoteServiceUnavailable: if the body is not JSON.
        """
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError) as error:
            raise RemoteServiceUnavailable(f"{self.request} did not return JSON") from error

    @property
    def next_parameters(self) -> dict[str, str] | None:
        """The query of the ``next`` link, or None on the last page.

        Host and path of the link are ignored, so that the service cannot redirect the client.

        :raises RemoteServiceUnavailable: if the link is not a URL.
        """
        if "next" not in self.links:
            return None
        try:
            return dict(parse_qsl(urlsplit(self.links["next"]["url"]).query))
        except ValueError as error:
            reason = f"{self.request} returned an invalid next link"
            raise RemoteServiceUnavailable(reason) from error

    @property
    def date(self) -> datetime | None:
        """The time of the response by the service's own clock, from its ``Date`` header."""
        try:
            return parsedate_to_datetime(self.headers["Date"]).astimezone(UTC)
        except (KeyError, ValueError, OverflowError):
            return None


class HttpClient:
    """Requests to one service over a pool of connections; one instance per thread.

    :param url_setting: the setting to check if the service cannot be reached.
    :param key_setting: the setting to check if the service rejects the API key.
    """

    def __init__(
        self,
        base_url: str,
        *,
        api_key: str = "",
        timeouts: Timeouts = Timeouts(),  # noqa: B008 (immutable)
        max_bytes: int = MAX_BYTES,
        url_setting: str,
        key_setting: str,
    ) -> None:
        self._base_url = base_url.rstrip("/")
        self._timeouts = timeouts
        self._max_bytes = max_bytes
        self._url_setting = url_setting
        self._key_setting = key_setting
        self._headers = {"Accept": "application/json"}
        if api_key:
            self._headers["Authorization"] = f"Api-Key {api_key}"
        self._session = requests.Session()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        self._session.close()

    def get(self, path: str, params: Mapping[str, str | int] | None = None) -> Response:
        """Return the response to a GET request with a 2xx status.

        :raises RemoteServiceUnavailable:
        """
        return self.require_success(self.request("GET", path, params=params))

    def post(self, path: str, content: Any) -> Response:
        """Send JSON and return the response, which has a 2xx status.

        :raises RemoteServiceUnavailable:
        """
        return self.require_success(self.request("POST", path, content=content))

    def put(self, path: str, content: Any) -> Response:
        """Send JSON and return the response, which has a 2xx status.

        :raises RemoteServiceUnavailable:
        """
        return self.require_success(self.request("PUT", path, content=content))

    def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str | int] | None = None,
        content: Any = None,
    ) -> Response:
        """Return the response of any status.

        :raises RemoteServiceUnavailable: if there is no complete response within the limits.
        """
        url = f"{self._base_url}{path}"
        request = f"{method} {url}"
        deadline = time.monotonic() + self._timeouts.total
        try:
            with self._session.request(
                method,
                url,
                params=params,
                json=content,
                timeout=(self._timeouts.connect, self._timeouts.read),
                headers=self._headers,
                # A redirect would send the API key to another host.
                allow_redirects=False,
                stream=True,
            ) as response:
                body = self._read_body(response, request, deadline)
        except (requests.RequestException, HTTPError) as error:
            reason = f"{request} failed: {type(error).__name__} (check {self._url_setting})"
            raise RemoteServiceUnavailable(reason) from error
        return Response(request, response.status_code, response.headers, body, response.links)

    def _read_body(self, response: requests.Response, request: str, deadline: float) -> bytes:
        body = bytearray()
        # read1 returns the bytes that have arrived. read would wait for a full chunk: if a server
        # sent its bytes very slowly, the deadline would not be checked in time.
        while chunk := response.raw.read1(CHUNK_BYTES, decode_content=True):
            body += chunk
            if len(body) > self._max_bytes:
                reason = f"{request} returned more than {self._max_bytes} bytes"
                raise RemoteServiceUnavailable(reason)
            if time.monotonic() > deadline:
                limit = f"{self._timeouts.total:g} seconds"
                raise RemoteServiceUnavailable(f"{request} took more than {limit}")
        return bytes(body)

    def require_success(self, response: Response) -> Response:
        """Return the response if its status is 2xx.

        :raises RemoteServiceUnavailable: for any other status.
        """
        if response.status // 100 == 2:
            return response
        text = " ".join(response.body.decode(errors="replace").split())[:MAX_EXCERPT_LENGTH]
        reason = f"{response.request} answered {response.status} {text}".rstrip()
        hint = f" (check {self._key_setting})" if response.status in {401, 403} else ""
        raise RemoteServiceUnavailable(reason + hint)

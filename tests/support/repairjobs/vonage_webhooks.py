"""Vonage's webhooks, signed as Vonage signs them."""

import hashlib
import json
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import jwt
import requests

APPLICATION_ID = "11111111-2222-4333-8444-555555555555"
SIGNATURE_SECRET = "a secret that only the fake Vonage and the tests know"
FROM = "447700900000"


@dataclass(frozen=True)
class AcceptedSms:
    """An SMS that Vonage has accepted."""

    message_uuid: str
    to: str
    sender: str
    text: str
    client_ref: str


class Webhook:
    """A webhook that a test sends when and as often as it likes, also forged or altered."""

    def __init__(self, content: dict[str, Any]) -> None:
        self.body = json.dumps(content).encode()
        self.content = content
        self.jti = str(uuid4())

    def claims(self, **changes: Any) -> dict[str, Any]:
        return {
            "iat": int(time.time()),
            "jti": self.jti,
            "iss": "Vonage",
            "payload_hash": hashlib.sha256(self.body).hexdigest(),
            "api_key": "a1b2c3d4",
            "application_id": APPLICATION_ID,
        } | changes

    def authorization(
        self, *, secret: str = SIGNATURE_SECRET, algorithm: str = "HS256", **claims: Any
    ) -> str:
        token = jwt.encode(self.claims(**claims), secret, algorithm=algorithm)
        return f"Bearer {token}"

    def send(
        self,
        url: str,
        *,
        times: int = 1,
        body: bytes | None = None,
        authorization: str | None = None,
        **signing: Any,
    ) -> list[int]:
        """POST the webhook and return the statuses of the responses.

        :param body: an altered body that does not fit the signature.
        :param signing: ``iat``, ``secret`` or ``algorithm`` of an invalid signature.
        """
        headers = {"Content-Type": "application/json"}
        if authorization is None:
            authorization = self.authorization(**signing)
        if authorization:
            headers["Authorization"] = authorization
        return [
            requests.post(
                url, data=self.body if body is None else body, headers=headers, timeout=30
            ).status_code
            for _ in range(times)
        ]


def status_webhook(
    sms: AcceptedSms, status: str, *, at: datetime | None = None, **fields: Any
) -> Webhook:
    """Return the webhook about an SMS: submitted, delivered, rejected or undeliverable."""
    content = {
        "message_uuid": sms.message_uuid,
        "to": sms.to,
        "from": sms.sender,
        "timestamp": _format_time(at),
        "status": status,
        "client_ref": sms.client_ref,
        "channel": "sms",
        "usage": {"currency": "EUR", "price": "0.0333"},
        "sms": {"count_total": "1"},
    }
    if status in ("rejected", "undeliverable"):
        content["error"] = {
            "type": "https://developer.vonage.com/api-errors/messages#1320",
            "title": 1320,
            "detail": "Message already sent",
            "instance": str(uuid4()),
        }
    return Webhook(content | fields)


def inbound_webhook(
    *, sender: str, text: str, at: datetime | None = None, **fields: Any
) -> Webhook:
    """Return the webhook with the SMS of a customer."""
    content = {
        "to": FROM,
        "from": sender.removeprefix("+"),
        "channel": "sms",
        "message_uuid": str(uuid4()),
        "timestamp": _format_time(at),
        "message_type": "text",
        "text": text,
        "sms": {"num_messages": "1", "keyword": text.split(" ")[0].upper()},
        "usage": {"currency": "EUR", "price": "0.0333"},
    }
    return Webhook(content | fields)


def _format_time(at: datetime | None) -> str:
    return (at or datetime.now(UTC)).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

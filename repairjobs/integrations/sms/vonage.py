"""Vonage's Messages API: sending, failures, signed webhooks."""

import hashlib
import hmac
import logging
import re
import ssl
import threading
import time
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import jwt
import requests
from django.conf import settings
from jwt.algorithms import RSAAlgorithm
from requests.adapters import HTTPAdapter
from requests.exceptions import InvalidURL
from urllib3.exceptions import (
    ConnectTimeoutError,
    LocationValueError,
    MaxRetryError,
    NewConnectionError,
    ProxyError,
    SSLError,
)

from repairjobs.integrations.sms.base import (
    FieldRule,
    InboundMessage,
    InvalidSignature,
    MalformedWebhook,
    Receipt,
    SmsNotSent,
    SmsRefused,
    SmsUnknown,
    WebhookSecretMissing,
)
from repairjobs.models import DeliveryState

if TYPE_CHECKING:
    # Imported only where used: importing the SDK takes half a second.
    from vonage import Auth, Vonage
    from vonage_messages import Sms

MAX_RESPONSE_BYTES = 64 * 1024
BEFORE_THE_REQUEST = (NewConnectionError, ConnectTimeoutError, ssl.SSLCertVerificationError)
# No credit, missing or wrong credentials. The SMS can be sent after the account is corrected.
ACCOUNT_PROBLEMS = (401, 402, 403)
# An older signature may be a replay; one from the future shows a wrong clock.
MAX_SIGNATURE_AGE = timedelta(minutes=5)
# Vonage's statuses that change an SMS; all others are stored without effect.
DELIVERY_STATES = {
    "submitted": DeliveryState.ACCEPTED,
    "rejected": DeliveryState.REJECTED,
    "undeliverable": DeliveryState.NOT_DELIVERED,
    "delivered": DeliveryState.DELIVERED,
    "read": DeliveryState.DELIVERED,
}
UNSTORABLE = re.compile("[\0\ud800-\udfff]")
EXAMPLE_UUID = "aaaaaaaa-bbbb-4ccc-8ddd-0123456789ab"


class VonageSms:
    """Sends SMS by Vonage's Messages API, and parses Vonage's webhooks."""

    receipt_fields: Mapping[str, FieldRule] = {
        "message_uuid": FieldRule(max_length=64, is_required=True),
        "status": FieldRule(max_length=32, is_required=True),
        "client_ref": FieldRule(max_length=100, is_required=False),
    }
    inbound_fields: Mapping[str, FieldRule] = {
        "message_uuid": FieldRule(max_length=64, is_required=True),
        "to": FieldRule(max_length=64, is_required=True),
        "from": FieldRule(max_length=64, is_required=True),
        "text": FieldRule(max_length=10_000, is_required=False),
    }
    receipt_example: Mapping[str, str] = {
        "message_uuid": EXAMPLE_UUID,
        "status": "delivered",
        "client_ref": EXAMPLE_UUID,
    }
    inbound_example: Mapping[str, str] = {
        "message_uuid": EXAMPLE_UUID,
        "from": "447700900123",
        "to": "447700900999",
        "text": "Very good, thank you",
    }

    @property
    def sender(self) -> str:
        sender: str = settings.VONAGE_FROM
        return sender

    def send(self, *, to: str, text: str, reference: str) -> str:
        from vonage_http_client.errors import HttpRequestError

        message = _build_message(to, text, reference)
        client = _client_of_thread()
        try:
            uuid: str = client.messages.send(message).message_uuid
        except HttpRequestError as error:
            failure = _classify_response(error.response)
        except (InvalidURL, LocationValueError):
            failure = SmsNotSent("VONAGE_API_HOST is not an address")
        except requests.RequestException as error:
            failure = _classify_connection_error(error)
        except Exception as error:
            # The SDK's parsers raise many kinds of errors for an unexpected response.
            failure = SmsUnknown(f"Vonage's response is unreadable: {type(error).__name__}")
        else:
            if _is_uuid(uuid):
                return uuid
            failure = SmsUnknown("Vonage's response has no message id")
        # Not chained: the libraries' messages may quote the number and the text.
        raise failure

    def verify(self, body: bytes, headers: Mapping[str, str], *, at: datetime) -> None:
        verify_signature(body, headers.get("Authorization", ""), at=at)

    def parse_receipt(self, payload: Mapping[str, Any]) -> Receipt:
        fields = _read_fields(payload, self.receipt_fields)
        error = payload.get("error") or {}
        if not isinstance(error, dict):
            raise MalformedWebhook({"error": ["must be an object"]})
        return Receipt(
            message_uuid=fields["message_uuid"],
            reference=fields["client_ref"],
            status=fields["status"],
            state=DELIVERY_STATES.get(fields["status"]),
            reason=str(error.get("detail") or error.get("title") or "")[:255],
        )

    def parse_inbound(self, payload: Mapping[str, Any]) -> InboundMessage:
        fields = _read_fields(payload, self.inbound_fields)
        return InboundMessage(
            message_uuid=fields["message_uuid"],
            sender=fields["from"],
            recipient=fields["to"],
            text=fields["text"],
        )


# --- Sending -------------------------------------------------------------------------------------


def _build_message(to: str, text: str, reference: str) -> "Sms":
    from pydantic import ValidationError
    from vonage_messages import Sms

    try:
        return Sms(
            to=to.removeprefix("+"),
            from_=settings.VONAGE_FROM.removeprefix("+"),
            text=text,
            client_ref=reference,
        )
    except ValidationError as error:
        fields = ", ".join(sorted({str(detail["loc"][0]) for detail in error.errors()}))
    raise SmsRefused(f"Vonage's SDK rejected {fields}")


def _classify_response(response: requests.Response) -> Exception:
    status = response.status_code
    if status == requests.codes.too_many_requests:
        return SmsNotSent("Vonage answered 429", retry_after=_retry_after(response))
    if status in ACCOUNT_PROBLEMS:
        return SmsNotSent(f"Vonage answered {status}: check the account")
    if 400 <= status < 500 and status != requests.codes.request_timeout:
        return SmsRefused(f"Vonage answered {status}")
    return SmsUnknown(f"Vonage answered {status}")


def _retry_after(response: requests.Response) -> float | None:
    seconds = response.headers.get("Retry-After", "").strip()
    return float(seconds) if seconds.isascii() and seconds.isdecimal() else None


def _classify_connection_error(error: requests.RequestException) -> Exception:
    reason = type(error).__name__
    if _happened_before_the_request(error):
        return SmsNotSent(f"Vonage cannot be reached: {reason}")
    return SmsUnknown(f"Vonage did not respond: {reason}")


def _happened_before_the_request(error: requests.RequestException) -> bool:
    """Return whether there was no connection, or only an untrusted one."""
    cause = error.args[0] if error.args else None
    reason = cause.reason if isinstance(cause, MaxRetryError) else None
    if isinstance(reason, ProxyError):
        reason = reason.original_error
    if isinstance(reason, SSLError):
        reason = reason.args[0]
    return isinstance(reason, BEFORE_THE_REQUEST)


def _is_uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True


_thread_local = threading.local()


def _client_of_thread() -> "Vonage":
    """Return this thread's client; the SDK keeps the headers of a request in it."""
    configuration = (
        settings.VONAGE_API_HOST,
        settings.VONAGE_APPLICATION_ID,
        settings.VONAGE_PRIVATE_KEY,
        settings.VONAGE_TIMEOUT,
    )
    if getattr(_thread_local, "configuration", None) != configuration:
        _thread_local.client = _create_client(*configuration)
        _thread_local.configuration = configuration
    client: Vonage = _thread_local.client
    return client


def _create_client(host: str, application: str, private_key: str, timeout: int) -> "Vonage":
    from vonage import Auth, HttpClientOptions, Vonage

    scheme, _, name = host.rstrip("/").rpartition("://")
    # The SDK logs whole requests and responses, with numbers and texts.
    logging.getLogger("vonage").disabled = True
    try:
        # An environment variable may not hold line breaks.
        auth = Auth(application_id=application, private_key=private_key.replace("\\n", "\n"))
        _parse_key_once(auth)
        auth.generate_application_jwt()
        # By default the SDK has no timeout, and posts ten times if the connection drops.
        options = HttpClientOptions(api_host=name, timeout=timeout, pool_maxsize=1, max_retries=0)
        client = Vonage(auth, options)
    except Exception as error:
        # Several libraries read the key and raise many kinds of errors. Nothing was sent yet.
        reason = type(error).__name__
    else:
        session = client.http_client._session
        session.mount("https://", _SinglePostAdapter(scheme or "https", timeout))
        session.max_redirects = 0  # a 307 would post again
        return client
    # Not chained: the libraries' messages may quote the key.
    raise SmsNotSent(f"the VONAGE_… settings are unusable: {reason}")


def _parse_key_once(auth: "Auth") -> None:
    """Parse the key's text here; the SDK would parse it again for each SMS (50 ms)."""
    signer = auth._jwt_client
    signer._private_key = RSAAlgorithm(RSAAlgorithm.SHA256).prepare_key(signer._private_key)


class _SinglePostAdapter(HTTPAdapter):
    """Sends each request once, limits the response's size and time, and allows plain HTTP.

    The SDK builds ``https://`` into every address, but a fake Vonage has no certificate.
    """

    def __init__(self, scheme: str, timeout: float) -> None:
        super().__init__(pool_maxsize=1, max_retries=0)
        self.scheme = scheme
        self.timeout = timeout

    def send(
        self, request: requests.PreparedRequest, *args: Any, **kwargs: Any
    ) -> requests.Response:
        assert request.url is not None
        request.url = self.scheme + request.url.removeprefix("https")
        try:
            return self._send_within_timeout(request, *args, **kwargs)
        finally:
            # If Vonage closed an open connection, the next SMS on it would become UNKNOWN.
            self.close()

    def _send_within_timeout(
        self, request: requests.PreparedRequest, *args: Any, **kwargs: Any
    ) -> requests.Response:
        deadline = time.monotonic() + self.timeout
        with super().send(request, *args, **kwargs) as response:
            content = b""
            while piece := response.raw.read1(MAX_RESPONSE_BYTES, decode_content=True):
                content += piece
                if len(content) > MAX_RESPONSE_BYTES or time.monotonic() > deadline:
                    raise requests.ReadTimeout("the response is too long or too slow")
        response._content = content
        return response


# --- Webhooks ------------------------------------------------------------------------------------


def verify_signature(body: bytes, authorization: str, *, at: datetime) -> dict[str, Any]:
    """Return the claims of a webhook's signature; ``jti`` identifies the webhook.

    :param authorization: the header as it was received.
    :raises InvalidSignature: if Vonage did not sign exactly this body within the last minutes.
    :raises WebhookSecretMissing: if there is no secret to verify with.
    """
    if not settings.VONAGE_SIGNATURE_SECRET:
        raise WebhookSecretMissing("VONAGE_SIGNATURE_SECRET is not set")
    claims = _decode_claims(authorization)
    signed_hash, actual_hash = claims.get("payload_hash"), hashlib.sha256(body).hexdigest()
    if not isinstance(signed_hash, str) or not _equals_safely(signed_hash, actual_hash):
        raise InvalidSignature("the signature belongs to a different body")
    if not _is_recent(claims.get("iat"), at):
        raise InvalidSignature("the signature is too old, or from the future")
    if not _is_storable_id(claims.get("jti")):
        raise InvalidSignature("the signature has no id")
    return claims


def _is_storable_id(jti: Any) -> bool:
    """Return whether every database can hold the id as a key."""
    return isinstance(jti, str) and 0 < len(jti) <= 255 and jti.isascii() and jti.isprintable()


def _is_recent(issued: Any, at: datetime) -> bool:
    earliest, latest = (at - MAX_SIGNATURE_AGE).timestamp(), (at + MAX_SIGNATURE_AGE).timestamp()
    return type(issued) in (int, float) and earliest <= issued <= latest


def _decode_claims(authorization: str) -> dict[str, Any]:
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer":
        raise InvalidSignature("there is no signature")
    try:
        claims: dict[str, Any] = jwt.decode(
            token.strip(),
            settings.VONAGE_SIGNATURE_SECRET,
            algorithms=["HS256"],
            # verify_signature() checks the time itself; Vonage does not promise the other claims.
            options={
                "verify_exp": False,
                "verify_nbf": False,
                "verify_iat": False,
                "verify_aud": False,
                "verify_sub": False,
                "verify_jti": False,
            },
        )
    except Exception as error:
        # Several parsers read these untrusted bytes and raise many kinds of errors.
        raise InvalidSignature(f"the signature is invalid: {type(error).__name__}") from error
    return claims


def _equals_safely(one: str, other: str) -> bool:
    """Compare in constant time."""
    return hmac.compare_digest(one.encode(errors="replace"), other.encode())


def _read_fields(payload: Mapping[str, Any], rules: Mapping[str, FieldRule]) -> dict[str, str]:
    """Return the fields of a payload, empty if optional and absent.

    :raises MalformedWebhook:
    """
    values: dict[str, str] = {}
    errors: dict[str, list[str]] = {}
    for name, rule in rules.items():
        value = payload.get(name)
        if problem := _problem_with(value, rule):
            errors[name] = [problem]
        else:
            values[name] = (value or "").strip() if rule.is_required else value or ""
    if errors:
        raise MalformedWebhook(errors)
    return values


def _problem_with(value: Any, rule: FieldRule) -> str:
    if value is None:
        return "This field is required." if rule.is_required else ""
    if not isinstance(value, str) or not _is_storable(value):
        return "must be text without NUL and lone surrogates"
    if rule.is_required and not value.strip():
        return "must not be blank"
    if len(value.strip() if rule.is_required else value) > rule.max_length:
        return f"must have at most {rule.max_length} characters"
    return ""


def _is_storable(text: str) -> bool:
    """Return whether every database can hold this text."""
    return not UNSTORABLE.search(text)

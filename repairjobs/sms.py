"""Vonage's Messages API: its address, wire format, signatures and failures; and phone numbers."""

import hashlib
import hmac
import logging
import ssl
import sys
import threading
import time
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import jwt
import phonenumbers
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

if TYPE_CHECKING:
    # Imported where it is used: the SDK takes half a second, and most of what is here none of it.
    from vonage import Auth, Vonage
    from vonage_messages import Sms

REGION = "GB"
MAX_BYTES = 64 * 1024
BEFORE_THE_REQUEST = (NewConnectionError, ConnectTimeoutError, ssl.SSLCertVerificationError)
# No credit, no or wrong credentials: nothing is wrong with the SMS, which can leave once that is
# mended.
ACCOUNT_TROUBLE = (401, 402, 403)
# A signature older than this, or from further ahead, is a recording or a wrong clock.
SIGNATURE_AGE = timedelta(minutes=5)


class SmsRefused(Exception):
    """The SMS was not accepted, and asking again would not change that."""


class SmsNotSent(Exception):
    """The SMS was certainly not accepted; it may be tried again."""

    def __init__(self, reason: str, *, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.retry_after = retry_after  # seconds, if Vonage named them


class SmsUnknown(Exception):
    """The request went out; nobody here can tell whether the SMS was accepted."""


class WebhookForged(Exception):
    """Nothing shows that this webhook is Vonage's, whole and of now."""


class WebhooksUnconfigured(Exception):
    """There is no secret to check webhooks with."""


# --- Numbers and texts ---------------------------------------------------------------------------


def normalised(number: str | None) -> str | None:
    """Spell a phone number in E.164 (``+447700900456``); None if it is not even a possible one."""
    if (parsed := _possible(number)) is None:
        return None
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)


def national(number: str | None) -> str | None:
    """A phone number's digits without country code and leading 0; None if it is none."""
    parsed = _possible(number)
    return None if parsed is None else phonenumbers.national_significant_number(parsed)


def _possible(number: str | None) -> phonenumbers.PhoneNumber | None:
    try:
        parsed = phonenumbers.parse(number or "", REGION)
    except phonenumbers.NumberParseException:
        return None
    return parsed if phonenumbers.is_possible_number(parsed) else None


# GSM 03.38: a character of the extension table takes two places.
GSM_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
GSM_EXTENSION = frozenset("\f^{}\\[~]|€")


def segments(text: str) -> int:
    """Count the SMS that this text is carried, and paid, as."""
    if set(text) <= GSM_BASIC | GSM_EXTENSION:
        return _packed([2 if each in GSM_EXTENSION else 1 for each in text], 160, 153)
    return _packed([2 if ord(each) > 0xFFFF else 1 for each in text], 70, 67)


def _packed(sizes: list[int], alone: int, joined: int) -> int:
    """Count the parts that hold characters of these sizes, none of them split."""
    if sum(sizes) <= alone:
        return 1
    parts, left = 1, joined
    for size in sizes:
        if size > left:
            parts, left = parts + 1, joined
        left -= size
    return parts


# --- Sending -------------------------------------------------------------------------------------


def send(*, to: str, text: str, reference: str) -> str:
    """Send an SMS, by one request at most; return the id that its later news will carry.

    :param to: the number in E.164.
    :param reference: ours, which Vonage's webhooks repeat as ``client_ref``.
    :raises SmsRefused: if it was not accepted and never will be.
    :raises SmsNotSent: if it was not accepted this time.
    :raises SmsUnknown: if it may have been accepted.
    """
    by_backend = {"console": _print, "vonage": _post}
    return by_backend[settings.SMS_BACKEND](to, text, reference)


def _print(to: str, text: str, reference: str) -> str:
    # Not sys.stdout: a Celery worker makes that its log, where no number may stand.
    if sys.__stdout__ is not None:
        lines = f"SMS to {to} ({reference}):\n{text}\n{'-' * 79}\n"
        sys.__stdout__.buffer.write(lines.encode(errors="replace"))
        sys.__stdout__.flush()
    return str(uuid4())


def _post(to: str, text: str, reference: str) -> str:
    from vonage_http_client.errors import HttpRequestError

    message = _message(to, text, reference)
    client = _client()
    try:
        uuid: str = client.messages.send(message).message_uuid
    except HttpRequestError as error:
        failure = _failure_of(error.response)
    except (InvalidURL, LocationValueError):
        failure = SmsNotSent("VONAGE_API_HOST is no address")
    except requests.RequestException as error:
        failure = _failure_of_connection(error)
    except Exception as error:
        # An answer that is no answer: the SDK reads it with whatever its parsers raise.
        failure = SmsUnknown(f"Vonage's answer is unreadable: {type(error).__name__}")
    else:
        if _is_uuid(uuid):
            return uuid
        failure = SmsUnknown("Vonage's answer has no message id")
    # Not chained: what the libraries say may quote the number and the text.
    raise failure


def _message(to: str, text: str, reference: str) -> "Sms":
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
        wrong = ", ".join(sorted({str(each["loc"][0]) for each in error.errors()}))
    raise SmsRefused(f"Vonage takes no such {wrong}")


def _failure_of(response: requests.Response) -> Exception:
    status = response.status_code
    if status == requests.codes.too_many_requests:
        return SmsNotSent("Vonage answered 429", retry_after=_retry_after(response))
    if status in ACCOUNT_TROUBLE:
        return SmsNotSent(f"Vonage answered {status}: see to the account")
    if 400 <= status < 500 and status != requests.codes.request_timeout:
        return SmsRefused(f"Vonage answered {status}")
    return SmsUnknown(f"Vonage answered {status}")


def _retry_after(response: requests.Response) -> float | None:
    seconds = response.headers.get("Retry-After", "").strip()
    return float(seconds) if seconds.isascii() and seconds.isdecimal() else None


def _failure_of_connection(error: requests.RequestException) -> Exception:
    reason = type(error).__name__
    if _came_before_the_request(error):
        return SmsNotSent(f"Vonage cannot be reached: {reason}")
    return SmsUnknown(f"Vonage's answer did not come: {reason}")


def _came_before_the_request(error: requests.RequestException) -> bool:
    """Whether there was no connection, or one that was not to be trusted."""
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


_of_thread = threading.local()


def _client() -> "Vonage":
    """This thread's client: the SDK keeps each request's headers in it."""
    asked = (
        settings.VONAGE_API_HOST,
        settings.VONAGE_APPLICATION_ID,
        settings.VONAGE_PRIVATE_KEY,
        settings.VONAGE_TIMEOUT,
    )
    if getattr(_of_thread, "asked", None) != asked:
        _of_thread.client = _connected(*asked)
        _of_thread.asked = asked
    client: Vonage = _of_thread.client
    return client


def _connected(host: str, application: str, private_key: str, timeout: int) -> "Vonage":
    from vonage import Auth, HttpClientOptions, Vonage

    scheme, _, name = host.rstrip("/").rpartition("://")
    # The SDK tells the log whole requests and answers, and so numbers and texts.
    logging.getLogger("vonage").disabled = True
    try:
        # An environment may not hold line breaks.
        auth = Auth(application_id=application, private_key=private_key.replace("\\n", "\n"))
        _read_key_once(auth)
        auth.generate_application_jwt()
        # By default the SDK waits for ever, and posts ten times if the connection drops.
        options = HttpClientOptions(api_host=name, timeout=timeout, pool_maxsize=1, max_retries=0)
        client = Vonage(auth, options)
    except Exception as error:
        # Keys are read by several libraries; none of them has sent anything yet.
        reason = type(error).__name__
    else:
        session = client.http_client._session
        session.mount("https://", _OnePost(scheme or "https", timeout))
        session.max_redirects = 0  # a 307 would post again
        return client
    # Not chained: what the libraries say may quote the key.
    raise SmsNotSent(f"the settings VONAGE_… make no client: {reason}")


def _read_key_once(auth: "Auth") -> None:
    """Spare each SMS the 50 ms in which the SDK reads and checks the key's text."""
    signer = auth._jwt_client
    signer._private_key = RSAAlgorithm(RSAAlgorithm.SHA256).prepare_key(signer._private_key)


class _OnePost(HTTPAdapter):
    """Sends once, reads an answer of bounded size in bounded time, and knows plain HTTP.

    The SDK builds ``https://`` into every address; a fake Vonage has no certificate.
    """

    def __init__(self, scheme: str, timeout: float) -> None:
        super().__init__(pool_maxsize=1, max_retries=0)
        self.scheme = scheme
        self.seconds = timeout

    def send(
        self, request: requests.PreparedRequest, *args: Any, **kwargs: Any
    ) -> requests.Response:
        assert request.url is not None
        request.url = self.scheme + request.url.removeprefix("https")
        try:
            return self._send_in_time(request, *args, **kwargs)
        finally:
            # A kept connection that the other side has just closed would make an SMS UNKNOWN.
            self.close()

    def _send_in_time(
        self, request: requests.PreparedRequest, *args: Any, **kwargs: Any
    ) -> requests.Response:
        deadline = time.monotonic() + self.seconds
        with super().send(request, *args, **kwargs) as response:
            content = b""
            while piece := response.raw.read1(MAX_BYTES, decode_content=True):
                content += piece
                if len(content) > MAX_BYTES or time.monotonic() > deadline:
                    raise requests.ReadTimeout("the answer is too long or too slow")
        response._content = content
        return response


# --- Webhooks ------------------------------------------------------------------------------------


def verified(body: bytes, authorization: str, *, at: datetime) -> dict[str, Any]:
    """Return the claims of the signature on a webhook; ``jti`` tells one webhook from another.

    :param authorization: the header as it came.
    :raises WebhookForged: if Vonage did not sign this very body within the last minutes.
    :raises WebhooksUnconfigured: if there is no secret to tell by.
    """
    if not settings.VONAGE_SIGNATURE_SECRET:
        raise WebhooksUnconfigured("VONAGE_SIGNATURE_SECRET is not set")
    claims = _signed_claims(authorization)
    signed, found = claims.get("payload_hash"), hashlib.sha256(body).hexdigest()
    if not isinstance(signed, str) or not _same(signed, found):
        raise WebhookForged("the signature is for another body")
    if not _is_around(claims.get("iat"), at):
        raise WebhookForged("the signature is not of now")
    if not _is_id(claims.get("jti")):
        raise WebhookForged("the signature has no id")
    return claims


def _is_id(jti: Any) -> bool:
    """Whether every store can hold it as a key."""
    return isinstance(jti, str) and 0 < len(jti) <= 255 and jti.isascii() and jti.isprintable()


def _is_around(issued: Any, at: datetime) -> bool:
    earliest, latest = (at - SIGNATURE_AGE).timestamp(), (at + SIGNATURE_AGE).timestamp()
    return type(issued) in (int, float) and earliest <= issued <= latest


def _signed_claims(authorization: str) -> dict[str, Any]:
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer":
        raise WebhookForged("there is no signature")
    try:
        claims: dict[str, Any] = jwt.decode(
            token.strip(),
            settings.VONAGE_SIGNATURE_SECRET,
            algorithms=["HS256"],
            # The caller says what time it is; the rest is not Vonage's to promise.
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
        # A stranger's bytes meet several parsers; whatever one of them raises, they are not signed.
        raise WebhookForged(f"the signature is not Vonage's: {type(error).__name__}") from error
    return claims


def _same(one: str, other: str) -> bool:
    """Compare in a time that does not tell where they differ."""
    return hmac.compare_digest(one.encode(errors="replace"), other.encode())

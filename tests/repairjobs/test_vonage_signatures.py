import hashlib
from datetime import UTC, datetime, timedelta

import jwt
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from repairjobs.integrations.sms.base import InvalidSignature, WebhookSecretMissing
from repairjobs.integrations.sms.vonage import verify_signature
from tests.support.ids import readable
from tests.support.repairjobs.vonage_webhooks import SIGNATURE_SECRET, Webhook

pytestmark = pytest.mark.usefixtures("_secret")

NOW = datetime(2021, 1, 1, 12, tzinfo=UTC)
WEBHOOK = Webhook({"message_uuid": "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee", "status": "delivered"})
MAX_AGE = timedelta(minutes=5)


@pytest.fixture
def _secret(settings):
    settings.VONAGE_SIGNATURE_SECRET = SIGNATURE_SECRET


def sign(webhook, *, at=NOW, **signing):
    return webhook.authorization(**({"iat": int(at.timestamp())} | signing))


def test_a_valid_signature_returns_its_claims():
    claims = verify_signature(WEBHOOK.body, sign(WEBHOOK), at=NOW)

    assert claims["jti"] == WEBHOOK.jti


@pytest.mark.parametrize("scheme", ["bearer", "BEARER", "Bearer "])
def test_the_scheme_may_have_any_case(scheme):
    token = sign(WEBHOOK).removeprefix("Bearer ")

    assert verify_signature(WEBHOOK.body, f"{scheme} {token}", at=NOW)["jti"] == WEBHOOK.jti


@pytest.mark.parametrize("age", [timedelta(0), MAX_AGE, -MAX_AGE], ids=readable)
def test_a_signature_of_the_last_or_next_five_minutes_is_valid(age):
    assert verify_signature(WEBHOOK.body, sign(WEBHOOK, at=NOW - age), at=NOW)


@pytest.mark.parametrize("age", [MAX_AGE, -MAX_AGE], ids=readable)
def test_an_older_or_later_signature_is_invalid(age):
    at = NOW - age - (timedelta(seconds=1) if age > timedelta(0) else -timedelta(seconds=1))

    with pytest.raises(InvalidSignature):
        verify_signature(WEBHOOK.body, sign(WEBHOOK, at=at), at=NOW)


@pytest.mark.parametrize(
    "body",
    [b"", WEBHOOK.body + b" ", WEBHOOK.body.replace(b"delivered", b"rejected "), b"\xff\x00"],
)
def test_a_signature_of_another_body_is_invalid(body):
    with pytest.raises(InvalidSignature):
        verify_signature(body, sign(WEBHOOK), at=NOW)


@pytest.mark.parametrize(
    "claims",
    [
        {"payload_hash": None},
        {"payload_hash": ""},
        {"payload_hash": 5},
        {"payload_hash": "é\ud800"},
        {"payload_hash": hashlib.sha256(WEBHOOK.body).hexdigest()[:-1]},
        {"iat": None},
        {"iat": str(int(NOW.timestamp()))},
        {"iat": True},
        {"iat": 10**400},
        {"iat": float("nan")},
        {"iat": float("inf")},
        {"jti": None},
        {"jti": ""},
        {"jti": 7},
        {"jti": "x" * 256},
        {"jti": "a\x00b"},
    ],
    ids=readable,
)
def test_wrong_claims_are_invalid(claims):
    claims = WEBHOOK.claims(iat=int(NOW.timestamp())) | claims
    token = jwt.encode(
        {name: value for name, value in claims.items() if value is not None}, SIGNATURE_SECRET
    )

    with pytest.raises(InvalidSignature):
        verify_signature(WEBHOOK.body, f"Bearer {token}", at=NOW)


@pytest.mark.parametrize("algorithm", ["HS384", "HS512", "none"])
def test_other_algorithms_are_invalid(algorithm):
    secret = "" if algorithm == "none" else SIGNATURE_SECRET

    with pytest.raises(InvalidSignature):
        verify_signature(WEBHOOK.body, sign(WEBHOOK, algorithm=algorithm, secret=secret), at=NOW)


def test_a_signature_with_another_secret_is_invalid():
    with pytest.raises(InvalidSignature):
        verify_signature(WEBHOOK.body, sign(WEBHOOK, secret=SIGNATURE_SECRET + "!"), at=NOW)


def test_a_signature_with_any_altered_character_is_invalid():
    authorization = sign(WEBHOOK)
    for position in range(len("Bearer "), len(authorization) - 1):
        other = "A" if authorization[position] != "A" else "B"
        altered = authorization[:position] + other + authorization[position + 1 :]

        with pytest.raises(InvalidSignature):
            verify_signature(WEBHOOK.body, altered, at=NOW)


@given(st.text(), st.binary())
@example("Bearer a.b.c", b"")
@example("Bearer ..", b"")
@example("Bearer " + "W3s" * 5_000, b"")
@example("Bearer é\ud800", b"")
def test_garbage_is_invalid(text, body):
    for authorization in (text, f"Bearer {text}", f"Bearer {text}.{text}.{text}"):
        with pytest.raises(InvalidSignature):
            verify_signature(body, authorization, at=NOW)


@pytest.mark.parametrize(
    "header", ["[" * 5_000, '{"alg":' * 3_000, "1" * 5_000, '"HS256"'], ids=readable
)
def test_headers_that_break_parsers_are_invalid(header):
    token = jwt.utils.base64url_encode(header.encode()).decode()

    with pytest.raises(InvalidSignature):
        verify_signature(WEBHOOK.body, f"Bearer {token}.{token}.{token}", at=NOW)


def test_verifying_needs_a_secret(settings):
    settings.VONAGE_SIGNATURE_SECRET = ""

    with pytest.raises(WebhookSecretMissing):
        verify_signature(WEBHOOK.body, sign(WEBHOOK), at=NOW)

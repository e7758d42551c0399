"""Masks for personal data."""

from typing import Any

from repairjobs.integrations.phone_numbers import normalize_number

HIDDEN = "•••"
MIN_NUMBER_LENGTH = 10


def mask(text: str | None) -> str:
    """Hide a text. The result shows only whether there is a text."""
    return HIDDEN if text else ""


def mask_number(number: str | None) -> str:
    """Show only a phone number's country and last digits: ``+44••••••0456``."""
    normalized = normalize_number(number)
    if normalized is None or len(normalized) < MIN_NUMBER_LENGTH:
        return mask(number)
    return f"{normalized[:3]}••••••{normalized[-4:]}"


def mask_document(document: dict[str, Any]) -> dict[str, Any]:
    customers = [
        {
            name: mask_number(value) if name == "client_mobile" else mask(value)
            for name, value in customer.items()
        }
        for customer in document["customer"]
    ]
    return {**document, "customer": customers}

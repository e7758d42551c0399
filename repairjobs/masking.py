"""Customers' names and numbers, for those who may not see them."""

from typing import Any

from repairjobs.sms import normalised

HIDDEN = "•••"
MIN_NUMBER_LENGTH = 10


def masked(text: str | None) -> str:
    """Whether there is something, and no more than that."""
    return HIDDEN if text else ""


def masked_number(number: str | None) -> str:
    """A phone number's country and end (``+44••••••0456``), enough to tell one from another."""
    spelled = normalised(number)
    if spelled is None or len(spelled) < MIN_NUMBER_LENGTH:
        return masked(number)
    return f"{spelled[:3]}••••••{spelled[-4:]}"


def masked_document(document: dict[str, Any]) -> dict[str, Any]:
    customers = [
        {
            name: masked_number(value) if name == "client_mobile" else masked(value)
            for name, value in customer.items()
        }
        for customer in document["customer"]
    ]
    return {**document, "customer": customers}

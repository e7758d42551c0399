"""Phone numbers, parsed by the phonenumbers library."""

import phonenumbers

DEFAULT_REGION = "GB"


def normalize_number(number: str | None) -> str | None:
    """Return a phone number in E.164 (``+447700900456``); None if it is not a possible one."""
    if (parsed := _parse(number)) is None:
        return None
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)


def national_digits(number: str | None) -> str | None:
    """Return a phone number's digits without country code and leading 0; None if impossible."""
    parsed = _parse(number)
    return None if parsed is None else phonenumbers.national_significant_number(parsed)


def _parse(number: str | None) -> phonenumbers.PhoneNumber | None:
    try:
        parsed = phonenumbers.parse(number or "", DEFAULT_REGION)
    except phonenumbers.NumberParseException:
        return None
    return parsed if phonenumbers.is_possible_number(parsed) else None

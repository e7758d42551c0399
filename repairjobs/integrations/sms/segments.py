"""The number of SMS that carry a text (GSM 03.38)."""

GSM_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
GSM_EXTENSION = frozenset("\f^{}\\[~]|€")  # each character takes two places


def count_segments(text: str) -> int:
    """Count the SMS that this text is sent and billed as."""
    if set(text) <= GSM_BASIC | GSM_EXTENSION:
        return _count([2 if char in GSM_EXTENSION else 1 for char in text], 160, 153)
    return _count([2 if ord(char) > 0xFFFF else 1 for char in text], 70, 67)


def _count(sizes: list[int], single: int, joined: int) -> int:
    """Count the segments for characters of these sizes; a character is never split."""
    if sum(sizes) <= single:
        return 1
    segments, free_places = 1, joined
    for size in sizes:
        if size > free_places:
            segments, free_places = segments + 1, joined
        free_places -= size
    return segments

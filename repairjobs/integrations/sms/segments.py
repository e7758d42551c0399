"""The number of SMS that carry a text (GSM 03.38)."""

GSM_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
GSM_EXTENSION = frozenset("\f^{}\\[~]|€")  # each takes two places


def count_segments(text: str) -> int:
    """Count the SMS that this text is sent and billed as."""
    if set(text) <= GSM_BASIC | GSM_EXTENSION:
        return _count([2 if each in GSM_EXTENSION else 1 for each in text], 160, 153)
    return _count([2 if ord(each) > 0xFFFF else 1 for each in text], 70, 67)


def _count(sizes: list[int], single: int, joined: int) -> int:
    """Count the segments for characters of these sizes; a character is never split."""
    if sum(sizes) <= single:
        return 1
    segments, left = 1, joined
    for size in sizes:
        if size > left:
            segments, left = segments + 1, joined
        left -= size
    return segments

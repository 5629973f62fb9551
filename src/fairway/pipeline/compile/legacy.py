"""temporary"""


def is_legacy(text: str) -> bool:
    return False


def convert(text: str, *, name: str) -> str:
    return text

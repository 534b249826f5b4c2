"""`edge-cxr drift`: whether a period's answers still look as they did."""


def drift() -> None:
    """x"""

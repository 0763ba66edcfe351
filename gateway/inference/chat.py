"""What holds for any chat model that is asked on semgate's own account: what its options may not touch, and what a budget needs."""

from __future__ import annotations

from collections.abc import Callable, Collection

from gateway.errors import ConfigError

OURS = ("model", "messages", "stream", "n", "tools")
"""Members of the request body that `options` may not touch: with others the answer would be another thing."""


def refuse_unusable(
    model: str,
    options: Collection[str] | None,
    dollars_per_day: float | None,
    price: Callable[[int, int], float | None],
) -> None:
    """Raises ConfigError for a budget in dollars of a model without a price, and for options that are not the operator's."""
    if dollars_per_day is not None and price(1, 1) is None:
        raise ConfigError(f"a budget in dollars needs a price: add one for {model!r} to `prices`")
    settled = [name for name in OURS if name in (options or ())]
    if settled:
        raise ConfigError(f"`options` may not set {', '.join(f'`{name}`' for name in settled)}")

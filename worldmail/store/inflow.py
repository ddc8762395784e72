"""How much large content is on its way in: work that can wait looks at it."""

from __future__ import annotations

from attrs import define


@define(eq=False)
class Inflow:
    """Attributes:
    octets: of large content that this process took in since it started, finished or not.
    """

    octets: int = 0

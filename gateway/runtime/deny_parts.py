"""The parts that denied questions stand on, taken from a generation's lease: what is known of them, their vectors, and
each route's lists. They outlive a reload with what they were made of, so a changed line costs one text."""

from __future__ import annotations

from collections.abc import Hashable

from gateway.config.model import File
from gateway.core.events import Trouble
from gateway.core.ports import Emit
from gateway.embedders.comparing import SIDE_BY_SIDE, Comparer
from gateway.embedders.queue import BoundedEmbedder
from gateway.errors import CacheTrouble
from gateway.runtime.denying import Denying, RouteDenials, denied_everywhere, denied_on_routes
from gateway.runtime.models import LOCAL
from gateway.runtime.parts import Lease, Made
from gateway.stores.denials import DenialLog


class DenyParts:
    """`key` makes the ids of denied questions; `log_key` says all that `log` was made of."""

    def __init__(self, settings: File, key: bytes, log: DenialLog, log_key: Hashable, lease: Lease, emit: Emit) -> None:
        self._settings = settings
        self._lease = lease
        self._emit = emit
        self._key = log_key
        self.everywhere = denied_everywhere(settings, key)
        self.on_routes = denied_on_routes(settings, key)
        self.routes: dict[str, RouteDenials] = {}
        self.denying = self._take_denying(log)

    def on(self, route: str, embedder: tuple[str, Hashable, BoundedEmbedder] | None) -> RouteDenials:
        """Of this route. `embedder`: its name, all that it was made of, and itself; None: exact words only."""
        comparer = None if embedder is None else self._take_comparer(*embedder)
        fixed = (self.everywhere, self.on_routes[route])

        def make() -> Made[RouteDenials]:
            denials = RouteDenials(route, fixed, self.denying, comparer)
            return Made(denials, "", denials.open, later=True)

        made_of = None if embedder is None else embedder[:2]
        denials = self._lease.take(("denied on", route, made_of, fixed, self._key), make)
        self.routes[route] = denials
        return denials

    def _take_denying(self, log: DenialLog) -> Denying:
        def make() -> Made[Denying]:
            denying = Denying(log)
            return Made(denying, "", denying.begin, denying.end, later=True)

        return self._lease.take(("denying", self._key), make)

    def _take_comparer(self, name: str, made_of: Hashable, embedder: BoundedEmbedder) -> Comparer:
        part = f"embedders.{name}"

        def tell(trouble: CacheTrouble) -> None:
            self._emit(Trouble(part, str(trouble)))

        def make() -> Made[Comparer]:
            local = isinstance(self._settings.embedders[name], LOCAL)
            comparer = Comparer(embedder, tell, side_by_side=1 if local else SIDE_BY_SIDE)
            return Made(comparer, "", None, comparer.close, later=True)

        return self._lease.take(("comparer", name, made_of), make)

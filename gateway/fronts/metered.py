"""Metered: an app whose answers are paid for. It stands around the proxy, where nothing passes but upstream answers: what
comes out of the cache, or follows another's call, costs nobody anything.

Who set off a call pays for it, whoever else is served with its answer. Booking begins before the last byte is passed on,
so the client's next request finds it begun; nobody waits for it to end.
"""

from __future__ import annotations

import asyncio

from gateway.core.asgi import ACCOUNT, App, Message, Receive, Scope, Send
from gateway.core.body import Document
from gateway.core.extract import Extractors, first_value
from gateway.core.messages import Cost, Request
from gateway.core.policy import LONGEST_MODEL, CachePolicy
from gateway.core.prices import Tariff
from gateway.engine.allowance import Allowances
from gateway.engine.metering import Meter
from gateway.engine.tiers import Decode
from gateway.fronts.clients import Account


class Metered:
    """Around one route's `app`. `policy` says where answers tell their tokens, `model` where requests name a model, and
    `tariff` what it costs."""

    def __init__(
        self, app: App, policy: CachePolicy, model: Extractors, tariff: Tariff, decode: Decode, allowances: Allowances
    ) -> None:
        self._app = app
        self._policy = policy
        self._model = model
        self._tariff = tariff
        self._decode = decode
        self._allowances = allowances

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As the app; only requests with an account are metered."""
        account: Account | None = scope.get(ACCOUNT)
        if account is None:
            await self._app(scope, receive, send)
            return
        meter = Meter(self._policy, self._decode)
        booking: asyncio.Task[None] | None = None

        async def watched(message: Message) -> None:
            nonlocal booking
            if message["type"] == "http.response.start":
                meter.start(message["status"], message["headers"])
            else:
                last = not message.get("more_body", False)
                meter.feed(message.get("body", b""), last=last)
                if last and not meter.heavy:
                    meter.read()
                    booking = self._pay(account, meter)
            await send(message)

        try:
            await self._app(scope, receive, watched)
        finally:
            if booking is None:
                await asyncio.to_thread(meter.read) if meter.heavy else meter.read()
                booking = self._pay(account, meter)
            await asyncio.wait([booking])

    def _pay(self, account: Account, meter: Meter) -> asyncio.Task[None]:
        request = account.request
        asked = self._asked_for(request) or meter.model
        cost = meter.cost(asked, request.body)
        counted, dollars = self._tariff.count(cost)
        if dollars is None and meter.model:  # the request may have named it by an alias
            counted, dollars = self._tariff.count(Cost(meter.model, cost.prompt, cost.completion))
        return self._allowances.pay(account.client, account.limits, counted, dollars)

    def _asked_for(self, request: Request) -> str:
        model = first_value(self._model, request, Document(request.body).holder)
        return "" if model is None else str(model)[:LONGEST_MODEL]

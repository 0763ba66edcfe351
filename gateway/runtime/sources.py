"""The upstream that a routes file describes: a pool of connections, or a fixed answer."""

from __future__ import annotations

from gateway.config import model
from gateway.errors import ConfigError
from gateway.proxy.respond import Respond
from gateway.proxy.upstream import Pool, Source, Upstream


def make_source(name: str, settings: model.Upstream) -> Source:
    """Nothing is connected yet. Raises ConfigError."""
    if settings.respond is not None:
        fixed = settings.respond
        headers = tuple((key.lower().encode(), value.encode()) for key, value in fixed.headers.items())
        return Respond(name, fixed.status, headers, fixed.body.encode())
    try:
        return Pool(
            Upstream(
                name=name,
                url=settings.url,
                headers=tuple((key.lower().encode(), value.encode()) for key, value in settings.headers.items()),
                remove_headers=frozenset(key.lower().encode() for key in settings.remove_headers),
                connect_timeout=settings.timeout.connect,
                first_byte_timeout=settings.timeout.first_byte,
                idle_timeout=settings.timeout.idle,
                attempts=settings.retry.attempts,
                retry_on=frozenset(int(each) if str(each).isdigit() else str(each) for each in settings.retry.on),
                max_wait=settings.retry.max_wait,
                breaker_failures=settings.breaker.failures,
                breaker_pause=settings.breaker.pause,
                breaker_longest=settings.breaker.longest,
                verify=settings.tls.verify,
                ca=settings.tls.ca,
                proxy=settings.proxy,
                connections=settings.connections,
                keepalive=settings.keepalive,
            )
        )
    except OSError as error:
        raise ConfigError(f"upstreams.{name}.tls.ca: {settings.tls.ca}: {error.strerror}") from error
    except ValueError as error:
        raise ConfigError(f"upstreams.{name}: {error}") from error

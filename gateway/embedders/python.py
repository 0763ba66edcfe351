"""A class of the user's own as an embedder: `package.module:Class`, made with its options, asked through `embed(text)`.

An `async def embed` runs on the event loop; any other runs on one thread, one text at a time, where the class is imported
and made as well. Whatever it raises is an EmbedError that names the class and the kind of error, never the text; its
answer is checked like any model's. It is code that runs with the gateway's rights: only the routes file can name it.
"""

from __future__ import annotations

import hashlib
import importlib
import inspect
from typing import TYPE_CHECKING, Any

import msgspec

from gateway.embedders.vector import NORMALISER, unit
from gateway.errors import ConfigError, EmbedError, TextUnfit
from gateway.inference.worker import Worker

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.core.messages import Vector


# No key is shorter; to take out each `a` would leave nothing to read.
SHORTEST_SECRET = 4


class PythonEmbedder:
    """An embedder that a user's class makes.

    Args:
        cls: `package.module:Class`. The class has `embed(text: str)`, which returns a sequence of floats (or a numpy
            array), sync or async; it may have `dimensions: int`, `version: str` (change it when vectors change) and
            `close()`, sync or async.
        options: keyword arguments of the class.
    """

    def __init__(self, *, cls: str, options: Mapping[str, str | int | float | bool | None] | None = None) -> None:
        module, colon, name = cls.partition(":")
        if not colon or not name.isidentifier() or not all(part.isidentifier() for part in module.split(".")):
            raise ConfigError(f"`class` must be written `package.module:Class`, not {cls!r}")
        self._module, self._name = module, name
        self._options = dict(options or {})
        self._who = f"python embedder {cls!r}"
        self._cls = cls
        self._worker = Worker(self._who, EmbedError)
        self._instance: Any = None
        self.dimensions: int | None = None

    @property
    def identity(self) -> str:
        """Known once open: the class's `version` is part of it. The options are too, hashed: they may hold keys."""
        if self._instance is None:
            raise EmbedError(f"{self._who} is not open")
        version = getattr(self._instance, "version", "")
        options = hashlib.sha256(msgspec.json.encode(self._options, order="deterministic")).hexdigest()[:16]
        return f"python:{self._cls}:{version}:{options}:{NORMALISER}"

    async def open(self) -> None:
        """Import and make the class. Raises EmbedError; may be tried again."""
        await self._worker.run(PythonEmbedder._make, self)

    async def embed(self, text: str) -> Vector:
        """Raises TextUnfit where the class does, else EmbedError."""
        if self._instance is None:
            await self.open()
        if not inspect.iscoroutinefunction(self._instance.embed):
            return await self._worker.run(self._embed, text)
        try:
            return self._unit(await self._instance.embed(text))
        except Exception as error:  # whatever a user's class may raise
            raise self._translated(error) from None

    async def ping(self) -> None:
        """Embeds one word."""
        await self.embed("ping")

    async def close(self) -> None:
        """Raises EmbedError where the class's own `close` fails."""
        instance, self._instance = self._instance, None
        close = getattr(instance, "close", None)
        try:
            if inspect.iscoroutinefunction(close):
                await close()
            elif close is not None:
                await self._worker.run(lambda _: close(), None)
        except Exception as error:
            raise self._translated(error) from None
        finally:
            await self._worker.close()

    def _make(self) -> None:
        if self._instance is not None:
            return
        try:
            instance = getattr(importlib.import_module(self._module), self._name)(**self._options)
        except (Exception, SystemExit) as error:
            # The message helps here (a missing module, a wrong option), and no text has been seen yet.
            said = self._without_options(f"{type(error).__name__}: {error}")
            raise EmbedError(f"{self._who} cannot be made: {said}") from None
        if not callable(getattr(instance, "embed", None)):
            raise EmbedError(f"{self._who} has no method `embed`")
        self.dimensions = getattr(instance, "dimensions", None)
        self._instance = instance

    def _without_options(self, text: str) -> str:
        """Options may be keys, and a class may name what it was given."""
        for value in self._options.values():
            if isinstance(value, str) and len(value) >= SHORTEST_SECRET:
                text = text.replace(value, "***")
        return text

    def _embed(self, text: str) -> Vector:
        try:
            return self._unit(self._instance.embed(text))
        except (Exception, SystemExit) as error:  # whatever a user's class may raise
            raise self._translated(error) from None

    def _unit(self, values: Any) -> Vector:
        vector = unit(values, self.dimensions)
        self.dimensions = len(vector) // 4
        return vector

    def _translated(self, error: BaseException) -> EmbedError:
        match error:
            case TextUnfit():
                return TextUnfit(f"{self._who} says that the text is longer than its window")
            case EmbedError():
                return EmbedError(f"{self._who}: {error}")
            case _:
                return EmbedError(f"{self._who} raised {type(error).__name__}")

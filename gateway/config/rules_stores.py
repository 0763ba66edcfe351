"""Rules for what entries are kept in and found with: stores and embedders; and for names that refer to something."""

from __future__ import annotations

import re
from collections.abc import Iterable

from gateway.config.findings import Findings
from gateway.config.model import (
    Breaker,
    CohereEmbedder,
    File,
    OpenAIEmbedder,
    PartBreaker,
    PythonEmbedder,
    VoyageEmbedder,
)
from gateway.config.problem import Place
from gateway.config.syntax import (
    is_visible_ascii,
    split_url,
    url_problem,
)
from gateway.config.units import write_duration
from gateway.config.words import did_you_mean

POSTGRES_SCHEMES = ("postgresql://", "postgres://")
OPENAI_URL = "https://api.openai.com/"
REDIS_SCHEMES = ("redis://", "rediss://", "redis+cluster://", "rediss+cluster://", "unix://")
_CLASS = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")


def check_stores(found: Findings, file: File) -> None:
    postgres, redis = file.stores.postgres, file.stores.redis
    place = ("stores", "postgres", "url")
    if postgres.url != "embedded" and not postgres.url.startswith(POSTGRES_SCHEMES):
        found.error(place, "`url` must be `embedded` or begin with `postgresql://`")
    elif not _is_readable_url(postgres.url):
        found.error(place, "the host or the port in `url` is not valid")
    if postgres.hnsw.ef_construction < 2 * postgres.hnsw.m:
        at = ("stores", "postgres", "hnsw")
        text = "`ef_construction` must be at least twice `m`"
        found.error((*at, "ef_construction"), text, "pgvector refuses it otherwise", ((*at, "m"),))
    check_pauses(found, ("stores", "breaker"), file.stores.breaker)
    place = ("stores", "redis", "url")
    if redis.url and not redis.url.startswith(REDIS_SCHEMES):
        schemes = ", ".join(f"`{scheme}`" for scheme in REDIS_SCHEMES)
        found.error(place, f"`url` must begin with one of {schemes}", "or leave it empty: no Redis")
    elif not _is_readable_url(redis.url):
        found.error(place, "the host or the port in `url` is not valid")


def _is_readable_url(url: str) -> bool:
    # libpq and Redis URLs may list several hosts, and passwords may hold anything: those are theirs to judge.
    return "," in url or "@" in url or split_url(url) is not None


def check_embedders(found: Findings, file: File) -> None:
    for name, embedder in file.embedders.items():
        match embedder:
            case OpenAIEmbedder() | VoyageEmbedder() | CohereEmbedder():
                _check_remote(found, ("embedders", name), name, embedder)
            case PythonEmbedder() if _CLASS.fullmatch(embedder.cls) is None:
                found.error(("embedders", name, "class"), "`class` must be `package.module:Class`")
            case _:
                pass
    _check_uses(found, file)


def _check_remote(
    found: Findings, place: Place, name: str, embedder: OpenAIEmbedder | VoyageEmbedder | CohereEmbedder
) -> None:
    chosen_by_key = isinstance(embedder, VoyageEmbedder) and not embedder.base_url
    if not chosen_by_key:
        check_base_url(found, place, embedder.base_url)
    needs_key = not isinstance(embedder, OpenAIEmbedder) or embedder.base_url.startswith(OPENAI_URL)
    check_api_key(found, place, f"embedder `{name}`", embedder.api_key, needed=needs_key)


def check_base_url(found: Findings, place: Place, base_url: str) -> None:
    """Of a service behind HTTP."""
    problem = url_problem(base_url)
    if problem is not None:
        found.error((*place, "base_url"), f"`base_url`: {problem}")


def check_api_key(found: Findings, place: Place, who: str, api_key: str, *, needed: bool) -> None:
    """Of a service behind HTTP; `who` asks it."""
    at = (*place, "api_key")
    if needed and not api_key:
        text = f"the {who} has no `api_key`: the service will refuse it, and every question misses"
        found.warning(at, text, judged_from=((*place, "base_url"),))
    if api_key and not is_visible_ascii(api_key):
        found.error(at, "`api_key` must be visible ASCII characters, as it travels in a header")


def _check_uses(found: Findings, file: File) -> None:
    check_reference(found, ("defaults", "embedder"), file.defaults.embedder, file.embedders, "embedder")
    used: set[str] = set()
    judged: list[Place] = [("defaults", "embedder"), ("routes",)]
    for index, route in enumerate(file.routes):
        place = ("routes", index)
        if route.embedder is not None:
            check_reference(found, (*place, "embedder"), route.embedder, file.embedders, "embedder")
        if route.match == "semantic":
            used.add(route.embedder or file.defaults.embedder)
        judged += [(*place, "embedder"), (*place, "match"), (*place, "preset"), place]
    if not used <= set(file.embedders):
        return  # a mistyped name would have its embedder called unused
    for name in file.embedders:
        if name not in used and found.is_written(("embedders", name)):
            text = f"the embedder `{name}` is declared, but no route uses it"
            found.warning(("embedders", name), text, judged_from=tuple(judged))


def check_pauses(found: Findings, at: Place, breaker: Breaker | PartBreaker) -> None:
    """The first pause of a breaker is not longer than its longest."""
    if breaker.pause > breaker.longest:
        wrong, other = ("pause", "longest") if found.is_written((*at, "pause")) else ("longest", "pause")
        text = "`pause` is longer than `longest`, which bounds it"
        default = "" if found.is_written((*at, other)) else f"`{other}` is {write_duration(getattr(breaker, other))}"
        found.error((*at, wrong), text, default, ((*at, other),))


def check_reference(found: Findings, place: Place, name: str, declared: Iterable[str], kind: str) -> None:
    """Report a name that nothing declares."""
    names = sorted(declared)
    if name in names:
        return
    close = None if found.is_filled_in(place) else did_you_mean(name, names)
    hint = f"did you mean `{close}`?" if close else "declared: " + (", ".join(f"`{each}`" for each in names) or "none")
    text = f"{found.shown(place, name)} is not the name of {'an' if kind[0] in 'aeiou' else 'a'} {kind}"
    found.error(place, text, hint, ((f"{kind}s",),))

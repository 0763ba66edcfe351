"""SPEC 10: every bound is listed by `explain`, with its value and its setting; constants in the code included."""

import ast
import importlib
from collections.abc import Iterator
from pathlib import Path

import pytest

import gateway
from gateway.config.bounds import NO_BOUNDS
from gateway.config.bounds_fixed import FIXED, Fixed
from gateway.config.explain import explain
from gateway.config.kinds import places_of_keys
from gateway.config.load import read
from gateway.config.model import Duration, Size

CASES = Path(__file__).parent / "cases"
PACKAGE = Path(gateway.__file__).parent
# Public constants that are numbers and bound nothing while the gateway serves, by what they are instead.
OTHERWISE = {
    "the range of a setting": {
        "config.model_routes:AT_LEAST", "config.model_routes:AT_LEAST_PAIRWISE", "config.model_routes:CANDIDATE",
        "core.denial:SAME_WORDS_ONLY", "config.model_deny:DENIED_AT_LEAST",
        "config.units:LONGEST", "config.naming:LONGEST_STEM", "config.units:LARGEST", "config.rules_server:SHORTEST_DIGEST_KEY", "stores.digest:SHORTEST",
    },
    "what max_error takes for proven": {
        "core.control:ALARM", "core.control:AUDITED", "core.control:AUDITED_IN_DOUBT", "core.control:DOUBT",
        "core.control:MOST_UNSURE", "core.control:UNSURE_STEPS", "engine.proof:LATELY", "engine.proof:MANY",
        "runtime.proving:DIGEST_BYTES",
    },
    "how far a text is shown": {"config.words:LONGEST_SHOWN", "observe.logs:DIGEST_SHOWN"},
    "how much at a time, of work that is bounded otherwise": {
        "runtime.offline:AT_ONCE", "runtime.evidence:MOST_AT_ONCE", "stores.evidence:READ_AT_ONCE", "stores.evidence_log:READ_AT_ONCE",
        "core.recording:PIECES_TOGETHER", "core.purges:KEYS_TOGETHER", "encodings:PIECE", "engine.keep:EXAMINED_IN_PLACE",
        "engine.comparing:MEASURED_IN_PLACE",
        "engine.metering:READ_IN_PLACE", "fronts.outlet:AT_ONCE", "observe.collector:AT_ONCE", "observe.lines:AT_ONCE",
        "proxy.body:PIECE", "doors.environ:PIECE", "stores.catalog:EXPORTED_AT_ONCE", "stores.covered:BATCH", "stores.covered:READ_AT_ONCE",
        "stores.memory:FORGET_BATCH", "stores.promotion:BATCH", "stores.sweeper:BATCH", "fronts.admin.entries:PAGE",
        "fronts.admin.ui.stored:PAGE", "fronts.admin.ui.denied:PAGE", "runtime.orders:MOST_TAGS", "embedders.comparing:IN_PLACE", "fronts.admin.denied:PAGE",
    },
    "how often something is looked at": {
        "runtime.evidence:TURN_SECONDS", "runtime.evidence:LONGEST_PAUSE", "runtime.evidence:PRUNE_SECONDS",
        "runtime.denying:LOOK_SECONDS", "runtime.denying:LONGEST_PAUSE", "runtime.denying:COUNT_SECONDS",
        "stores.denials:FORGOTTEN_AFTER",
        "engine.allowance:TOLD_FOR", "engine.elsewhere:FIRST_LOOK", "fronts.outlet:LOOK", "fronts.inner_call:LOOK", "fronts.patience:LOOKS",
        "observe.collector:EVERY_SECONDS", "observe.history:DENSE_SECONDS", "observe.history:SPARSE_SECONDS",
        "proxy.connections:STALE_WITHIN", "proxy.departure:BEGIN_AFTER", "proxy.departure:LOOK_AGAIN_AFTER",
        "runtime.reload:TICK", "runtime.orphan:TICK", "cli.serve:TOLD_AGAIN_AFTER", "runtime.door:STARTING_SECONDS",
        "runtime.watch:SETTLES", "stores.purge_log:SETTLE_SECONDS", "stores.purge_log:KEPT_AT_LEAST",
        "stores.supervisor:LOOK_SECONDS", "stores.supervisor:FIRST_PAUSE", "stores.supervisor:LONGEST_PAUSE", "stores.supervisor:STEADY_SECONDS",
        "stores.postmaster:LONGEST_PAUSE",
    },
    "how something is counted or estimated": {
        "core.calibration:CONFIDENCE", "core.given:FEWEST_WORDS", "core.pairs_forms:DETAIL", "core.pairs:FEW", "core.pairs_aligning:TWINS", "core.pairs_grammar:TERSE", "core.pairs_frames:FRAMING", "core.pairs_forms:LONGEST", "core.synthesis_reading:LOOKED_AT", "core.evidence:Z_95", "engine.opinions:SAME_WORDS", "runtime.offline:DECIMALS",
        "doors.hand_work:SIMILAR_AT_LEAST", "engine.evidence:HOUR", "runtime.feedback:HOUR", "stores.evidence:DAY", "stores.evidence_void:SKEW",
        "core.comparison:LABEL_WORDS", "core.prose:BIAS", "core.prose:RIGHT_FROM", "core.prose:WRONG_BELOW",
        "engine.comparing:JUDGED_RIGHT",
        "core.prices:PER", "core.quota:SLOTS", "core.quota:SLOT_SECONDS", "inference.folder:UNLIMITED",
        "inference.session:CHARACTERS_PER_TOKEN", "inference.budget:MINUTE", "inference.budget:DAY",
        "synthesis.writer:SPECIAL", "synthesis.writer:BYTES_PER_TOKEN", "synthesis.writer:CLOSING",
        "verifiers.llm:SPECIAL", "verifiers.cross_encoder_onnx:ALIKE", "verifiers.prompt:YES", "verifiers.prompt:NO", "verifiers.scores:SUREST", "verifiers.pairwise_features:REPEATED", "verifiers.pairwise_features:LISTED", "verifiers.pairwise_rules:CERTAIN",
        "verifiers.scores:UNJUDGED", "embedders.queue:ENTRY_BYTES", "embedders.remote:BYTES_PER_TOKEN",
        "embedders.remote:LOOKED_AT", "embedders.remote:MARGIN", "embedders.remote:SOME_LENGTH", "embedders.remote:SPECIAL",
        "engine.metering:BYTES_PER_TOKEN",
        "fronts.admin.ui.stored:AT_LEAST", "observe.history:HOUR", "observe.traces:NANOSECONDS", "runtime.watch:CLOCK_NS",
        "stores.purge_log:DAY", "embedders.python:SHORTEST_SECRET",
    },
    "a code, a size or a level of a protocol or a library": {
        "config.rules_route:PARTIAL", "fronts.making:OK", "core.keys:DIGEST_SIZE", "core.policy:PARTIAL", "encodings:GZIP", "encodings:ZLIB",
        "encodings:RAW_DEFLATE", "encodings:ZLIB_LEVEL", "encodings:BROTLI_QUALITY", "encodings:ZSTD_LEVEL",
        "observe.workers:GRAVE", "stores.codec:READABLE", "stores.codec:SEALED", "stores.codec:NONCE_BYTES",
        "stores.postgres_locks:TOKEN_BYTES", "stores.postmaster:PORT", "stores.postmaster:LONGEST_SOCKET_PATH",
        "stores.redis_counters:NO_LIMIT", "stores.redis_locks:TOKEN_BYTES", "stores.schema:LOCK_CLASS", "verifiers.verdicts:DIGEST",
        "config.bounds_fixed:KIB", "config.bounds_fixed:MIB",
    },
}  # fmt: skip


def constants() -> Iterator[str]:
    """`module:NAME` of every public numeric constant of what runs while the gateway serves."""
    for path in sorted(PACKAGE.rglob("*.py")):
        module = ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
        if module.startswith("cli.") and module != "cli.serve":
            continue
        for statement in ast.parse(path.read_text("utf-8")).body:
            match statement:
                case ast.Assign(targets=[ast.Name(id=name)], value=value) if name.isupper() and is_number(value):
                    if not name.startswith("_"):
                        yield f"{module}:{name}"


def is_number(node: ast.expr) -> bool:
    match node:
        case ast.Constant(value=value):
            return isinstance(value, int | float) and not isinstance(value, bool)
        case ast.BinOp(left=left, right=right):
            return is_number(left) and is_number(right)
        case ast.UnaryOp(operand=operand):
            return is_number(operand)
        case ast.Name(id=name):
            return name.isupper()
        case _:
            return False


def test_no_constant_is_left_out() -> None:
    known = {each.where for each in FIXED}.union(*OTHERWISE.values())
    missing = sorted(set(constants()) - known)
    assert not missing, f"list them in gateway/config/bounds_fixed.py, or above if they are no bounds: {missing}"


@pytest.mark.parametrize("bound", FIXED, ids=lambda bound: bound.where)
def test_a_fixed_bound_is_what_the_code_says(bound: Fixed) -> None:
    module, _, name = bound.where.partition(":")
    assert getattr(importlib.import_module(f"gateway.{module}"), name) == bound.value


def test_bounds_are_listed_with_their_settings() -> None:
    lines = listed("fine-live-operation", "openai-chat")
    for line in (
        "100MiB server.max_request_body",
        "2m server.grace",
        "10s server.drain",
        "20s stores.postgres.write_timeout",
        "250ms stores.breaker.pause",
        "256 stores.pending",
        "256 embedders.default.queue",
        "16 embedders.default.connections",
        "30s upstreams.api.keepalive",
        "600 clients[0].limits.requests_per_minute",
        "50 clients[0].limits.dollars_per_month",
        "1000 routes[0].coalesce.followers",
        "16MiB fixed",
    ):
        assert any(each.startswith(f"{line} ") for each in lines), line
    assert not any(name in line.split()[1] for line in lines for name in ("hnsw.m", "price", "sample"))
    assert all(len(line.split(" ", 2)) == 3 for line in lines)


def test_what_has_no_effect_on_the_route_is_not_listed() -> None:
    lines = listed("fine-live-operation", "openai-embeddings")
    assert not any("embedders." in line or "top_k" in line for line in lines)


def listed(case: str, route: str) -> list[str]:
    """`value setting what` of each bound."""
    text = explain(read(CASES / f"{case}.yaml", {"SECRET": "x" * 20}), route)
    _, _, bounds = text.partition("# Bounds")
    return [" ".join(line.removeprefix("#").split()) for line in bounds.splitlines()[1:]]


def test_every_number_that_is_no_bound_is_a_setting() -> None:
    assert places_of_keys().keys() >= NO_BOUNDS


def test_sizes_and_durations_are_listed_with_units() -> None:
    assert all(isinstance(each.value, Size | Duration) or each.value == int(each.value) for each in FIXED)

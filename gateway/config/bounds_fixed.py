"""Bounds that are no settings: what keeps a part of the work within reason, and is nobody's to choose.

Each is a constant, named `module:NAME` here. Most stand on floors that this one cannot import, so their values are written down
twice; tests/config/test_bounds.py compares them, and finds constants that are not listed.
"""

from __future__ import annotations

import msgspec

from gateway.config.model import Duration, Size


class Fixed(msgspec.Struct, frozen=True):
    """`where` is `module:NAME` without the package; `value` a count, a Size or a Duration."""

    where: str
    value: int | float
    what: str


KIB, MIB = 1 << 10, 1 << 20

FIXED = (
    # A request
    Fixed("core.body:MAX_DEPTH", 100, "levels of a JSON body; one that is nested deeper is not cached"),
    Fixed("fronts.intake:DRAIN_BYTES", Size(16 * MIB), "of a refused request's body that are read before the answer"),
    Fixed("fronts.intake:DRAIN_SECONDS", Duration(2), "for that"),
    Fixed("core.policy:LONGEST_MODEL", 256, "characters of a model's name that are kept for counting"),
    Fixed("core.prices:REMEMBERED", 1024, "model names whose price is remembered, per route and worker"),
    Fixed("core.quota:LONGEST_WAIT", Duration(60), "that `Retry-After` asks for where a minute's limit is used up"),
    Fixed("proxy.forwarding:PEERS_REMEMBERED", 4096, "addresses remembered as proxies or not, per worker"),
    Fixed("core.pairs:WORDS", 96, "words in which two questions may differ for `pairwise` to judge them; beyond: not the same"),
    Fixed("runtime.verifying:PAIRWISE_TIMEOUT", Duration(1), "for the opinion of `pairwise`"),
    Fixed("runtime.offline_stream:MOST_QUESTIONS", 100_000, "questions of a log that `simulate` and `calibrate` play"),
    Fixed("runtime.offline_stream:MOST_NEIGHBOURS", 40_000_000, "neighbours among them"),
    Fixed("core.denial:LONGEST_QUESTION", 10_000, "characters of a denied question, and of the answer that refuses it"),
    Fixed("config.deny_files:MAX_BYTES", Size(4 * MIB), "of a file of denied questions"),
    Fixed("config.deny_files:MOST_QUESTIONS", 10_000, "questions in it"),
    Fixed("stores.denials:MOST_ADDED", 10_000, "denied questions that operators added, false positives among them"),
    Fixed("engine.denials:REMEMBERED", 20_000, "questions remembered as denied or not, per route and worker"),
    Fixed("engine.denials:MOST_JUDGED", 5, "denied questions near a question that a second opinion is asked about"),
    Fixed("engine.deny_lists:MOST_NEAR", 50, "denied questions of one list that are looked at where more are near"),
    Fixed("embedders.comparing:EMBED_SECONDS", Duration(30), "for embedding a denied question, which nobody waits for"),
    Fixed("embedders.comparing:SETTLING_SECONDS", Duration(5), "that a start or a reload waits for the vectors of those"),
    Fixed("embedders.comparing:SIDE_BY_SIDE", 8, "of them that a remote embedder is asked for at once"),
    Fixed("runtime.denying:LOADING_SECONDS", Duration(5), "that the start waits for the denied questions that were added"),
    Fixed("runtime.denying:LAST_SECONDS", Duration(1), "for writing how often they were asked when the gateway stops"),
    Fixed("fronts.admin.denied:LARGEST_PAGE", 10_000, "denied questions on one page"),
    # Its answer
    Fixed("core.policy:MOST_TOKENS", 1_000_000_000_000, "tokens that an answer may say it cost; more says nothing"),
    Fixed("proxy.upstream:MAX_HEADER", Size(64 * KIB), "of one line in the head of an upstream's answer"),
    Fixed("proxy.upstream:MAX_HEADERS", 1000, "headers of an upstream's answer"),
    Fixed("proxy.upstream:URLS_REMEMBERED", 512, "URLs taken apart once, per upstream and worker"),
    Fixed("proxy.tries:LONGEST_PAUSE", Duration(0.2), "before another try, where no `Retry-After` asks for more"),
    Fixed("proxy.answer:HELD_AT_MOST", Size(64 * KIB), "of a failed answer that are held while another try is made"),
    Fixed("proxy.answer:HELD_WITHIN", Duration(1), "for reading them"),
    Fixed("encodings:ZSTD_WINDOW", Size(8 * MIB), "window of a zstd body; a larger one is not kept"),
    Fixed("encodings:MOST_CODINGS", 4, "content-codings of one body; one with more is not kept"),
    Fixed("encodings:MOST_MEMBERS", 100, "members of one gzip or zstd body; one with more is not kept"),
    Fixed("fronts.outlet:HELD", Size(256 * KIB), "that wait for a client that reads slowly; its upstream waits then"),
    Fixed("fronts.replay:PIECE", Size(256 * KIB), "of a stored answer on their way to one client at a time"),
    Fixed("core.recording:LONGEST_PACE", 100_000, "milliseconds with something in them whose pauses are remembered"),
    # Requests together
    Fixed("engine.coalesce:TOGETHER", Size(256 * KIB), "that a follower is given at once"),
    Fixed("engine.coalesce:UNCACHEABLE_REMEMBERED", 100_000, "questions remembered as not shareable, per worker"),
    Fixed("engine.elsewhere:LONGEST_PAUSE", Duration(0.25), "between two looks at what another process is fetching"),
    Fixed("engine.landing:PATIENCE", Duration(0.25), "that a request waits for the same answer being stored"),
    # Answers that are compared
    Fixed("engine.evidence:LONGEST_WORDS", 4_096, "characters of a judged pair of questions; longer ones are kept without words"),
    Fixed("engine.trial:AUDITS_AT_ONCE", 4, "audits of one route at once, per worker; further hits are not audited"),
    Fixed("engine.trial:AUDITS_A_MINUTE", 60, "audits of one route in a minute, per worker"),
    Fixed("engine.trial:EVICTIONS_A_MINUTE", 60, "entries of one route found wrong that are evicted in a minute, per worker"),
    Fixed("engine.trial:AUDIT_SECONDS", Duration(120), "for an upstream's answer to an audit"),
    Fixed("engine.comparing:COMPARED_AT_ONCE", 2, "answers of one route that are compared at once, per worker"),
    Fixed("engine.comparing:MOST_WAITING", 32, "of them that wait or are compared; further ones are not"),
    Fixed("engine.comparing:LONGEST_JUDGED", 4000, "characters of an answer that a judge is shown"),
    Fixed("core.prose:LONGEST_TEXT", 2000, "characters of a text that are compared"),
    Fixed("core.prose:LONGEST_PIECE", 600, "characters of it that are embedded at once"),
    Fixed("core.prose:MOST_PIECES", 3, "such pieces of a text"),
    Fixed("core.comparison:MOST_PASSAGES", 4, "texts in one answer that are compared; with more it stays unjudged"),
    Fixed("core.comparison:MOST_DIFFERENCES", 100, "values in one answer that differ, after which no more are looked at"),
    Fixed("engine.evidence:MOST_IN_WINDOW", 5_000, "judgements of one route that are known, per worker"),
    Fixed("engine.evidence:MOST_WRONG_PAIRS", 20_000, "pairs of questions of one route known to be wrong, per worker"),
    Fixed("engine.evidence:MOST_QUEUED", 10_000, "judgements that wait to be written, per worker; older ones are not"),
    Fixed("engine.evidence:MOST_TALLIES", 10_000, "counts of shadow mode that wait to be written, per worker"),
    Fixed("stores.evidence:KEPT_SECONDS", Duration(90 * 86400), "for which judgements are kept"),
    Fixed("stores.evidence:KEPT_OF_A_ROUTE", 20_000, "judgements of one route that are kept"),
    Fixed("runtime.evidence:LOADING_SECONDS", Duration(5), "that the start waits for what was judged before"),
    Fixed("runtime.evidence:CLOSING_SECONDS", Duration(2), "for writing the last judgements when the gateway stops"),
    Fixed("runtime.feedback:MOST_AN_HOUR", 200, "words of one client on stored answers, in an hour; then 429"),
    # The stores
    Fixed("core.tags:MOST_TAGS", 64, "tags of an entry; an answer with more is not kept"),
    Fixed("core.tags:LONGEST_TAG", Size(256), "of a tag; an answer with a longer one is not kept"),
    Fixed("core.purges:MOST_PURGES", 10_000, "purges remembered at once; beyond it they are made coarser"),
    Fixed("core.purges:MOST_KEYS", 100_000, "tags, scopes and keys that they name together; coarser beyond it"),
    Fixed("core.purges:MOST_SIMILAR", 100, "purges by similarity remembered at once; coarser beyond it"),
    Fixed("engine.purges:SPARED_REMEMBERED", 100_000, "entries remembered as not purged, per worker"),
    Fixed("stores.purge_log:POLL_SECONDS", Duration(15), "until a purge is seen whose notification was lost"),
    Fixed("stores.catalog:EXPORTED_BYTES", Size(8 * MIB), "of entries that an export reads at a time"),
    Fixed("runtime.importing:SKEW", Duration(300), "by which an imported entry may be from the future"),
    Fixed("runtime.parts:CLOSING_SECONDS", Duration(10), "for a part that nobody uses any more to close"),
    Fixed("runtime.purging:LOADING_SECONDS", Duration(5), "that the start waits for the purges that are in effect"),
    Fixed("stores.notes:MOST_USES", 100_000, "uses of entries that wait to be written, per worker; more are not counted"),
    Fixed("stores.notes:MOST_PARTITIONS", 10_000, "partitions that wait to be looked at, per worker"),
    Fixed("stores.promotion:MOST_GRAPHS", 64, "graphs of large partitions; further ones are scanned exactly"),
    Fixed("stores.sweeper:MOST_EVICTED", 100_000, "entries beyond `limits` that one sweep removes; the next goes on"),
    Fixed("stores.catalog:MOST_COMPARED", 20_000, "entries of a scope that a look-up by text is compared with"),
    Fixed("stores.schema:MOST_DIMENSIONS", 4000, "dimensions of an embedding"),
    Fixed("stores.embedded:START_TIMEOUT", Duration(60), "for the embedded PostgreSQL to start"),
    Fixed("stores.embedded:STOP_TIMEOUT", Duration(30), "for it to stop"),
    Fixed("stores.postmaster:LOG_KEPT_BYTES", Size(MIB), "of its log that are kept"),
    Fixed("cli.serve:SPARE_CONNECTIONS", 16, "connections of it beside the workers' pools"),
    Fixed("verifiers.verdicts:BELIEVED", Duration(3600), "for which a verdict of the shared store is remembered, per worker"),
    Fixed("inference.worker:CLOSE_WITHIN", Duration(5), "for a local model's last text when it is closed"),
    # Starting, reloading, stopping
    Fixed("runtime.gateway:OPENING_SECONDS", Duration(60), "for new stores and embedders to open before a reload is refused"),
    Fixed("runtime.reload:OTHERS_SECONDS", Duration(65), "for the other workers to reload"),
    Fixed("runtime.watch:LONGEST_SETTLING", Duration(2), "that a file may be written before it is read anyway"),
    Fixed("runtime.resources:PING_SECONDS", Duration(2), "that `/-/ready` waits for a store or an embedder"),
    Fixed("config.yaml:MAX_BYTES", Size(MIB), "of a routes file"),
    Fixed("config.yaml:MAX_NODES", 100_000, "values in it, its aliases written out"),
    Fixed("config.yaml:MAX_DEPTH", 40, "levels of nesting in it"),
    Fixed("config.interpolate:MAX_SECRET_BYTES", Size(64 * KIB), "of a `${file:...}`"),
    Fixed("config.include:MOST_FILES", 100, "files, with those that are included"),
    Fixed("config.include:MOST_FOLDERS", 100, "folders that a pattern of `include` looks into"),
    Fixed("config.include:MOST_NAMES", 10_000, "files in such a folder"),
    Fixed("config.problem:MOST_PROBLEMS", 100, "problems of a routes file that are shown"),
    # The operator's door
    Fixed("fronts.admin.access:MOST_FAILURES", 10, "wrong tokens of one address; then 429"),
    Fixed("fronts.admin.access:WINDOW", Duration(60), "for which they count"),
    Fixed("fronts.admin.access:MOST_ADDRESSES", 4096, "addresses whose wrong tokens are counted, per worker"),
    Fixed("fronts.admin.door:MOST_FEEDBACK", 60, "times a minute that a client may give feedback, per worker; then 429"),
    Fixed("fronts.admin.evidence:LARGEST_FEEDBACK", Size(256 * KIB), "of feedback"),
    Fixed("fronts.admin.judged:LONGEST_QUESTION", 32_768, "characters of the question in it"),
    Fixed("fronts.admin.entries:LARGEST_PAGE", 1000, "entries on one page"),
    Fixed("fronts.admin.entries:LARGEST_QUESTION", Size(16 * MIB), "of a look-up's question"),
    Fixed("fronts.admin.transfer:LARGEST_BATCH", Size(32 * MIB), "of one batch of an import"),
    Fixed("fronts.admin.transfer:MOST_LINES", 1000, "lines of one batch"),
    Fixed("fronts.admin.ui.access:FIELDS", 40, "fields of a form"),
    Fixed("fronts.admin.ui.asking:LARGEST_QUESTION", Size(4 * MIB), "of a look-up's question on the dashboard"),
    Fixed("fronts.admin.ui.handlers:LARGEST_FORM", Size(256 * KIB), "of any other form"),
    Fixed("fronts.admin.ui.stored:MOST_SHOWN", 200_000, "characters of an answer that the dashboard shows"),
    Fixed("fronts.admin.ui.session:LIFETIME", Duration(12 * 3600), "of a session of the dashboard"),
    Fixed("runtime.door:MOST_REQUESTS", 64, "requests at once at a door of its own"),
    Fixed("runtime.door:CLOSING_SECONDS", Duration(5), "that they may go on when the gateway stops"),
    Fixed("runtime.importing:SIDE_BY_SIDE", 8, "lines of an import that are embedded at once"),
    Fixed("runtime.importing:EMBED_SECONDS", Duration(30), "for embedding one of them"),
    # What is told
    Fixed("observe.lines:LINES", 10_000, "lines of log that wait to be written; the oldest go first"),
    Fixed("observe.lines:LAST_WORDS", Duration(1), "for writing the last ones when the gateway stops"),
    Fixed("observe.collector:QUEUE", 4096, "spans that wait for the collector; the oldest go first"),
    Fixed("observe.collector:EXPORT_SECONDS", Duration(5), "for sending them, tries included"),
    Fixed("observe.collector:LAST_SECONDS", Duration(2), "for sending the last ones when the gateway stops"),
    Fixed("observe.history:DAY", Duration(86400), "of figures that the dashboard shows"),
    Fixed("observe.workers:KEPT_DEAD", 8, "workers that ended whose figures are files of their own"),
)  # fmt: skip

-- What judges behind an API said of pairs of questions (gateway/stores/verdicts.py), under keyed digests of all that it
-- depends on. Unlogged: it costs no write-ahead log, and what a crash takes is asked for again.
CREATE UNLOGGED TABLE IF NOT EXISTS semgate.verdicts (
    key   bytea  PRIMARY KEY,
    score float4 NOT NULL,
    until float8 NOT NULL
);
CREATE INDEX IF NOT EXISTS verdicts_until ON semgate.verdicts (until);

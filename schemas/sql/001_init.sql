-- What all embedding spaces share. Run once, inside one transaction, under semgate's advisory lock.
-- Times are Unix seconds. No question, answer or scope is ever readable from this file's tables.

-- One embedding space: vectors of one model, one normaliser and one size can be compared, others cannot.
-- Each has its own table semgate.entries_<id>; dimensions is null where nothing is embedded.
CREATE TABLE semgate.spaces (
    id         int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    identity   text NOT NULL,
    dimensions int,
    UNIQUE NULLS NOT DISTINCT (identity, dimensions)
);

-- Per-space migrations that have been run (schemas/sql/entries and schemas/sql/vectors).
CREATE TABLE semgate.space_migrations (
    space int  NOT NULL REFERENCES semgate.spaces,
    name  text NOT NULL,
    PRIMARY KEY (space, name)
);

-- One narrow row beside each entry: what expiry, limits and use counts need, so that a hit never rewrites a row with
-- a vector in it and the sweeper never reads one. Kept in step with the entries by the statements that write them.
CREATE TABLE semgate.usage (
    space      int    NOT NULL,
    exact      bytea  NOT NULL,
    namespace  text   NOT NULL,
    route      text   NOT NULL,
    bytes      bigint NOT NULL,
    hits       bigint NOT NULL DEFAULT 0,
    last_used  float8 NOT NULL,
    expires_at float8 NOT NULL,
    PRIMARY KEY (space, exact)
) WITH (fillfactor = 85);

CREATE INDEX usage_expires ON semgate.usage (expires_at);

-- Partitions that outgrew exact scans and have a graph that is ready.
CREATE TABLE semgate.promoted (
    space     int   NOT NULL,
    partition bytea NOT NULL,
    PRIMARY KEY (space, partition)
);

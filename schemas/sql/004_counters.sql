-- What declared clients used (gateway/stores/postgres_counters.py).

-- The last minute, where no Redis counts it: one row for each client, the newest slot first in both arrays. Unlogged: it
-- costs no write-ahead log, and after a crash a minute begins anew.
CREATE UNLOGGED TABLE IF NOT EXISTS semgate.minutes (
    namespace text     NOT NULL,
    client    text     NOT NULL,
    slot      bigint   NOT NULL,
    requests  bigint[] NOT NULL,
    tokens    bigint[] NOT NULL,
    admitted  boolean  NOT NULL,
    PRIMARY KEY (namespace, client)
) WITH (fillfactor = 50);

-- The dollars of a calendar month (UTC, like 2026-11). Logged: they must outlive a crash. Past months stay, for accounts.
CREATE TABLE IF NOT EXISTS semgate.spending (
    namespace text   NOT NULL,
    client    text   NOT NULL,
    month     text   NOT NULL,
    dollars   float8 NOT NULL,
    PRIMARY KEY (namespace, client, month)
) WITH (fillfactor = 50);

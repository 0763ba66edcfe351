-- Short locks that all processes see (gateway/stores/postgres_locks.py): one row for each, held until a time by the
-- server's own clock. Unlogged: a lock costs no write-ahead log, and after a crash nobody has any.
CREATE UNLOGGED TABLE IF NOT EXISTS semgate.locks (
    key   bytea  PRIMARY KEY,
    token bytea  NOT NULL,
    until float8 NOT NULL
) WITH (fillfactor = 50);

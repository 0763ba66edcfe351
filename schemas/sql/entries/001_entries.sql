-- One table per embedding space; {entries} is its name. head, body and question are sealed or readable, which their
-- first byte says; scope, partition and exact are keyed digests.
CREATE TABLE {entries} (
    exact      bytea    PRIMARY KEY,
    id         text     NOT NULL UNIQUE,
    namespace  text     NOT NULL,
    route      text     NOT NULL,
    scope      bytea    NOT NULL,
    partition  bytea    NOT NULL,
    form       text     NOT NULL DEFAULT 'json',
    tags       text[]   NOT NULL DEFAULT '{{}}',
    question   bytea    NOT NULL,
    head       bytea    NOT NULL,
    body       bytea    NOT NULL,
    asked_at   float8   NOT NULL,
    created_at float8   NOT NULL,
    expires_at float8   NOT NULL
);

-- Sealed bytes do not compress; trying costs more than it saves.
ALTER TABLE {entries}
    ALTER COLUMN question SET STORAGE EXTERNAL,
    ALTER COLUMN head SET STORAGE EXTERNAL,
    ALTER COLUMN body SET STORAGE EXTERNAL;

CREATE INDEX ON {entries} (scope);

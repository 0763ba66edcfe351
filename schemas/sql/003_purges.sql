-- What operators have purged (gateway/stores/purge_log.py): one row voids whatever was asked before `before` and fits
-- every part that is given; an empty list, or null, gives no condition. Rows stay until nothing they cover can exist.
-- Tags are readable, as they are in the entries; scopes and exact keys are keyed digests.
CREATE TABLE semgate.purges (
    number    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    namespace text    NOT NULL,
    before    float8  NOT NULL,
    route     text,
    scopes    bytea[] NOT NULL DEFAULT '{}',
    tags      text[]  NOT NULL DEFAULT '{}',
    exact     bytea[] NOT NULL DEFAULT '{}',
    space     text,
    vector    bytea,
    at_least  float8,
    made_at   float8  NOT NULL,
    until     float8  NOT NULL,
    -- Were the rows looked through again, after whoever had not heard of the purge yet must have?
    settled   boolean NOT NULL DEFAULT false
);

CREATE INDEX purges_of ON semgate.purges (namespace, number);

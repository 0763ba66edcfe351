-- What came of comparing answers from the cache with the right ones (gateway/stores/evidence.py). `question` (asked now)
-- and `asked_before` (the entry's) are sealed or readable, which their first byte says; scope, exact and other are keyed
-- digests. Numbers are given under a lock, so that who reads on from a number misses none.
CREATE TABLE IF NOT EXISTS semgate.judgements (
    number       bigint  GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id           bytea   NOT NULL UNIQUE,
    namespace    text    NOT NULL,
    route        text    NOT NULL,
    scope        bytea   NOT NULL,
    at           float8  NOT NULL,
    origin       text    NOT NULL,
    finding      text    NOT NULL,
    how          text    NOT NULL,
    kind         text    NOT NULL,
    similarity   float8,
    score        float8,
    entry        text    NOT NULL,
    exact        bytea   NOT NULL,
    other        bytea   NOT NULL,
    question     bytea,
    asked_before bytea,
    served       boolean NOT NULL,
    -- The digest of what decided.
    setting      bytea   NOT NULL
);

ALTER TABLE semgate.judgements
    ALTER COLUMN question SET STORAGE EXTERNAL,
    ALTER COLUMN asked_before SET STORAGE EXTERNAL;

CREATE INDEX IF NOT EXISTS judgements_of ON semgate.judgements (namespace, route, number);
-- The pairs to pass over, and what takes them back.
CREATE INDEX IF NOT EXISTS judgements_pairs ON semgate.judgements (namespace, route, number)
    WHERE finding = 'wrong' OR how = 'feedback';
CREATE INDEX IF NOT EXISTS judgements_scope ON semgate.judgements (scope);
CREATE INDEX IF NOT EXISTS judgements_other ON semgate.judgements (other);

-- Look-ups of routes in shadow mode by the hour (Unix seconds / 3600) and by how they would have been answered ('': not at
-- all), and what that would have saved; dollars of `priced` of them.
CREATE TABLE IF NOT EXISTS semgate.trials (
    namespace  text   NOT NULL,
    route      text   NOT NULL,
    hour       bigint NOT NULL,
    kind       text   NOT NULL,
    requests   bigint NOT NULL,
    prompt     bigint NOT NULL,
    completion bigint NOT NULL,
    priced     bigint NOT NULL,
    dollars    float8 NOT NULL,
    PRIMARY KEY (namespace, route, hour, kind)
) WITH (fillfactor = 50);

-- By route: what was judged before `before` is void; `removals` is raised whenever rows went that others may know of ('':
-- of any route).
CREATE TABLE IF NOT EXISTS semgate.evidence_marks (
    namespace text   NOT NULL,
    route     text   NOT NULL,
    before    float8 NOT NULL,
    removals  bigint NOT NULL,
    PRIMARY KEY (namespace, route)
);

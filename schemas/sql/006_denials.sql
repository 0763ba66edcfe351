-- Denied questions that operators added, and those reported as false positives (gateway/stores/denials.py).

-- `spares` is the id of the denied question that does not mean this one; null: this one is denied, on `route` (null: on all).
-- `content` is sealed like any question.
CREATE TABLE IF NOT EXISTS semgate.denials (
    namespace text   NOT NULL,
    id        text   NOT NULL,
    route     text,
    spares    text,
    content   bytea  NOT NULL,
    made_at   float8 NOT NULL,
    PRIMARY KEY (namespace, id)
);

-- Raised by every change, so that a look whether there was one costs next to nothing.
CREATE TABLE IF NOT EXISTS semgate.denial_versions (
    namespace text   PRIMARY KEY,
    version   bigint NOT NULL
) WITH (fillfactor = 50);

-- How often each was asked: those of routes files, too.
CREATE TABLE IF NOT EXISTS semgate.denial_uses (
    namespace text   NOT NULL,
    id        text   NOT NULL,
    uses      bigint NOT NULL,
    last_used float8 NOT NULL,
    PRIMARY KEY (namespace, id)
) WITH (fillfactor = 50);

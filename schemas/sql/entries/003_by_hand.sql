-- Of entries that a program put by hand (gateway/core/shelving.py): `words` is the digest of the question's words in its
-- partition, whatever its attributes; `labels` that digest and one of each attribute. Other entries have neither, and are
-- in neither index. A search must not wait for a list of pending insertions to be read: fastupdate is off.
ALTER TABLE {entries}
    ADD COLUMN words  bytea,
    ADD COLUMN labels bytea[] NOT NULL DEFAULT '{{}}';

CREATE INDEX {name}_words ON {entries} (words, cardinality(labels), created_at DESC) WHERE words IS NOT NULL;
CREATE INDEX {name}_labels ON {entries} USING gin (labels) WITH (fastupdate = off) WHERE labels <> '{{}}';

-- Only for spaces that embed: {vector} is the schema of the extension, {dimensions} the size of a vector.
-- embedding is null where the text was too long to embed: such a row is found by its exact key only.
-- promoted rows are in their partition's graph: each large partition has an index of its own, made and dropped by
-- semgate (gateway/stores/graph.py). Rows start outside, because most partitions are small and stay so.
ALTER TABLE {entries}
    ADD COLUMN embedding {vector}.halfvec({dimensions}),
    ADD COLUMN promoted boolean NOT NULL DEFAULT false;

-- Inline: a scan of a partition reads every vector of it.
ALTER TABLE {entries} ALTER COLUMN embedding SET STORAGE MAIN;

-- Its WHERE keeps it out of a search in a graph, which does not say so: there only the graph can give the order.
CREATE INDEX {name}_partition ON {entries} (partition, promoted) WHERE embedding IS NOT NULL;

-- What listing and purging need: a route's entries in the order of their ids, and entries by their tags.
CREATE INDEX {name}_route ON {entries} (namespace, route, id);
CREATE INDEX {name}_tags ON {entries} USING gin (tags) WHERE tags <> '{{}}';

-- Schema 2. What servers answered, so that nothing is asked twice. A key is a hash
-- over the weights that answered, what the server can do, and the whole request; a
-- row is never changed, and deleting rows costs only time.
CREATE TABLE response (
    key   BLOB NOT NULL PRIMARY KEY CHECK (length(key) = 32),
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TRIGGER response_kept BEFORE UPDATE ON response BEGIN SELECT raise(ABORT, 'responses are never changed'); END;

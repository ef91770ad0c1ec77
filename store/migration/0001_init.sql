-- Schema 1. Every table is STRICT; SQLite turns NaN into NULL, so NOT NULL and
-- the bounds below refuse NaN and infinities. Times are UTC nanoseconds.

-- What the run is bound to. One directory, one run.
CREATE TABLE run (
    one           INTEGER PRIMARY KEY CHECK (one = 1),
    id            TEXT    NOT NULL CHECK (id <> ''),
    seed          TEXT    NOT NULL,                    -- decimal: SQLite has no unsigned 64-bit integers
    version       TEXT    NOT NULL,                    -- of the program that started it
    run_file      TEXT    NOT NULL,                    -- path as given, for messages
    effective     TEXT    NOT NULL,                    -- the configuration with all defaults, JSON or YAML
    effective_sha TEXT    NOT NULL CHECK (length(effective_sha) = 64),
    created       INTEGER NOT NULL
) STRICT;

CREATE TABLE model (
    name   TEXT    PRIMARY KEY,
    path   TEXT    NOT NULL,
    digest TEXT    NOT NULL,
    bytes  INTEGER NOT NULL CHECK (bytes >= 0),
    mtime  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE dataset (
    name   TEXT    PRIMARY KEY,
    path   TEXT    NOT NULL,
    sha256 TEXT    NOT NULL,
    bytes  INTEGER NOT NULL CHECK (bytes >= 0)
) STRICT, WITHOUT ROWID;

CREATE TABLE recipe (
    key         INTEGER PRIMARY KEY,
    id          TEXT    NOT NULL UNIQUE CHECK (length(id) = 16),
    canonical   TEXT    NOT NULL CHECK (json_valid(canonical)),
    yaml        TEXT    NOT NULL DEFAULT '',           -- as exported; empty until then
    fingerprint TEXT    NOT NULL DEFAULT ''            -- of the weights that answered; empty until then
) STRICT;

CREATE TABLE trial (
    idx         INTEGER PRIMARY KEY CHECK (idx >= 0),  -- order of asking
    name        TEXT    NOT NULL,                      -- of a parent or baseline
    generation  INTEGER NOT NULL CHECK (generation >= 0),
    operator    TEXT    NOT NULL,
    genome      TEXT    NOT NULL,                      -- canonical
    "values"    TEXT    NOT NULL CHECK (json_valid("values")),
    recipe      INTEGER NOT NULL REFERENCES recipe (key),
    state       TEXT    NOT NULL CHECK (state IN ('pending', 'building', 'scoring', 'scored', 'eliminated', 'failed', 'cancelled')),
    reason_code TEXT    NOT NULL DEFAULT '',
    reason_text TEXT    NOT NULL DEFAULT '',
    rung        INTEGER NOT NULL DEFAULT 0 CHECK (rung >= 0),
    fitness     REAL    CHECK (fitness BETWEEN -1e300 AND 1e300),
    stderr      REAL    CHECK (stderr BETWEEN 0 AND 1e300),
    items       INTEGER NOT NULL DEFAULT 0 CHECK (items >= 0),
    score       TEXT    CHECK (json_valid(score)),
    fingerprint TEXT    NOT NULL DEFAULT '',
    build_s     REAL    NOT NULL DEFAULT 0 CHECK (build_s BETWEEN 0 AND 1e300),
    eval_s      REAL    NOT NULL DEFAULT 0 CHECK (eval_s BETWEEN 0 AND 1e300),
    begun       INTEGER NOT NULL,
    finished    INTEGER,                               -- of the last change to a final state
    CHECK ((state IN ('scored', 'eliminated')) = (fitness IS NOT NULL)),
    CHECK ((fitness IS NULL) = (stderr IS NULL) AND (fitness IS NULL) = (score IS NULL)),
    CHECK (fitness IS NULL OR items > 0),
    CHECK ((state = 'failed') = (reason_code <> '')),
    CHECK ((state IN ('scored', 'eliminated', 'failed', 'cancelled')) = (finished IS NOT NULL))
) STRICT;

CREATE INDEX trial_recipe ON trial (recipe);

-- Lineage: a parent is always asked before its child.
CREATE TABLE parent (
    child    INTEGER NOT NULL REFERENCES trial (idx),
    position INTEGER NOT NULL CHECK (position >= 0),   -- in the order of their share
    parent   INTEGER NOT NULL REFERENCES trial (idx),
    PRIMARY KEY (child, position),
    CHECK (parent < child)
) STRICT, WITHOUT ROWID;

CREATE INDEX parent_of ON parent (parent);

-- An item belongs to one split for good: what the search saw is never held out.
CREATE TABLE item (
    key   INTEGER PRIMARY KEY,
    id    TEXT    NOT NULL UNIQUE,
    split TEXT    NOT NULL CHECK (split IN ('search', 'validation', 'held-out'))
) STRICT;

CREATE TABLE answer (
    recipe     INTEGER NOT NULL REFERENCES recipe (key),
    item       INTEGER NOT NULL REFERENCES item (key),
    value      REAL    NOT NULL CHECK (value BETWEEN 0 AND 1),
    missing    INTEGER NOT NULL CHECK (missing IN (0, 1)),
    truncated  INTEGER NOT NULL CHECK (truncated IN (0, 1)),
    empty      INTEGER NOT NULL CHECK (empty IN (0, 1)),
    completion TEXT    NOT NULL,
    PRIMARY KEY (recipe, item),
    CHECK (missing = 0 OR value = 0)
) STRICT, WITHOUT ROWID;

CREATE TABLE event (
    seq   INTEGER PRIMARY KEY CHECK (seq > 0),
    at    INTEGER NOT NULL,
    kind  TEXT    NOT NULL CHECK (kind <> ''),
    attrs TEXT    NOT NULL CHECK (json_valid(attrs)),
    chain BLOB    NOT NULL CHECK (length(chain) = 32)  -- SHA-256 over the chain before and this row
) STRICT;

CREATE TABLE result (
    one             INTEGER PRIMARY KEY CHECK (one = 1),
    status          TEXT    NOT NULL CHECK (status <> ''),
    stop_reason     TEXT    NOT NULL,
    result          TEXT    NOT NULL CHECK (json_valid(result)),
    verdict         TEXT    NOT NULL CHECK (json_valid(verdict)),
    heldout_peeks   INTEGER NOT NULL CHECK (heldout_peeks >= 0),
    faults          INTEGER NOT NULL CHECK (faults >= 0),
    population_hash TEXT    NOT NULL CHECK (length(population_hash) = 64),
    at              INTEGER NOT NULL
) STRICT;

-- What happened is only added to.
CREATE TRIGGER event_kept   BEFORE UPDATE ON event  BEGIN SELECT raise(ABORT, 'events are never changed'); END;
CREATE TRIGGER event_stays  BEFORE DELETE ON event  BEGIN SELECT raise(ABORT, 'events are never deleted'); END;
CREATE TRIGGER answer_kept  BEFORE UPDATE ON answer BEGIN SELECT raise(ABORT, 'answers are never changed'); END;
CREATE TRIGGER answer_stays BEFORE DELETE ON answer BEGIN SELECT raise(ABORT, 'answers are never deleted'); END;

-- For people with a SQLite shell.
CREATE VIEW answers AS
    SELECT recipe.id AS recipe_id, item.id AS item_id, split, value, missing, truncated, empty, completion
    FROM answer JOIN recipe ON recipe.key = answer.recipe JOIN item ON item.key = answer.item;

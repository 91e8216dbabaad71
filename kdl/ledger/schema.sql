-- The ledger of a mirror, version 3. Paths are relative to the mirror's folder; times are Unix
-- seconds; sizes are bytes; durations are seconds. docs/ledger.md explains every column.

CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE objects (
    id         INTEGER PRIMARY KEY,
    url        TEXT NOT NULL,
    name       TEXT NOT NULL,
    kind       TEXT NOT NULL CHECK (kind IN ('annotation', 'readme', 'shard', 'replacement')),
    split      TEXT NOT NULL DEFAULT '',      -- '' for what belongs to none
    idx        INTEGER NOT NULL DEFAULT 0,
    class_hint TEXT,
    size       INTEGER,
    etag       TEXT,
    sha256     TEXT,
    -- new: never read; partial: begun; done: read whole; broken: as the host has it, and not whole;
    -- failed: given up
    state      TEXT NOT NULL DEFAULT 'new' CHECK (state IN ('new', 'partial', 'done', 'broken', 'failed')),
    proof      TEXT,
    clips      INTEGER,
    attempts   INTEGER NOT NULL DEFAULT 0,
    error      TEXT,
    updated_at REAL,
    UNIQUE (url, split)                       -- an archive may hold clips of several splits
) STRICT;
CREATE INDEX objects_by_kind ON objects (kind, split, idx);

CREATE TABLE clips (
    id             INTEGER PRIMARY KEY,
    split          TEXT NOT NULL,
    youtube_id     TEXT NOT NULL,
    time_start     INTEGER NOT NULL,           -- -1 where names carry no times
    time_end       INTEGER NOT NULL,
    label          TEXT,                       -- the annotation's text
    listed         INTEGER NOT NULL DEFAULT 0, -- the load of annotations that listed it; 0: none
    class_dir      TEXT NOT NULL DEFAULT '',   -- '' in a split without labels
    name           TEXT,                       -- as hosted, extension included
    path           TEXT,                       -- NULL: no file on disk
    origin         TEXT CHECK (origin IN ('shard', 'replacement', 'youtube')),
    shard_id       INTEGER REFERENCES objects (id) ON DELETE SET NULL,
    seq            INTEGER,                    -- position among the shard's clips
    provisional    INTEGER NOT NULL DEFAULT 0, -- its shard is not proved whole (yet)
    size           INTEGER,
    mtime_ns       INTEGER,
    sha256         TEXT,
    verdict        TEXT NOT NULL CHECK (verdict IN ('ok', 'short', 'corrupt', 'missing', 'pending',
                                                    'unchecked', 'never_hosted', 'unlisted')),
    cause          TEXT,
    detail         TEXT,
    checked_at     REAL,
    check_level    TEXT CHECK (check_level IN ('stat', 'hash', 'probe', 'decode')),
    duration       REAL,
    width          INTEGER,
    height         INTEGER,
    fps            REAL,
    frames         INTEGER,
    vcodec         TEXT,
    acodec         TEXT,
    pix_fmt        TEXT,
    rotation       INTEGER,
    replaced_cause TEXT,                       -- why the shard's own clip was not good enough
    replaced_sha256 TEXT,                      -- digest of the shard's own clip
    UNIQUE (split, youtube_id, time_start, time_end)
) STRICT;
-- Counts and what is to be done next are answered from these alone, however many clips there are.
CREATE INDEX clips_by_state ON clips (verdict, split, class_dir, origin, check_level, shard_id);
CREATE INDEX clips_by_shard ON clips (shard_id) WHERE shard_id IS NOT NULL;
CREATE INDEX clips_to_check ON clips (split, class_dir)
    WHERE path IS NOT NULL AND (verdict = 'unchecked' OR verdict = 'unlisted' AND check_level IS NULL);
CREATE INDEX clips_replaced ON clips (split, class_dir) WHERE origin = 'replacement';
CREATE INDEX clips_sound ON clips (checked_at) WHERE verdict IN ('ok', 'short');

-- What went missing or changed, by the size of what was there: how a renamed file is known again.
CREATE INDEX clips_lost ON clips (size) WHERE verdict = 'missing';

-- When each clip was last looked at by `kdl verify`, how deep, and with what result.
CREATE TABLE checks (
    clip_id      INTEGER PRIMARY KEY REFERENCES clips (id) ON DELETE CASCADE,
    result       TEXT NOT NULL CHECK (result IN ('sound', 'bad', 'could_not')),
    level        TEXT NOT NULL CHECK (level IN ('stat', 'hash', 'probe', 'decode')),
    stat_at      REAL,                         -- last found sound at this level or a deeper one
    hash_at      REAL,
    probe_at     REAL,
    decode_at    REAL,
    was          TEXT,                         -- the verdict before it was found bad
    found_sha256 TEXT,                         -- digest of the other bytes that were there
    found_path   TEXT,                         -- where the missing bytes lie
    kind         TEXT,                         -- of the finding, where it is not sound
    detail       TEXT
) STRICT;
CREATE INDEX checks_found ON checks (found_sha256) WHERE found_sha256 IS NOT NULL;
CREATE INDEX checks_not_sound ON checks (result) WHERE result <> 'sound';
-- Other bytes were never looked at, and what came back was not since.
CREATE TRIGGER checks_void AFTER UPDATE OF sha256, verdict ON clips
WHEN new.sha256 IS NOT old.sha256 OR old.verdict = 'missing' AND new.verdict <> 'missing'
BEGIN
    DELETE FROM checks WHERE clip_id = new.id;
END;

-- A further copy of a clip met in the shards; the first sound one wins.
CREATE TABLE duplicates (
    clip_id  INTEGER NOT NULL REFERENCES clips (id) ON DELETE CASCADE,
    shard_id INTEGER NOT NULL REFERENCES objects (id) ON DELETE CASCADE,
    seq      INTEGER NOT NULL,
    class_dir TEXT NOT NULL,
    path     TEXT NOT NULL,
    size     INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    sha256   TEXT NOT NULL,
    PRIMARY KEY (clip_id, shard_id, seq)
) STRICT, WITHOUT ROWID;

-- Further shards that hold a clip and were read for something else: read again where it is wanted.
CREATE TABLE held (
    clip_id  INTEGER NOT NULL REFERENCES clips (id) ON DELETE CASCADE,
    shard_id INTEGER NOT NULL REFERENCES objects (id) ON DELETE CASCADE,
    PRIMARY KEY (clip_id, shard_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE replacements (
    id         INTEGER PRIMARY KEY,
    youtube_id TEXT NOT NULL,
    time_start INTEGER NOT NULL,
    time_end   INTEGER NOT NULL,
    object_id  INTEGER NOT NULL REFERENCES objects (id),
    name       TEXT NOT NULL,
    path       TEXT NOT NULL,
    size       INTEGER NOT NULL,
    mtime_ns   INTEGER NOT NULL,
    sha256     TEXT NOT NULL,
    verdict    TEXT NOT NULL DEFAULT 'unchecked' CHECK (verdict IN ('ok', 'short', 'corrupt', 'unchecked')),
    cause      TEXT,
    detail     TEXT,
    check_level TEXT CHECK (check_level IN ('probe', 'decode')),
    facts      TEXT,                           -- JSON
    UNIQUE (youtube_id, time_start, time_end)
) STRICT;

CREATE TABLE derivatives (
    clip_id     INTEGER NOT NULL REFERENCES clips (id) ON DELETE CASCADE,
    recipe      TEXT NOT NULL,
    fingerprint TEXT NOT NULL,                 -- of the recipe's settings
    clip_sha256 TEXT NOT NULL,                 -- of the clip it was made from
    state       TEXT NOT NULL CHECK (state IN ('done', 'failed')),
    path        TEXT NOT NULL,                 -- relative to the recipe's folder
    bytes       INTEGER NOT NULL DEFAULT 0,
    frames      INTEGER,
    error       TEXT,
    made_at     REAL NOT NULL,
    sha256      TEXT,                          -- of the file, or of a folder's names and files
    PRIMARY KEY (clip_id, recipe)
) STRICT, WITHOUT ROWID;
CREATE INDEX derivatives_by_recipe ON derivatives (recipe, state);

CREATE TABLE runs (
    id        TEXT PRIMARY KEY,
    command   TEXT NOT NULL,
    host      TEXT NOT NULL,
    pid       INTEGER NOT NULL,
    boot_id   TEXT NOT NULL,
    started   REAL NOT NULL,
    ended     REAL,
    exit_code INTEGER,
    summary   TEXT                             -- JSON
) STRICT;

CREATE TABLE findings (
    id      INTEGER PRIMARY KEY,
    run_id  TEXT NOT NULL REFERENCES runs (id),
    kind    TEXT NOT NULL,
    subject TEXT NOT NULL,
    detail  TEXT NOT NULL,
    fix     TEXT NOT NULL
) STRICT;
CREATE INDEX findings_by_run ON findings (run_id);

-- Clips that a nightly run found bad, until a night's report has told that they are mended.
CREATE TABLE night_bad (
    clip_id  INTEGER PRIMARY KEY REFERENCES clips (id) ON DELETE CASCADE,
    kind     TEXT NOT NULL,                    -- of the finding
    detail   TEXT,
    found_at REAL NOT NULL,
    told     INTEGER NOT NULL DEFAULT 0        -- 1: a report has told that it is bad
) STRICT;

-- Clips that YouTube did not give, and why; a row goes when it does.
CREATE TABLE youtube_failures (
    clip_id   INTEGER PRIMARY KEY REFERENCES clips (id) ON DELETE CASCADE,
    cause     TEXT NOT NULL,
    permanent INTEGER NOT NULL,                -- 1: not asked for again, unless by --retry-failed
    detail    TEXT NOT NULL,                   -- yt-dlp's words
    asked     INTEGER NOT NULL,                -- runs that asked for it
    asked_at  REAL NOT NULL
) STRICT;

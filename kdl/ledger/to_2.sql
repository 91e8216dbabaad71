-- From version 1 to 2: what `kdl verify` remembers.

ALTER TABLE derivatives ADD COLUMN sha256 TEXT;

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

-- Clips that a nightly run found bad, until a night's report has told that they are mended.
CREATE TABLE night_bad (
    clip_id  INTEGER PRIMARY KEY REFERENCES clips (id) ON DELETE CASCADE,
    kind     TEXT NOT NULL,                    -- of the finding
    detail   TEXT,
    found_at REAL NOT NULL,
    told     INTEGER NOT NULL DEFAULT 0        -- 1: a report has told that it is bad
) STRICT;

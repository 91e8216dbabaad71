-- From version 2 to 3: clips that were cut out of YouTube's videos.

-- A CHECK that allows more needs no new table, however many clips there are: as SQLite's manual has it
-- (https://sqlite.org/lang_altertable.html#otheralter).
PRAGMA writable_schema = ON;
UPDATE sqlite_schema
SET sql = replace(sql, 'origin IN (''shard'', ''replacement'')', 'origin IN (''shard'', ''replacement'', ''youtube'')')
WHERE type = 'table' AND name = 'clips';
PRAGMA writable_schema = RESET;

-- Clips that YouTube did not give, and why; a row goes when it does.
CREATE TABLE youtube_failures (
    clip_id   INTEGER PRIMARY KEY REFERENCES clips (id) ON DELETE CASCADE,
    cause     TEXT NOT NULL,
    permanent INTEGER NOT NULL,                -- 1: not asked for again, unless by --retry-failed
    detail    TEXT NOT NULL,                   -- yt-dlp's words
    asked     INTEGER NOT NULL,                -- runs that asked for it
    asked_at  REAL NOT NULL
) STRICT;

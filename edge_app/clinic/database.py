"""The spool's database: its tables, its version, and whether it is whole."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from contextlib import suppress
from pathlib import Path
from typing import Final

from edge_app.clinic.faults import SpoolError, SpoolFullError
from edge_app.clinic.summary import summary_of

VERSION: Final = 4
"""Version of the tables, in the database's `user_version`; `NEWER` upgrades older ones."""

RESULTS: Final = "results"
"""The folder that held the documents before version 3."""

LOG_BYTES: Final = 8 << 20
"""Bytes of the disk that the log keeps when all of it is copied; SQLite copies it from 4 MiB on."""

PUT_BACK: Final = (
    "put back a copy of it, without the -wal and -shm beside it, or move the folder away and begin "
    "anew"
)
"""What to do where the database is damaged or gone: images that it does not know are taken
again."""

MIN_FREE: Final = 64 << 10
"""Bytes of the disk below which a database that cannot be opened is not called damaged."""

READINGS: Final = """
CREATE TABLE reading (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    sha256 TEXT NOT NULL,               -- of the image, which may be gone
    reader TEXT NOT NULL,
    time REAL NOT NULL,
    opinion TEXT NOT NULL,              -- agrees with the answer or not
    labels TEXT NOT NULL,               -- what the reader sees, joined by |; empty if not said
    note TEXT NOT NULL,
    file TEXT NOT NULL,                 -- what the image is called where readings are exported
    patient TEXT NOT NULL,              -- a digest
    state TEXT NOT NULL,                -- of the answer that was read
    score REAL,
    model TEXT NOT NULL,                -- SHA-256 of the network that answered
    operating_point TEXT NOT NULL,
    UNIQUE (sha256, reader)
);
"""

INDEXES: Final = """
CREATE INDEX image_state ON image (state, id);
CREATE INDEX image_score ON image (score, id) WHERE score IS NOT NULL;
CREATE INDEX image_state_score ON image (state, score, id) WHERE score IS NOT NULL;
CREATE INDEX image_sought ON image (id, sought, state);
"""

INSTANCES: Final = """
CREATE INDEX image_instance ON image (instance) WHERE instance IS NOT NULL;
"""

TABLES: Final = """
CREATE TABLE fact (name TEXT PRIMARY KEY, value BLOB NOT NULL);

CREATE TABLE image (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    entrance TEXT NOT NULL,             -- which way it came
    identity TEXT NOT NULL,             -- its SOP Instance UID, or its file's name
    sha256 TEXT NOT NULL,               -- of what was sent
    file TEXT NOT NULL,                 -- in the folder of images
    bytes INTEGER NOT NULL,
    sender TEXT NOT NULL,
    differs INTEGER NOT NULL,           -- another one of its SOP Instance UID has other bytes
    received REAL NOT NULL,             -- seconds since 1970, as all times here
    urgent INTEGER NOT NULL DEFAULT 0,  -- larger ones go first
    begun INTEGER NOT NULL DEFAULT 0,   -- how often somebody began to answer it
    answered REAL,
    answer TEXT,                        -- the JSON object that `classify --json` prints
    finished REAL,                      -- when all receivers had the answer
    about TEXT NOT NULL DEFAULT '',     -- whose it is, for people
    sought TEXT NOT NULL DEFAULT '',    -- the same as it is looked for: in small letters
    state TEXT NOT NULL DEFAULT 'waiting',  -- see `summary`
    score REAL,                         -- probability that it is not normal, where it was judged
    map BLOB,                           -- the network's, see `summary`
    instance TEXT,                      -- its SOP Instance UID, '' without; NULL: not looked for
    UNIQUE (entrance, identity, sha256)
);
CREATE INDEX image_waiting ON image (urgent DESC, id) WHERE answered IS NULL;
CREATE INDEX image_finished ON image (finished) WHERE finished IS NOT NULL;

CREATE TABLE delivery (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    image INTEGER NOT NULL REFERENCES image ON DELETE CASCADE,
    receiver TEXT NOT NULL,
    document TEXT NOT NULL,             -- the name of one of the image's
    tries INTEGER NOT NULL DEFAULT 0,
    trouble TEXT,                       -- why the last try failed
    delivered REAL,
    UNIQUE (image, receiver, document)
);
CREATE INDEX delivery_waiting ON delivery (receiver, id) WHERE delivered IS NULL;
CREATE INDEX delivery_image ON delivery (image);
"""

DOCUMENTS: Final = """
CREATE TABLE document (
    id INTEGER PRIMARY KEY,
    image INTEGER NOT NULL REFERENCES image ON DELETE CASCADE,
    name TEXT NOT NULL,
    content BLOB NOT NULL,
    UNIQUE (image, name)
);
"""

NEWER: Final = {
    1: f"""
ALTER TABLE image ADD COLUMN about TEXT NOT NULL DEFAULT '';
ALTER TABLE image ADD COLUMN sought TEXT NOT NULL DEFAULT '';
ALTER TABLE image ADD COLUMN state TEXT NOT NULL DEFAULT 'waiting';
ALTER TABLE image ADD COLUMN score REAL;
ALTER TABLE image ADD COLUMN map BLOB;
{READINGS}{INDEXES}
CREATE INDEX delivery_image ON delivery (image);
UPDATE image SET (state, score) = (
    SELECT summary_state(image.answer), summary_score(image.answer)
) WHERE answered IS NOT NULL;
""",
    2: f"""
{DOCUMENTS}
INSERT OR IGNORE INTO document (image, name, content)  -- which are not NULL: a lost one has no row
    SELECT image, document, result_file(document)
    FROM (SELECT DISTINCT image, document FROM delivery);
UPDATE image SET answer = NULL, answered = NULL, state = 'waiting', score = NULL, map = NULL,
    begun = 0 WHERE finished IS NULL AND id IN (
    SELECT image FROM delivery WHERE delivered IS NULL AND NOT EXISTS (
        SELECT 1 FROM document WHERE document.image = delivery.image AND name = delivery.document
    )
);
DELETE FROM delivery WHERE image IN (SELECT id FROM image WHERE answered IS NULL);
DELETE FROM document WHERE image IN (SELECT id FROM image WHERE answered IS NULL);
DELETE FROM delivery WHERE NOT EXISTS (
    SELECT 1 FROM document WHERE document.image = delivery.image AND name = delivery.document
);
""",
    3: f"""
ALTER TABLE image ADD COLUMN instance TEXT;
UPDATE image SET instance = identity WHERE entrance IN ('node', 'page');
{INSTANCES}
""",
}
"""SQL that turns tables of this version into those of the next."""


def open_database(path: Path, *, alone: bool) -> sqlite3.Connection:
    """The database at `path`, made if need be; a commit survives a kill (see also `store`).

    Args:
        alone: for the box itself; one beside it does not bring an older one up to date.

    Returns:
        A connection that several threads may use, one at a time; `BEGIN` is the caller's.

    Raises:
        SpoolError: it is damaged, of a newer version, or cannot be opened or written; or of an
            older version, and not `alone`.
    """
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))  # for nobody else
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    except (OSError, sqlite3.Error) as error:
        raise SpoolError(f"{path}: cannot be opened: {error}: check its owner and mode") from None
    try:
        _prepare(connection, path, alone)
    except BaseException as error:
        with suppress(sqlite3.Error):
            connection.close()
        if isinstance(error, sqlite3.Error):
            if shutil.disk_usage(path.parent).free < MIN_FREE:
                raise SpoolFullError(
                    f"{path.parent}: its disk is full: make room; what is in it stays"
                ) from None
            raise SpoolError(
                f"{path}: cannot be used ({error}): it is damaged, or its disk is full or fails; "
                + PUT_BACK
            ) from None
        raise
    return connection


def _prepare(connection: sqlite3.Connection, path: Path, alone: bool) -> None:
    connection.row_factory = sqlite3.Row
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > VERSION:  # before anything is written to it
        raise SpoolError(
            f"{path}: is of version {version}, made by a newer edge-cxr; this one knows up to "
            f"{VERSION}: install the newer one again"
        )
    if 0 < version < VERSION and not alone:  # a box of that version may be at work
        raise SpoolError(
            f"{path}: is of version {version}, made by an older edge-cxr: stop its box if it runs, "
            "and start this one's: that brings it up to date"
        )
    verdict = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if verdict != "ok":
        raise sqlite3.DatabaseError(str(verdict).splitlines()[-1])  # the first names it
    connection.execute("PRAGMA auto_vacuum = INCREMENTAL")  # see `retention`; before anything is in
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute(f"PRAGMA journal_size_limit = {LOG_BYTES}")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA secure_delete = ON")  # what is removed names patients
    if 0 < version < VERSION:  # it may be of before `auto_vacuum`; its documents are not in it yet
        with suppress(sqlite3.OperationalError):  # no room: it stays as it was made
            connection.execute("VACUUM")
    if version == 0:
        made = TABLES + READINGS + INDEXES + DOCUMENTS + INSTANCES
        connection.executescript(f"BEGIN; {made} PRAGMA user_version = {VERSION}; COMMIT;")
    elif version < VERSION:
        _renew(connection, version, path.parent / RESULTS)
    if alone:
        _remove_results(connection, path.parent / RESULTS)


def _renew(connection: sqlite3.Connection, version: int, results: Path) -> None:
    """Bring older tables up to date, all of them or none; what lay in `results` is in them then."""
    unread: list[SpoolError] = []

    def result_file(name: str) -> bytes | None:
        try:
            return (results / name).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            fault = SpoolError(
                f"{results / name}: cannot be read: {error.strerror}: look at its disk and mode, "
                "or move it away: if it was not delivered, its image is answered anew"
            )
            unread.append(fault)
            raise

    connection.create_function("result_file", 1, result_file)
    connection.create_function(
        "summary_state", 1, lambda answer: summary_of(json.loads(answer)).state
    )
    connection.create_function(
        "summary_score", 1, lambda answer: summary_of(json.loads(answer)).score
    )
    steps = "".join(NEWER[each] for each in range(version, VERSION))
    try:
        connection.executescript(f"BEGIN; {steps} PRAGMA user_version = {VERSION}; COMMIT;")
    except sqlite3.Error:
        with suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        if unread:
            raise unread[0] from None
        raise


def _remove_results(connection: sqlite3.Connection, results: Path) -> None:
    """Remove the folder that names patients, once all that lay in it is on the medium elsewhere.

    At every opening: a kill, or somebody who looks beside, may have left it.
    """
    if not results.is_dir():
        return
    busy, *_ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    if not busy:
        shutil.rmtree(results, ignore_errors=True)

-- The tables of version 3, as they were released. Never to be changed.
CREATE TABLE accounts (
    key INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE,
    name TEXT NOT NULL UNIQUE,
    identity BLOB NOT NULL,
    record BLOB NOT NULL,
    memory_kib INTEGER NOT NULL,
    passes INTEGER NOT NULL,
    lanes INTEGER NOT NULL,
    wrapped_identity BLOB NOT NULL,
    disabled INTEGER NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;
CREATE TABLE lists (
    account INTEGER NOT NULL REFERENCES accounts,
    version INTEGER NOT NULL,
    list BLOB NOT NULL,
    signature BLOB NOT NULL,
    UNIQUE (account, version)
) STRICT;
CREATE TABLE devices (
    key INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE,
    account INTEGER NOT NULL REFERENCES accounts,
    auth BLOB NOT NULL,
    revoked INTEGER NOT NULL,
    submitted INTEGER NOT NULL
) STRICT;
CREATE TABLE tokens (
    hash BLOB PRIMARY KEY,
    device INTEGER NOT NULL REFERENCES devices,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX tokens_by_device ON tokens (device);
CREATE TABLE invites (
    hash BLOB PRIMARY KEY,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE memberships (
    account INTEGER NOT NULL REFERENCES accounts,
    conversation INTEGER NOT NULL REFERENCES conversations,
    role INTEGER NOT NULL,
    spans BLOB NOT NULL,
    PRIMARY KEY (account, conversation)
) STRICT, WITHOUT ROWID;
CREATE TABLE envelopes (
    arrival INTEGER PRIMARY KEY,
    conversation INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    device INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    reference BLOB NOT NULL,
    accepted_at INTEGER NOT NULL,
    chain BLOB NOT NULL,
    body BLOB NOT NULL,
    UNIQUE (conversation, seq),
    UNIQUE (reference, device)
) STRICT;
CREATE TABLE conversations (
    key INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE,
    kind INTEGER NOT NULL,
    name TEXT UNIQUE,
    pair BLOB,
    access INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    members INTEGER NOT NULL,
    end_seq INTEGER NOT NULL,
    end_chain BLOB NOT NULL
) STRICT;
CREATE INDEX open_channels ON conversations (name) WHERE kind = 1 AND access = 1;
CREATE TABLE group_infos (
    conversation INTEGER PRIMARY KEY REFERENCES conversations,
    epoch INTEGER NOT NULL,
    body BLOB NOT NULL
) STRICT;
CREATE TABLE key_packages (
    arrival INTEGER PRIMARY KEY,
    device INTEGER NOT NULL REFERENCES devices,
    expires_at INTEGER NOT NULL,
    last_resort INTEGER NOT NULL,
    used INTEGER NOT NULL,
    body BLOB NOT NULL
) STRICT;
CREATE INDEX key_packages_by_device ON key_packages (device);
CREATE TABLE classic_keys (
    arrival INTEGER PRIMARY KEY,
    device INTEGER NOT NULL UNIQUE REFERENCES devices,
    key BLOB NOT NULL
) STRICT;
PRAGMA application_id = 1349481076;
PRAGMA user_version = 3;

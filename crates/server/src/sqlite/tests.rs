//! The store on real files, whole and damaged.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::path::Path;

use portcullis_proto::Role;
use rand_chacha::ChaCha12Rng;
use rand_core::SeedableRng as _;
use tempfile::TempDir;

use super::*;

mod older;

portcullis_server_core::store_contract! {
    make: || {
        let folder = tempfile::tempdir().unwrap();
        (SqliteStore::open(folder.path()).unwrap(), folder)
    },
    reopen: |store: SqliteStore, folder: &TempDir| {
        drop(store);
        SqliteStore::open(folder.path()).unwrap()
    },
}

/// A data folder with 64 accounts and devices, and two envelopes in each of 32 conversations.
fn populated() -> (SqliteStore, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = bench::submits(folder.path(), 16, 64).unwrap();
    (store, folder)
}

/// Another program's connection to the same database, which keeps to no rules.
fn tamper(folder: &Path, sql: &str) {
    let connection = Connection::open(folder.join(files::DATABASE)).unwrap();
    let lax = "PRAGMA foreign_keys = OFF; PRAGMA ignore_check_constraints = ON;";
    connection.execute_batch(lax).unwrap();
    connection.execute_batch(sql).unwrap();
}

fn first_page(store: &SqliteStore) -> Result<Page, StoreError> {
    store.fetch(bench::conversation_id(0), 0, 2, 9, 9_999)
}

#[test]
fn a_killed_store_comes_back_from_its_log() {
    let (store, folder) = populated();
    let copy = tempfile::tempdir().unwrap();
    // What lies on the disk now is what a killed process leaves: the commits stand in the WAL.
    for name in ["portcullis.db", "portcullis.db-wal"] {
        std::fs::copy(folder.path().join(name), copy.path().join(name)).unwrap();
    }
    let found = SqliteStore::open(copy.path()).unwrap();
    assert_eq!(first_page(&found).unwrap(), first_page(&store).unwrap());
    assert_eq!(first_page(&found).unwrap().envelopes.len(), 2);
}

#[test]
fn one_server_holds_a_data_folder() {
    let (store, folder) = populated();
    let second = SqliteStore::open(folder.path()).map(|_| ());
    assert_eq!(second, Err(OpenError::InUse(Some(std::process::id()))));
    drop(store);
    assert!(SqliteStore::open(folder.path()).is_ok());
}

#[test]
fn an_operator_works_beside_the_server_which_notices() {
    let (store, folder) = populated();
    let account = bench::account_id(3);
    assert_eq!(store.changed_by_others(), Ok(false));
    let beside = SqliteStore::open_beside(folder.path()).unwrap();
    assert_eq!(store.changed_by_others(), Ok(false));
    beside.begin().unwrap();
    beside.set_disabled(account, true).unwrap();
    beside.commit().unwrap();
    drop(beside);
    assert_eq!(store.changed_by_others(), Ok(true));
    assert!(store.account(account).unwrap().unwrap().disabled);
    assert_eq!(store.changed_by_others(), Ok(false));
    store.begin().unwrap();
    store.set_disabled(account, false).unwrap();
    store.commit().unwrap();
    assert_eq!(store.changed_by_others(), Ok(false), "its own change");
}

#[test]
fn nothing_is_made_beside_a_server_that_never_was() {
    let folder = tempfile::tempdir().unwrap();
    let missing = || SqliteStore::open_beside(folder.path()).map(|_| ());
    assert_eq!(missing(), Err(OpenError::Missing));
    std::fs::write(folder.path().join(files::DATABASE), b"").unwrap();
    assert_eq!(missing(), Err(OpenError::Missing));
}

#[test]
fn a_folder_of_another_version_or_program_is_refused_unharmed() {
    fn check(sql: &str, expected: OpenError) {
        let (store, folder) = populated();
        drop(store);
        tamper(folder.path(), sql);
        let path = folder.path().join(files::DATABASE);
        let before = std::fs::read(&path).unwrap();
        let opened = SqliteStore::open(folder.path()).map(|_| ());
        assert_eq!(opened, Err(expected), "{sql}");
        assert_eq!(std::fs::read(&path).unwrap(), before);
    }
    let newer = OpenError::Newer { found: schema::VERSION + 1, known: schema::VERSION };
    check("PRAGMA user_version = 5", newer);
    check("PRAGMA application_id = 7", OpenError::NotOurs);
    check("PRAGMA application_id = 0", OpenError::NotOurs);
    let damaged = OpenError::Store(StoreError::Corrupt);
    check("PRAGMA user_version = -1", damaged);
}

#[test]
fn a_file_that_is_no_database_is_refused_unharmed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(files::DATABASE);
    std::fs::write(&path, [b'x'; 8192]).unwrap();
    let opened = SqliteStore::open(folder.path()).map(|_| ());
    assert_eq!(opened, Err(OpenError::Store(StoreError::Corrupt)));
    assert_eq!(std::fs::read(&path).unwrap(), [b'x'; 8192]);
}

#[test]
fn a_damaged_row_is_corrupt_and_its_neighbours_are_read() {
    fn check(sql: &str, read: impl Fn(&SqliteStore) -> Result<(), StoreError>) {
        let (store, folder) = populated();
        assert_eq!(read(&store), Ok(()), "before {sql}");
        drop(store);
        tamper(folder.path(), sql);
        let store = SqliteStore::open(folder.path()).unwrap();
        assert_eq!(read(&store), Err(StoreError::Corrupt), "{sql}");
        let neighbour = store.fetch(bench::conversation_id(1), 0, 2, 9, 9_999);
        assert_eq!(neighbour.unwrap().envelopes.len(), 2, "{sql}");
        assert!(store.account(bench::account_id(1)).unwrap().is_some());
    }
    let (account, conversation) = (bench::account_id(0), bench::conversation_id(0));
    for sql in [
        "UPDATE envelopes SET reference = x'00' WHERE arrival = 1",
        "UPDATE envelopes SET epoch = -1 WHERE arrival = 1",
        "UPDATE envelopes SET device = 999 WHERE arrival = 1",
        "UPDATE envelopes SET seq = 7 WHERE arrival = 1",
        "DELETE FROM envelopes WHERE arrival = 1",
        "DELETE FROM envelopes WHERE arrival = 33",
        "UPDATE devices SET id = x'00' WHERE key = 1",
    ] {
        check(sql, |store| first_page(store).map(|_| ()));
    }
    let second = |store: &SqliteStore| store.fetch(conversation, 1, 2, 9, 999).map(|_| ());
    check("UPDATE envelopes SET chain = x'00' WHERE seq = 1 AND conversation = 1", second);
    check("DELETE FROM envelopes WHERE seq = 1 AND conversation = 1", second);
    for sql in [
        "UPDATE accounts SET name = 'No Name' WHERE key = 1",
        "UPDATE accounts SET identity = zeroblob(32) WHERE key = 1",
        "UPDATE accounts SET identity = x'ff' WHERE key = 1",
        "UPDATE accounts SET passes = 0 WHERE key = 1",
        "UPDATE accounts SET lanes = -1 WHERE key = 1",
        "UPDATE accounts SET disabled = 2 WHERE key = 1",
        "UPDATE accounts SET name = CAST(x'ff' AS TEXT) WHERE key = 1",
    ] {
        check(sql, |store| store.account(account).map(|_| ()));
    }
    for sql in [
        "UPDATE conversations SET kind = 9 WHERE key = 1",
        "UPDATE conversations SET access = 0 WHERE key = 1",
        "UPDATE conversations SET name = '#' WHERE key = 1",
        "UPDATE conversations SET pair = x'00' WHERE key = 1",
        "UPDATE conversations SET end_seq = -1 WHERE key = 1",
        "UPDATE conversations SET end_chain = x'' WHERE key = 1",
    ] {
        check(sql, |store| store.conversation(conversation).map(|_| ()));
    }
    for sql in [
        "UPDATE memberships SET role = 9 WHERE account = 1",
        "UPDATE memberships SET spans = x'00' WHERE account = 1",
    ] {
        check(sql, |store| store.membership(account, conversation).map(|_| ()));
    }
    check("UPDATE devices SET auth = zeroblob(32) WHERE key = 1", |store| {
        store.device(bench::device_id(0)).map(|_| ())
    });
}

#[test]
fn damaged_pages_are_an_error() {
    let (store, folder) = populated();
    let sql = "SELECT rootpage FROM sqlite_schema WHERE tbl_name IN ('envelopes', 'accounts')";
    let pages = store.many(sql, (), |row| rows::get::<i64>(row, 0)).unwrap();
    drop(store);
    let path = folder.path().join(files::DATABASE);
    let mut bytes = std::fs::read(&path).unwrap();
    for page in pages {
        let end = usize::try_from(page).unwrap() * 4096;
        bytes[end - 4096..end].fill(0xa5);
    }
    std::fs::write(&path, bytes).unwrap();
    let store = SqliteStore::open(folder.path()).unwrap();
    assert_eq!(first_page(&store), Err(StoreError::Corrupt));
    assert_eq!(store.accounts(None, 9), Err(StoreError::Corrupt));
}

#[test]
fn a_full_disk_refuses_and_loses_nothing() {
    let (store, folder) = populated();
    let before = first_page(&store).unwrap();
    let limit = |pages: u32| {
        let sql = format!("PRAGMA max_page_count = {pages}");
        store.connection.query_row(&sql, (), |_| Ok(())).unwrap();
    };
    limit(1); // no less than there are already
    store.begin().unwrap();
    let full = (64..999).find_map(|number| bench::submit(&store, number).err());
    assert_eq!(full, Some(StoreError::Full));
    let _ = store.rollback();
    assert_eq!(first_page(&store), Ok(before));
    let end = |store: &SqliteStore| {
        let conversation = store.conversation(bench::conversation_id(0)).unwrap();
        conversation.unwrap().end.seq
    };
    assert_eq!(end(&store), 2);

    limit(1_000_000);
    store.begin().unwrap();
    bench::submit(&store, 64).unwrap();
    store.commit().unwrap();
    drop(store);
    assert_eq!(end(&SqliteStore::open(folder.path()).unwrap()), 3);
}

#[test]
fn a_read_only_database_is_read_and_refuses() {
    let (store, _folder) = populated();
    let set = |sql: &str| store.connection.execute_batch(sql).unwrap();
    set("PRAGMA query_only = ON");
    assert_eq!(store.begin(), Err(StoreError::ReadOnly));
    assert_eq!(first_page(&store).unwrap().envelopes.len(), 2);
    set("PRAGMA query_only = OFF");
    store.begin().unwrap();
    bench::submit(&store, 64).unwrap();
    store.commit().unwrap();
}

#[test]
fn the_opaque_setup_is_made_once_for_a_new_folder() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(files::SETUP);
    let load = |seed| {
        let store = SqliteStore::open(folder.path()).unwrap();
        let setup = store.load_or_create_setup(&mut ChaCha12Rng::seed_from_u64(seed));
        setup.map(|setup| setup.to_bytes().to_vec())
    };
    let made = load(1).unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), made);
    assert_eq!(load(2), Ok(made.clone()));
    std::fs::remove_file(&path).unwrap();
    assert_ne!(load(3), Ok(made), "nobody has registered yet");

    bench::submits(folder.path(), 1, 1).unwrap();
    let kept = load(4).unwrap();
    for damage in [&kept[..127], &[0xff; 128], b""] {
        std::fs::write(&path, damage).unwrap();
        assert_eq!(load(5), Err(OpenError::SetupDamaged));
    }
    std::fs::remove_file(&path).unwrap();
    assert_eq!(load(6), Err(OpenError::SetupMissing));
    assert!(!path.exists());
    std::fs::write(&path, &kept).unwrap();
    assert_eq!(load(7), Ok(kept));
}

/// The database of a server is lost by `lose`, after `before`.
fn check_lost(before: fn(&Path), lose: fn(&Path), expected: Result<(), OpenError>) {
    let folder = tempfile::tempdir().unwrap();
    let open = || {
        let store = SqliteStore::open(folder.path())?;
        // Before the set-up is made, so that being killed in between is no loss.
        assert!(std::fs::metadata(folder.path().join(files::DATABASE)).unwrap().len() > 0);
        store.load_or_create_setup(&mut ChaCha12Rng::seed_from_u64(1)).map(|_| ())
    };
    assert_eq!(open(), Ok(()));
    before(folder.path());
    lose(&folder.path().join(files::DATABASE));
    for _ in 0..2 {
        assert_eq!(open(), expected);
        assert_eq!(SqliteStore::open_beside(folder.path()).map(|_| ()), expected);
    }
}

#[test]
fn a_lost_database_does_not_become_an_empty_server() {
    let register = |folder: &Path| drop(bench::submits(folder, 1, 1).unwrap());
    let remove = |database: &Path| std::fs::remove_file(database).unwrap();
    let empty = |database: &Path| std::fs::write(database, b"").unwrap();
    let no_tables = |database: &Path| {
        std::fs::remove_file(database).unwrap();
        Connection::open(database).unwrap().execute_batch("VACUUM").unwrap();
        assert!(std::fs::metadata(database).unwrap().len() > 0);
    };
    for lose in [remove, empty, no_tables] {
        check_lost(register, lose, Err(OpenError::DatabaseLost));
        check_lost(|_| {}, lose, Err(OpenError::DatabaseLost));
    }
    check_lost(|_| {}, |_| {}, Ok(())); // stopped before anybody has registered
    check_lost(register, |_| {}, Ok(()));
    let anew = |database: &Path| {
        std::fs::remove_file(database).unwrap();
        std::fs::remove_file(database.with_file_name(files::SETUP)).unwrap();
    };
    check_lost(register, anew, Ok(()));
}

#[cfg(unix)]
#[test]
fn a_data_folder_is_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("new/data");
    let (store, _) = bench::submits(&folder, 1, 1).unwrap();
    let mut rng = ChaCha12Rng::seed_from_u64(1);
    std::fs::remove_file(folder.join(files::SETUP)).unwrap_or_default();
    assert!(store.load_or_create_setup(&mut rng).is_err());
    files::write_secret(&folder, files::SETUP, b"secret").unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder), 0o700);
    let mut names = Vec::new();
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{path:?}");
        names.push(path.file_name().unwrap().to_owned());
    }
    names.sort();
    let expected =
        ["lock", "opaque-setup", "portcullis.db", "portcullis.db-shm", "portcullis.db-wal"];
    assert_eq!(names, expected);
}

#[test]
fn an_operator_is_told_what_to_do() {
    fn check(error: OpenError, expected: &str) {
        assert!(error.to_string().contains(expected), "{error}");
    }
    check(OpenError::InUse(Some(42)), "(process 42); stop it first");
    check(OpenError::InUse(None), "another server is using this data folder; stop it");
    check(OpenError::Older, "start the server once");
    check(OpenError::Newer { found: 3, known: 1 }, "install the newer version again");
    check(
        OpenError::DatabaseLost,
        "restore the whole folder from a backup, or remove opaque-setup",
    );
    check(OpenError::SetupMissing, "put the file back from a backup");
    check(OpenError::Store(StoreError::Full), "the disk is full");
    let not_found = std::io::Error::from(std::io::ErrorKind::NotADirectory);
    check(not_found.into(), "can't be used: not a directory");
}

#[test]
fn what_is_remembered_is_what_is_stored() {
    fn look(store: &SqliteStore) -> Vec<String> {
        let (account, id) = (bench::account_id(0), bench::conversation_id(0));
        vec![
            format!("{:?}", store.conversation(id)),
            format!("{:?}", store.membership(account, id)),
            format!("{:?}", store.device(bench::device_id(0)).unwrap().unwrap().submitted),
        ]
    }
    fn check(store: &SqliteStore, step: &str) {
        let remembered = look(store);
        store.settle().unwrap();
        store.recent.borrow_mut().clear();
        assert_eq!(remembered, look(store), "{step}");
    }
    type Step<'a> = (&'a str, &'a dyn Fn(&SqliteStore));
    let (store, folder) = populated();
    let submit: Step<'_> = ("submit", &|store| bench::submit(store, 64).unwrap());
    let other: Step<'_> = ("submit of another", &|store| bench::submit(store, 96).unwrap());
    let refused: Step<'_> = ("refused", &|store| {
        store.savepoint().unwrap();
        let (account, id) = (bench::account_id(0), bench::conversation_id(0));
        store
            .put_membership(account, id, &Membership { role: Role::Outside, spans: vec![] })
            .unwrap();
        look(store);
        store.rollback_to_savepoint().unwrap();
    });
    let left: Step<'_> = ("left", &|store| {
        store.savepoint().unwrap();
        let (account, id) = (bench::account_id(32), bench::conversation_id(0));
        store
            .put_membership(account, id, &Membership { role: Role::Outside, spans: vec![] })
            .unwrap();
        store.release().unwrap();
    });
    let before = look(&store);
    for kept in [false, true] {
        store.begin().unwrap();
        for (step, take) in [submit, refused, other, left, refused] {
            take(&store);
            check(&store, step);
        }
        // And without a look in between.
        refused.1(&store);
        assert_ne!(look(&store), before);
        if kept {
            store.commit().unwrap();
        } else {
            store.rollback().unwrap();
            assert_eq!(look(&store), before);
        }
        check(&store, "the end of the batch");
    }
    let after = look(&store);
    drop(store);
    assert_eq!(look(&SqliteStore::open(folder.path()).unwrap()), after);
}

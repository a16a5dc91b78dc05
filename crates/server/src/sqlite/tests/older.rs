//! A data folder of an earlier version becomes one of this version: nothing is lost, and it is as if made now.

use super::*;

/// A version: how its tables were made, and what of today's they had.
struct Older {
    script: &'static str,
    tables: &'static [(&'static str, &'static str)],
}

const OLDER: [Older; 3] = [
    Older {
        script: include_str!("version_1.sql"),
        tables: &[
            ("accounts", "*"),
            ("lists", "*"),
            ("devices", "*"),
            ("tokens", "*"),
            ("invites", "*"),
            ("conversations", "key, id, kind, name, access, epoch, members, end_seq, end_chain"),
            ("memberships", "*"),
            ("envelopes", "*"),
        ],
    },
    Older {
        script: include_str!("version_2.sql"),
        tables: &[
            ("accounts", "*"),
            ("lists", "*"),
            ("devices", "*"),
            ("tokens", "*"),
            ("invites", "*"),
            ("conversations", "*"),
            ("memberships", "*"),
            ("envelopes", "*"),
            ("group_infos", "*"),
            ("key_packages", "*"),
        ],
    },
    Older {
        script: include_str!("version_3.sql"),
        tables: &[
            ("accounts", "*"),
            ("lists", "*"),
            ("devices", "*"),
            ("tokens", "*"),
            ("invites", "*"),
            ("conversations", "*"),
            ("memberships", "*"),
            ("envelopes", "*"),
            ("group_infos", "*"),
            ("key_packages", "*"),
            ("classic_keys", "*"),
        ],
    },
];

/// The same rows as in this folder, as that version would have them.
fn older(version: &Older, than: &Path) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let connection = Connection::open(folder.path().join(files::DATABASE)).unwrap();
    connection.execute_batch(version.script).unwrap();
    let newer = than.join(files::DATABASE);
    connection.execute("ATTACH ? AS newer", [newer.to_str().unwrap()]).unwrap();
    for (table, columns) in version.tables {
        let sql = format!("INSERT INTO {table} SELECT {columns} FROM newer.{table}");
        assert!(connection.execute(&sql, ()).is_ok(), "{table}");
    }
    folder
}

/// All that a statement gives, as text.
fn rows(store: &SqliteStore, sql: &str) -> Vec<String> {
    let mut statement = store.connection.prepare(sql).unwrap();
    let columns = statement.column_count();
    let mut rows = statement.query(()).unwrap();
    let mut found = Vec::new();
    while let Some(row) = rows.next().unwrap() {
        let values = (0..columns).map(|at| format!("{:?}", row.get_ref(at).unwrap()));
        found.push(values.collect::<Vec<_>>().join(" "));
    }
    found
}

fn check_brought_up_to_date(version: &Older) {
    let (new, folder) = populated();
    encrypted(&new);
    let old = older(version, folder.path());
    let beside = SqliteStore::open_beside(old.path()).map(|_| ());
    assert_eq!(beside, Err(OpenError::Older));
    for _ in 0..2 {
        let store = SqliteStore::open(old.path()).unwrap();
        assert!(SqliteStore::open_beside(old.path()).is_ok());
        let check = |sql: &str| assert_eq!(rows(&store, sql), rows(&new, sql), "{sql}");
        check("SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY name");
        check("PRAGMA user_version");
        check("PRAGMA application_id");
        for (table, _) in version.tables {
            check(&format!("SELECT * FROM {table}"));
        }
        assert_eq!(rows(&store, "PRAGMA foreign_key_check"), Vec::<String>::new());
        assert_eq!(rows(&store, "PRAGMA foreign_keys"), ["Integer(1)"]);
        assert_eq!(rows(&store, "PRAGMA quick_check"), rows(&new, "PRAGMA quick_check"));
        assert_eq!(first_page(&store), first_page(&new));
    }
    let store = SqliteStore::open(old.path()).unwrap();
    store.begin().unwrap();
    bench::submit(&store, 64).unwrap();
    store.put_classic_key(bench::device_id(0), &[7; 294]).unwrap();
    store.commit().unwrap();
    assert_eq!(store.conversation(bench::conversation_id(0)).unwrap().unwrap().end.seq, 3);
}

/// What directs and groups leave, which version 1 did not have.
fn encrypted(store: &SqliteStore) {
    store.begin().unwrap();
    let info = GroupInfo { epoch: 4, body: vec![5; 99].into() };
    store.begin_epoch(bench::conversation_id(1), &info).unwrap();
    let (body, expires_at) = (vec![6; 99].into(), Timestamp(7));
    let package = KeyPackage { body, expires_at, last_resort: true };
    store.put_key_packages(bench::device_id(1), &[package]).unwrap();
    store.commit().unwrap();
}

#[test]
fn a_folder_of_an_earlier_version_is_brought_up_to_date() {
    OLDER.iter().for_each(check_brought_up_to_date);
}

/// A step fails half-way: the folder is as it was, and can be opened once the cause is gone.
#[test]
fn a_move_that_fails_leaves_the_older_folder_whole() {
    for (version, last) in OLDER.iter().zip(["group_infos", "classic_keys", "collected"]) {
        let (_, folder) = populated();
        let old = older(version, folder.path());
        tamper(old.path(), &format!("CREATE TABLE {last} (x)"));
        let opened = SqliteStore::open(old.path()).map(|_| ());
        assert_eq!(opened, Err(OpenError::Store(StoreError::Io)));
        tamper(old.path(), &format!("DROP TABLE {last}"));
        let store = SqliteStore::open(old.path()).unwrap();
        assert_eq!(first_page(&store).unwrap().envelopes.len(), 2);
    }
}

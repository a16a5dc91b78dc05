//! A data folder of version 1 becomes one of this version: nothing is lost, and it is as if made now.

use super::*;

const TABLES: [(&str, &str); 8] = [
    ("accounts", "*"),
    ("lists", "*"),
    ("devices", "*"),
    ("tokens", "*"),
    ("invites", "*"),
    ("conversations", "key, id, kind, name, access, epoch, members, end_seq, end_chain"),
    ("memberships", "*"),
    ("envelopes", "*"),
];

/// The same rows as in this folder, as version 1 would have them.
fn older(than: &Path) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let connection = Connection::open(folder.path().join(files::DATABASE)).unwrap();
    connection.execute_batch(include_str!("version_1.sql")).unwrap();
    let newer = than.join(files::DATABASE);
    connection.execute("ATTACH ? AS newer", [newer.to_str().unwrap()]).unwrap();
    for (table, columns) in TABLES {
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

#[test]
fn a_folder_of_version_1_is_brought_up_to_date() {
    let (new, folder) = populated();
    let old = older(folder.path());
    let beside = SqliteStore::open_beside(old.path()).map(|_| ());
    assert_eq!(beside, Err(OpenError::Older));
    for _ in 0..2 {
        let store = SqliteStore::open(old.path()).unwrap();
        assert!(SqliteStore::open_beside(old.path()).is_ok());
        let check = |sql: &str| assert_eq!(rows(&store, sql), rows(&new, sql), "{sql}");
        check("SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY name");
        check("PRAGMA user_version");
        check("PRAGMA application_id");
        for (table, _) in TABLES {
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
    store.commit().unwrap();
    assert_eq!(store.conversation(bench::conversation_id(0)).unwrap().unwrap().end.seq, 3);
}

/// A step fails half-way: the folder is as it was, and can be opened once the cause is gone.
#[test]
fn a_move_that_fails_leaves_the_older_folder_whole() {
    let (_, folder) = populated();
    let old = older(folder.path());
    tamper(old.path(), "CREATE TABLE group_infos (x)");
    let opened = SqliteStore::open(old.path()).map(|_| ());
    assert_eq!(opened, Err(OpenError::Store(StoreError::Io)));
    tamper(old.path(), "DROP TABLE group_infos");
    let store = SqliteStore::open(old.path()).unwrap();
    assert_eq!(first_page(&store).unwrap().envelopes.len(), 2);
}

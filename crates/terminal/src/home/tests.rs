//! What a home keeps, and what it says when it can't.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::fs;

use portcullis_client_core::{RecordKey, limits};
use portcullis_proto::{AccountId, DeviceId};
use tempfile::TempDir;

use super::*;

const ID: ConversationId = ConversationId::LOBBY;

fn password(text: &str) -> Password {
    Password::new(text.to_owned())
}

async fn open(folder: &TempDir) -> Result<Home, HomeError> {
    open_with(folder, "open sesame").await
}

async fn open_with(folder: &TempDir, text: &str) -> Result<Home, HomeError> {
    Home::open(&folder.path().join("home"), &password(text), Stretch::LIGHT).await
}

fn write(key: Key, value: Option<&str>) -> Write {
    Write { key, value: value.map(|value| Zeroizing::new(value.as_bytes().to_vec())) }
}

fn read(home: &Home) -> Vec<(Key, String)> {
    let state = home.load_state().unwrap();
    let text = |value: &[u8]| String::from_utf8(value.to_vec()).unwrap();
    state.iter().map(|(key, value)| (*key, text(value))).collect()
}

/// A home with one record.
async fn made() -> TempDir {
    let folder = TempDir::new().unwrap();
    let mut home = open(&folder).await.unwrap();
    home.persist(&[write(Key::Account, Some("mira"))]).unwrap();
    folder
}

#[tokio::test]
async fn what_is_persisted_comes_back_in_order() {
    let folder = TempDir::new().unwrap();
    let person = Key::Person(AccountId::from_bytes([1; 16]));
    let number = Key::Number(ID, DeviceId::from_bytes([2; 16]));
    let mut home = open(&folder).await.unwrap();
    let first = [
        write(Key::Outbox(ID), Some("outbox")),
        write(Key::Message(ID, 1), Some("message")),
        write(Key::Mls(RecordKey([3; 32])), Some("keys")),
        write(Key::Inbox, Some("inbox")),
        write(number, Some("number")),
        write(Key::Conversation(ID), Some("conversation")),
        write(person, Some("person")),
        write(Key::Account, Some("account")),
    ];
    home.persist(&first).unwrap();
    home.persist(&[write(Key::Account, Some("newer")), write(Key::Outbox(ID), None)]).unwrap();
    drop(home);
    let expected = [
        (Key::Account, "newer"),
        (person, "person"),
        (Key::Conversation(ID), "conversation"),
        (number, "number"),
        (Key::Inbox, "inbox"),
        (Key::Mls(RecordKey([3; 32])), "keys"),
        (Key::Message(ID, 1), "message"),
    ];
    let expected = expected.map(|(key, value)| (key, value.to_owned()));
    assert_eq!(read(&open(&folder).await.unwrap()), expected);
}

#[tokio::test]
async fn of_messages_the_last_belong_to_the_state() {
    let folder = TempDir::new().unwrap();
    let mut home = open(&folder).await.unwrap();
    let most = limits::CHANGEABLE as u64;
    let messages = (1..=most + 2).map(|seq| write(Key::Message(ID, seq), Some("said")));
    let writes: Vec<Write> = messages.collect();
    home.persist(&writes).unwrap();
    assert_eq!(read(&home), [], "nobody is in this conversation");
    home.persist(&[write(Key::Conversation(ID), Some("conversation"))]).unwrap();
    let keys: Vec<Key> = read(&home).into_iter().map(|(key, _)| key).collect();
    let last = (3..=most + 2).rev().map(|seq| Key::Message(ID, seq));
    assert_eq!(keys, [Key::Conversation(ID)].into_iter().chain(last).collect::<Vec<_>>());
}

#[tokio::test]
async fn how_far_tail_has_printed_is_remembered() {
    let folder = TempDir::new().unwrap();
    let mut home = open(&folder).await.unwrap();
    assert_eq!(home.tailed(ID), Ok(None));
    home.set_tailed([(ID, 7)]).unwrap();
    home.set_tailed([(ID, 9)]).unwrap();
    assert_eq!(home.tailed(ID), Ok(Some(9)));
    assert_eq!(read(&home), []);
}

#[tokio::test]
async fn nothing_lies_open() {
    let folder = made().await;
    for file in ["home.json", "home.db", "home.db-wal"] {
        let bytes = fs::read(folder.path().join("home").join(file)).unwrap_or_default();
        assert!(!bytes.windows(4).any(|window| window == b"mira"), "{file}");
    }
}

#[cfg(unix)]
#[tokio::test]
async fn only_the_owner_may_read() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = made().await;
    let home = folder.path().join("home");
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&home), 0o700);
    for entry in fs::read_dir(&home).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
    }
}

#[tokio::test]
async fn the_password_opens_it_and_can_be_changed() {
    let folder = made().await;
    let home = folder.path().join("home");
    let wrong = open_with(&folder, "guess").await.unwrap_err();
    assert_eq!(wrong, HomeError::WrongPassword(home));
    open(&folder).await.unwrap().rewrap(&password("new"), Stretch::LIGHT).unwrap();
    assert!(open(&folder).await.is_err());
    assert_eq!(read(&open_with(&folder, "new").await.unwrap()).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn one_process_holds_it_and_is_named() {
    let folder = made().await;
    let held = open(&folder).await.unwrap();
    let began = tokio::time::Instant::now();
    let error = open(&folder).await.unwrap_err();
    assert!(began.elapsed() >= WAIT);
    let home = folder.path().join("home");
    assert_eq!(error, HomeError::InUse(home, Some(std::process::id())));
    drop(held);
    assert!(open(&folder).await.is_ok());
}

/// Opens and reads a home after `change` was done to its folder.
async fn check(change: impl FnOnce(&Path), expected: fn(PathBuf) -> HomeError, file: &str) {
    let folder = made().await;
    let home = folder.path().join("home");
    change(&home);
    let opened = open(&folder).await;
    let error = opened.and_then(|home| home.load_state().map(drop)).unwrap_err();
    assert_eq!(error, expected(home.join(file)));
    assert!(error.to_string().contains(file), "{error}");
}

fn replace(path: &Path, from: &str, to: &str) {
    let text = fs::read_to_string(path).unwrap();
    assert!(text.contains(from), "{text}");
    fs::write(path, text.replace(from, to)).unwrap();
}

fn sql(home: &Path, sql: &str) {
    rusqlite::Connection::open(home.join("home.db")).unwrap().execute_batch(sql).unwrap();
}

#[tokio::test]
async fn a_damaged_home_names_the_file() {
    let json = |home: &Path| home.join("home.json");
    check(|home| fs::write(json(home), "{").unwrap(), HomeError::Damaged, "home.json").await;
    check(
        |home| replace(&json(home), "\"passes\": 1", "\"passes\": 99"),
        HomeError::Damaged,
        "home.json",
    )
    .await;
    check(|home| fs::remove_file(json(home)).unwrap(), HomeError::Missing, "home.json").await;
    let noise = |home: &Path| fs::write(home.join("home.db"), [7; 8192]).unwrap();
    check(noise, HomeError::Damaged, "home.db").await;
    let moved = "UPDATE records SET key = x'0307070707070707070707070707070707'";
    check(|home| sql(home, moved), HomeError::Damaged, "home.db").await;
    let cut = "UPDATE records SET value = substr(value, 1, 20)";
    check(|home| sql(home, cut), HomeError::Damaged, "home.db").await;
    let foreign = "UPDATE records SET key = x'01ff'";
    check(|home| sql(home, foreign), HomeError::Damaged, "home.db").await;
    check(|home| sql(home, "DROP TABLE records"), HomeError::Damaged, "home.db").await;
}

#[tokio::test]
async fn a_newer_home_is_left_alone() {
    check(
        |home| replace(&home.join("home.json"), "\"format\": 1", "\"format\": 2"),
        HomeError::Newer,
        "home.json",
    )
    .await;
    check(|home| sql(home, "PRAGMA user_version = 2"), HomeError::Newer, "home.db").await;
}

//! `admin`: what the operator does to a data folder, beside a server that may be running. A running
//! server notices within a second.

use std::io::{self, Write as _};
use std::time::{SystemTime, UNIX_EPOCH};

use portcullis_proto::classroom::{PemLayout, Wrap, pem_of};
use portcullis_proto::{AccountId, Timestamp, UserName};
use portcullis_server::sqlite::SqliteStore;
use portcullis_server_core::defences::token_hash;
use portcullis_server_core::limits::INVITE_MILLIS;
use portcullis_server_core::store::{Invite, Store as _, StoreError};
use portcullis_terminal::verbs::{Exit, Failure};
use rand_core::{OsRng, RngCore as _};

use crate::cli::{Admin, Data};
use crate::serve::{data_folder, unusable};

/// Accounts that are read at once.
const PAGE: u32 = 256;

/// Carries a command out.
pub(crate) fn run(command: Admin) -> Result<(), Failure> {
    match command {
        Admin::ClassroomKey { data } => classroom_key(&data),
        Admin::Invite { data } => within(&data, invite),
        Admin::Accounts { data } => within(&data, accounts),
        Admin::Disable { data, name } => within(&data, |store| set_disabled(store, &name, true)),
        Admin::Enable { data, name } => within(&data, |store| set_disabled(store, &name, false)),
    }
}

fn within(
    data: &Data,
    act: impl FnOnce(&SqliteStore) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let folder = data_folder(data)?;
    let store = SqliteStore::open_beside(&folder).map_err(|error| unusable(&folder, error))?;
    act(&store)
}

/// The public half, as other servers' `--neighbour` reads it.
fn classroom_key(data: &Data) -> Result<(), Failure> {
    let folder = data_folder(data)?;
    let key = SqliteStore::load_or_create_classroom_key(&folder);
    let key = key.map_err(|error| unusable(&folder, error))?;
    let layout = PemLayout { wrap: Wrap::Columns, last_newline: false };
    print(&pem_of(key.public().spki(), layout))
}

/// The code is printed this once; the store has only its hash.
fn invite(store: &SqliteStore) -> Result<(), Failure> {
    let mut random = [0; 16];
    OsRng.fill_bytes(&mut random);
    let code: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    let invite =
        Invite { hash: token_hash(code.as_bytes()), expires_at: now().plus_millis(INVITE_MILLIS) };
    write(store, |store| store.put_invite(&invite))?;
    print(&code)
}

fn accounts(store: &SqliteStore) -> Result<(), Failure> {
    let mut after: Option<UserName> = None;
    loop {
        let page = store.accounts(after.as_ref(), PAGE).map_err(failed)?;
        // What stands for guests in the store is nobody's account.
        for account in page.iter().filter(|account| account.id != AccountId::GATEWAY) {
            let state = if account.disabled { "\tdisabled" } else { "" };
            print(&format!("{}{state}", account.name))?;
        }
        match page.last() {
            Some(last) => after = Some(last.name.clone()),
            None => return Ok(()),
        }
    }
}

fn set_disabled(store: &SqliteStore, name: &UserName, disabled: bool) -> Result<(), Failure> {
    let account = store.account_by_name(name).map_err(failed)?;
    let message = || format!("there is no account {name}");
    let account = account.filter(|account| account.id != AccountId::GATEWAY);
    let account = account.ok_or_else(|| Failure::new(Exit::Failed, message()))?;
    write(store, |store| store.set_disabled(account.id, disabled))
}

fn write(
    store: &SqliteStore,
    act: impl FnOnce(&SqliteStore) -> Result<(), StoreError>,
) -> Result<(), Failure> {
    store.begin().map_err(failed)?;
    act(store).and_then(|()| store.commit()).map_err(failed)
}

fn print(line: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}").map_err(|error| match error.kind() {
        io::ErrorKind::BrokenPipe => Failure::new(Exit::Done, ""),
        _ => Failure::new(Exit::Failed, error.to_string()),
    })
}

fn failed(error: StoreError) -> Failure {
    Failure::new(Exit::Unusable, error.to_string())
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

//! `chat`: the chat's own terminal client, in a world.

use super::Where;
use super::ask::{Range, learner_folder};
use crate::host::SUBPROTOCOL;
use portcullis_crypto::{Password, Stretch};
use portcullis_proto::UserName;
use portcullis_terminal::chat::{self, Options};
use portcullis_terminal::device::{FileOptions, device_name};
use portcullis_terminal::net::{Address, Door, TlsRoots};

pub(super) fn chat(at: &Where, slug: &str) -> Result<(), String> {
    let entrance = Range::new(at)?.get(&format!("/api/flaws/{slug}/entrance"))?;
    let connect = entrance["connect"].as_str().unwrap_or_default();
    let path = connect.strip_prefix("ws://").and_then(|rest| Some(rest.split_once('/')?.1));
    let path = format!("/{}", path.ok_or("the range does not say where the world is")?);
    let ticket: String = path.split('/').nth(2).unwrap_or_default().to_owned();
    let server =
        Address::parse(&format!("ws://{}", at.range)).map_err(|error| error.to_string())?;
    let options = Options {
        server,
        door: Door::Other { path, subprotocol: SUBPROTOCOL },
        roots: TlsRoots::System,
        user: UserName::parse(crate::hands::YOU).ok(),
        password: entrance["password"].as_str().map(|password| Password::new(password.to_owned())),
        // A world that was begun anew does not know the devices of the one before.
        home: Some(learner_folder(at)?.join("homes").join(ticket)),
        device: device_name(),
        stretch_floor: Stretch::LIGHT,
        read_marks: true,
        files: FileOptions::default(),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    let ended = runtime.block_on(chat::run(options));
    runtime.shutdown_background();
    ended.map_err(|error| error.to_string())
}

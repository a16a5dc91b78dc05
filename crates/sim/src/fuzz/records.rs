//! A client's stored records: any bytes under any key, and honest records with changes. A record is
//! refused or taken, and a client that took it can be used.

use super::input::Input;
use super::mutate::mutate;
use super::stage::{Home, NAMES, Records, Stage, password, restore};
use portcullis_client_core::{Command, Event, Key, Saying, read_message};
use portcullis_proto::{AccountId, ConversationId, DeviceId, Reference, TransferId, UserName};

/// The first byte chooses between any bytes and changed records.
pub(super) fn records(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let Some(first) = input.byte() else { return };
    if first & 1 == 0 {
        let _ = any(&mut input);
    } else {
        let _ = changed(&mut input);
    }
}

fn any(input: &mut Input<'_>) -> Option<()> {
    let mut records = Records::new();
    let message = input.chunk()?;
    let _ = read_message(message);
    while let Some(kind) = input.byte() {
        let conversation = ConversationId::LOBBY;
        let key = match kind % 10 {
            0 => Key::Account,
            1 => Key::Person(AccountId::from_bytes([1; 16])),
            2 => Key::Conversation(conversation),
            3 => Key::Number(conversation, DeviceId::from_bytes([2; 16])),
            4 => Key::Outbox(conversation),
            5 => Key::Classic,
            6 => Key::Guest(AccountId::from_bytes([1; 16])),
            7 => Key::GuestSeen(Reference::from_bytes([3; 16])),
            8 => Key::Transfer(TransferId::from_bytes([4; 16])),
            _ => Key::Message(conversation, 1),
        };
        let long = kind >= 128;
        let value = if long { input.rest() } else { input.chunk()? };
        records.insert(key, value.to_vec());
    }
    let _ = restore(&records);
    Some(())
}

fn changed(input: &mut Input<'_>) -> Option<()> {
    let mut stage = Stage::open()?;
    let mut records = stage.homes.first()?.records.clone();
    for _ in 0..=input.below(3)? {
        let at = input.below(records.len())?;
        let (key, value) = records.iter_mut().nth(at)?;
        let text = mutate(&String::from_utf8_lossy(value), input)?;
        *value = text.into_bytes();
        if matches!(key, Key::Message(..)) {
            let _ = read_message(value);
        }
    }
    let client = restore(&records)?;
    *stage.homes.first_mut()? = Home::new(client, records);
    use_it(&mut stage)
}

/// Logs in, says something and looks around.
fn use_it(stage: &mut Stage) -> Option<()> {
    let (name, password) = (UserName::parse(NAMES.first()?).ok()?, password("mira"));
    stage.event(0, Event::Command(Command::LogIn { name, password }));
    stage.connect(0);
    stage.settle();
    let conversation = ConversationId::LOBBY;
    let say = Command::Say { conversation, what: Saying::Text("a text".to_owned()) };
    for command in [Command::ListDevices, say, Command::MarkRead(conversation)] {
        stage.event(0, Event::Command(command));
        stage.settle();
    }
    stage.check_logs(&[conversation]);
    Some(())
}

//! A client under a server that may say anything: honest frames, changed ones and raw ones, with
//! commands, lost connections, crashes and slow work in between. It never panics, persists at most once
//! an event and first, reads back what it persisted, and shows nothing twice ([`Stage::event`]).

use super::input::Input;
use super::mutate::mutate;
use super::stage::{Home, NAMES, Records, Stage, config, password, restore};
use portcullis_client_core::defences::SOUND;
use portcullis_client_core::{Client, Command, Event, JobId, Saying};
use portcullis_crypto::{Outcome, StretchFailed};
use portcullis_proto::{
    Access, ChannelName, ConversationId, DeviceId, GroupName, Reference, Timestamp, UserName,
};

/// Steps of one run; more only cost time.
const STEPS: usize = 96;

/// Frames that an honest server has no cause to send to these people; `ID` becomes a small number.
const FRAMES: &[&str] = &[
    r##"{"event":"conversation","data":{"conversation":"00000000000000000000000000000009","kind":"channel","name":"#den","access":"open","role":"member","epoch":0,"head":7}}"##,
    r##"{"event":"conversation","data":{"conversation":"236c6f62627900000000000000000000","kind":"channel","name":"#lobby","access":"open","role":"member","epoch":0,"head":9}}"##,
    r#"{"event":"left","data":{"conversation":"236c6f62627900000000000000000000"}}"#,
    r#"{"event":"presence","data":{"online":["oleg"],"offline":["nina"],"more":true}}"#,
    r#"{"event":"lagging"}"#,
    r#"{"event":"stopping"}"#,
    r#"{"event":"closed","data":{"reason":"because"}}"#,
    r#"{"event":"hello","data":{"nonce":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=","time":5}}"#,
    r#"{"event":"envelope","data":{"conversation":"236c6f62627900000000000000000000","seq":4,"account":"00000000000000000000000000000001","device":"00000000000000000000000000000002","epoch":0,"reference":"00000000000000000000000000000003","accepted_at":5,"body":"AAAA"}}"#,
    r#"{"id":ID,"reply":"done"}"#,
    r#"{"id":ID,"reply":"submitted","data":{"first":9,"last":9,"accepted_at":5}}"#,
    r#"{"id":ID,"reply":"conversations","data":{"conversations":[],"more":true}}"#,
    r#"{"id":ID,"reply":"users","data":{"users":[{"account":"00000000000000000000000000000001","name":"nina","online":true}],"more":true}}"#,
    r#"{"id":ID,"reply":"fetched","data":{"conversation":"236c6f62627900000000000000000000","base":{"seq":0,"chain":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="},"envelopes":[],"head":0}}"#,
    r#"{"id":ID,"reply":"fetched","data":{"conversation":"236c6f62627900000000000000000000","base":{"seq":18446744073709551615,"chain":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="},"envelopes":[],"head":18446744073709551615}}"#,
    r#"{"id":ID,"refusal":"unavailable","message":"m"}"#,
    r#"{"id":ID,"refusal":"login_failed","message":"m"}"#,
    r#"{"id":ID,"refusal":"list_refused","message":"m"}"#,
    r#"{"id":ID,"refusal":"not_found","message":"m"}"#,
    r#"{"id":ID,"refusal":"rate_limited","message":"m","retry_after":5}"#,
];

/// The first byte chooses how the first device begins; then come the steps.
pub(super) fn client(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let Some(mut stage) = Stage::open() else { return };
    let _ = play(&mut stage, &mut input);
    stage.homes.iter().for_each(Home::check_records);
    stage.check_logs(&[ConversationId::LOBBY]);
}

fn play(stage: &mut Stage, input: &mut Input<'_>) -> Option<()> {
    let first = input.byte()?;
    if first & 1 == 0 {
        let fresh = Client::new(config()?, SOUND);
        *stage.homes.first_mut()? = Home::new(fresh, Records::new());
    }
    for who in [0, 2] {
        log_in(stage, who);
        stage.connect(who);
    }
    if first & 2 == 0 {
        stage.settle();
    }
    for _ in 0..STEPS {
        step(stage, input)?;
    }
    Some(())
}

fn log_in(stage: &mut Stage, who: usize) -> Option<()> {
    let name = NAMES.get(who)?;
    let (name, password) = (UserName::parse(name).ok()?, password(name));
    stage.event(who, Event::Command(Command::LogIn { name, password }));
    Some(())
}

/// One thing happens, most of them to the first device.
fn step(stage: &mut Stage, input: &mut Input<'_>) -> Option<()> {
    match input.below(18)? {
        0 => stage.connect(0),
        1 => stage.disconnect(0),
        2 | 3 => deliver(stage, None)?,
        4..=6 => deliver(stage, Some(input))?,
        7 => shuffle(stage, input)?,
        8 => stage.event(0, Event::Frame(input.text()?)),
        9 | 10 => invented(stage, input)?,
        11 | 12 => {
            let command = command(stage, 0, input)?;
            stage.event(0, Event::Command(command));
        }
        13 => {
            stage.tick(input.number()? % (1 << 40));
            stage.event(0, Event::Tick);
        }
        14 => drop(stage.work(0)),
        15 => others(stage, input)?,
        16 => crash(stage)?,
        _ => rest(stage, input)?,
    }
    Some(())
}

/// The next frame arrives, changed or as it is; none waits, none arrives.
fn deliver(stage: &mut Stage, input: Option<&mut Input<'_>>) -> Option<()> {
    let Some(frame) = stage.next_frame(0) else {
        return Some(());
    };
    let frame = match input {
        Some(input) => mutate(&frame, input)?,
        None => frame,
    };
    stage.event(0, Event::Frame(frame));
    Some(())
}

/// Frames are lost, doubled or overtaken.
fn shuffle(stage: &mut Stage, input: &mut Input<'_>) -> Option<()> {
    let inbox = &mut stage.homes.first_mut()?.inbox;
    match input.below(3)? {
        0 => drop(inbox.pop_front()),
        1 => inbox.extend(inbox.front().cloned()),
        _ => {
            let last = inbox.pop_back();
            last.into_iter().for_each(|frame| inbox.push_front(frame));
        }
    }
    Some(())
}

fn invented(stage: &mut Stage, input: &mut Input<'_>) -> Option<()> {
    let id = input.byte()?;
    // Most of the time it is an answer to what was just asked.
    let last = stage.homes.first().map_or(0, |home| home.asked);
    let id = if id % 4 == 0 { u64::from(id) } else { last }.to_string();
    let frame = input.pick(FRAMES)?.replace("ID", &id);
    let frame = if input.byte()? % 2 == 0 { frame } else { mutate(&frame, input)? };
    stage.event(0, Event::Frame(frame));
    Some(())
}

fn command(stage: &Stage, who: usize, input: &mut Input<'_>) -> Option<Command> {
    let user = UserName::parse(input.pick(&["mira", "oleg", "nina"])?).ok()?;
    let channel = ChannelName::parse(input.pick(&["#lobby", "#den", "#tea"])?).ok()?;
    let known: Vec<_> =
        stage.homes.get(who)?.client.conversations().map(|conversation| conversation.id).collect();
    let at = input.below(known.len() + 1)?;
    let conversation = known.get(at).copied().unwrap_or(ConversationId::from_bytes([9; 16]));
    let group = GroupName::parse("+den").ok()?;
    let target = Reference::from_bytes([input.byte()?; 16]);
    let secret = password(user.as_str());
    Some(match input.below(28)? {
        0 => Command::Register { name: user, password: secret, invite: None },
        1 => Command::LogIn { name: user, password: secret },
        2 => Command::Join(channel),
        3 => Command::Create(channel, Access::Open),
        4 => Command::Create(channel, Access::Invitation),
        5 => Command::Leave(conversation),
        6 => Command::Invite(conversation, user),
        7 => Command::ListChannels,
        8 => Command::ListUsers,
        9 => Command::ShowSafetyNumber(user),
        10 => Command::MarkVerified(user),
        11 => Command::AcceptIdentity(user),
        12 => Command::ListDevices,
        13 => Command::RevokeDevice(DeviceId::from_bytes([1; 16]), secret),
        14 => Command::ChangePassword { old: secret, new: password("new") },
        15 => Command::MarkRead(conversation),
        16 => Command::SignOut,
        17 | 18 => Command::Tell(user.into(), input.text()?),
        19 => Command::CreateGroup(group, vec![user]),
        20 => Command::Remove(conversation, user),
        21 => Command::Rename(conversation, group),
        22 => Command::SetOwner(conversation, user),
        23 => Command::ShowMembers(conversation),
        24 => {
            let emoji = input.text()?;
            Command::Say { conversation, what: Saying::Reaction { target, emoji } }
        }
        25 => Command::ListGuests,
        26 => Command::AllowGuests(true),
        _ => Command::Say { conversation, what: Saying::Text(input.text()?) },
    })
}

/// The other person says something, or makes a channel and asks everyone in.
fn others(stage: &mut Stage, input: &mut Input<'_>) -> Option<()> {
    let command = command(stage, 2, input)?;
    stage.connect(2);
    stage.event(2, Event::Command(command));
    for _ in 0..16 {
        let worked = stage.work(2);
        let Some(frame) = stage.next_frame(2) else { if worked { continue } else { break } };
        stage.event(2, Event::Frame(frame));
    }
    Some(())
}

/// The process dies and starts again from what it had persisted.
fn crash(stage: &mut Stage) -> Option<()> {
    stage.disconnect(0);
    let home = stage.homes.first_mut()?;
    home.jobs.clear();
    home.client = restore(&home.records)?;
    log_in(stage, 0)
}

/// All comes to rest; or slow work has an outcome that it can't have; or the clock jumps.
fn rest(stage: &mut Stage, input: &mut Input<'_>) -> Option<()> {
    match input.below(4)? {
        0 => {
            let outcome = Outcome::Stretch(Err(StretchFailed));
            stage.event(0, Event::Worked(JobId(input.number()?), outcome));
        }
        1 => stage.now = Timestamp(input.number()?),
        _ => stage.settle(),
    }
    Some(())
}

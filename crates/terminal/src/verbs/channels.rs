//! `join` and `create`: being in a channel, and making one.

use portcullis_client_core::{Command, History, Show};
use portcullis_proto::{Access, ChannelName, ConversationId, ConversationName};
use serde::Serialize;

use super::{Common, Failure, Session, TIMEOUT, output, within};

#[derive(Serialize)]
struct Line<'a> {
    conversation: &'a ChannelName,
    id: ConversationId,
}

/// Joins a channel; being in it already is as good.
///
/// # Errors
/// [`Failure`].
pub async fn join(common: &Common, name: ChannelName) -> Result<(), Failure> {
    let ask = || Command::Join(name.clone());
    let entering = enter(common, &name, Already::IsDone, ask);
    within(common.timeout.or(Some(TIMEOUT)), entering).await
}

/// Makes a channel, and is its owner.
///
/// # Errors
/// [`Failure`]; a name that is taken is refused, by one's own channel too.
pub async fn create(common: &Common, name: ChannelName, access: Access) -> Result<(), Failure> {
    let ask = || Command::Create(name.clone(), access);
    let entering = enter(common, &name, Already::IsRefused, ask);
    within(common.timeout.or(Some(TIMEOUT)), entering).await
}

/// What it means that the account is in the channel before anything was asked.
#[derive(PartialEq)]
enum Already {
    IsDone,
    IsRefused,
}

async fn enter(
    common: &Common,
    name: &ChannelName,
    already: Already,
    ask: impl Fn() -> Command,
) -> Result<(), Failure> {
    let mut session = Session::begin(common, History::None).await?;
    session.log_in().await?;
    let called = ConversationName::Channel(name.clone());
    // Where the answer to an earlier asking was lost, being there shows that it was done.
    let mut asked = already == Already::IsDone;
    loop {
        if let Some(id) = session.find(&called)?.filter(|_| asked) {
            return output::line(&Line { conversation: name, id });
        }
        asked = true;
        let shows = session.command(ask())?;
        if !Session::refused_for_now(&shows)? {
            while !settled(&session.next().await?)? && session.is_listed() {}
        }
        session.log_in().await?;
    }
}

/// Whether the asking was answered.
fn settled(shows: &[Show]) -> Result<bool, Failure> {
    let done = shows.iter().any(|show| matches!(show, Show::Done(_)));
    Ok(done || Session::refused_for_now(shows)?)
}

//! `group`: making groups, and changing and listing their members. A change is done when this device has
//! read in the conversation's log that it was made.

use std::collections::BTreeSet;

use portcullis_client_core::{Command, History, IdentityState, MemberView, Show};
use portcullis_proto::{ConversationId, ConversationName, GroupName, UserName};
use serde::Serialize;

use super::{Common, Exit, Failure, Session, TIMEOUT, output, within};

/// What is to be done with a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Group {
    /// Make one, with these members.
    Create(GroupName, Vec<UserName>),
    /// Make these members; who is one already stays one.
    Invite(GroupName, Vec<UserName>),
    /// Take somebody out.
    Remove(GroupName, UserName),
    /// Leave it.
    Leave(GroupName),
    /// List its members.
    Members(GroupName),
}

#[derive(Serialize)]
struct Line<'a> {
    conversation: &'a GroupName,
    id: ConversationId,
}

#[derive(Serialize)]
struct MemberLine<'a> {
    name: &'a UserName,
    owner: bool,
    devices: usize,
    identity: &'static str,
}

/// Does it, and prints the group, or a line for each of its members.
///
/// # Errors
/// [`Failure`]; where it timed out, it is done by the next command that connects from this home.
pub async fn group(common: &Common, what: Group) -> Result<(), Failure> {
    within(common.timeout.or(Some(TIMEOUT)), run(common, what)).await
}

async fn run(common: &Common, what: Group) -> Result<(), Failure> {
    let mut session = Session::begin(common, History::None).await?;
    session.log_in().await?;
    match what {
        Group::Create(name, members) => create(&mut session, &name, members).await,
        Group::Invite(name, mut names) => {
            let (id, members) = enter(&mut session, &name).await?;
            names.retain(|name| !is_in(&members, name));
            let invite = names.iter().map(|name| Command::Invite(id, name.clone())).collect();
            let done = |members: &[MemberView]| names.iter().all(|name| is_in(members, name));
            change(&mut session, &name, id, invite, done).await
        }
        Group::Remove(_, gone) if gone == *session.user() => {
            Err(Failure::new(Exit::Usage, "that is you: `group leave` leaves the group"))
        }
        Group::Remove(name, gone) => {
            let (id, _) = enter(&mut session, &name).await?;
            let remove = vec![Command::Remove(id, gone.clone())];
            change(&mut session, &name, id, remove, |members| !is_in(members, &gone)).await
        }
        Group::Leave(name) => {
            let (id, _) = enter(&mut session, &name).await?;
            let mut shows = session.command(Command::Leave(id))?;
            while session.device().client().conversations().any(|view| view.id == id) {
                Session::refused_for_now(&shows)?;
                shows = session.next().await?;
            }
            output::line(&Line { conversation: &name, id })
        }
        Group::Members(name) => {
            let (_, members) = enter(&mut session, &name).await?;
            members.iter().try_for_each(|member| output::line(&line(member)))
        }
    }
}

async fn create(
    session: &mut Session,
    name: &GroupName,
    names: Vec<UserName>,
) -> Result<(), Failure> {
    let groups = |session: &Session| -> BTreeSet<ConversationId> {
        let views = session.device().client().conversations();
        let called = ConversationName::Group(name.clone());
        views.filter(|view| view.name == called).map(|view| view.id).collect()
    };
    let before = groups(session);
    let made = |session: &Session| groups(session).difference(&before).next().copied();
    let own = session.user().clone();
    let done = |members: &[MemberView]| {
        names.iter().filter(|name| **name != own).all(|name| is_in(members, name))
    };
    let ask = || Command::CreateGroup(name.clone(), names.clone());
    let mut shows = session.command(ask())?;
    loop {
        let again = Session::refused_for_now(&shows)?;
        if let Some(id) = made(session) {
            return change(session, name, id, Vec::new(), done).await;
        }
        if again {
            // What was not refused, the core goes on with by itself when it is connected again.
            session.log_in().await?;
            shows = session.command(ask())?;
        } else {
            shows = session.next().await?;
        }
    }
}

/// The group, and its members, as they are now.
async fn enter(
    session: &mut Session,
    name: &GroupName,
) -> Result<(ConversationId, Vec<MemberView>), Failure> {
    let id = session.find_listed(&ConversationName::Group(name.clone())).await?;
    session.catch_up(id).await?;
    loop {
        if let Some(members) = members(session, id)? {
            return Ok((id, members));
        }
        session.next().await?;
    }
}

/// Asks for a change, and waits until it is made.
async fn change(
    session: &mut Session,
    name: &GroupName,
    id: ConversationId,
    commands: Vec<Command>,
    is_done: impl Fn(&[MemberView]) -> bool,
) -> Result<(), Failure> {
    let members_now = members(session, id)?.unwrap_or_default();
    let changed = members_now.iter().find(|member| member.identity == IdentityState::Changed);
    if let Some(member) = changed.filter(|_| !commands.is_empty()) {
        let who = &member.name;
        let message =
            format!("the identity key of {who} has changed; look at it in the chat first");
        return Err(Failure::new(Exit::Refused, message));
    }
    let mut shows = session.commands(commands)?;
    loop {
        Session::refused_for_now(&shows)?;
        if members(session, id)?.is_some_and(|members| is_done(&members)) {
            return output::line(&Line { conversation: name, id });
        }
        if shows.iter().any(|show| matches!(show, Show::Left(gone) if *gone == id)) {
            return Err(Session::not_there(&ConversationName::Group(name.clone())));
        }
        shows = session.next().await?;
    }
}

/// The members, as far as this device has read; none before it has the group's keys.
fn members(session: &mut Session, id: ConversationId) -> Result<Option<Vec<MemberView>>, Failure> {
    let shows = session.command(Command::ShowMembers(id))?;
    Ok(shows.into_iter().find_map(|show| match show {
        Show::Members { members, .. } => Some(members),
        _ => None,
    }))
}

fn is_in(members: &[MemberView], name: &UserName) -> bool {
    members.iter().any(|member| member.name == *name)
}

fn line(member: &MemberView) -> MemberLine<'_> {
    MemberLine {
        name: &member.name,
        owner: member.owner,
        devices: member.devices,
        identity: output::identity(member.identity),
    }
}

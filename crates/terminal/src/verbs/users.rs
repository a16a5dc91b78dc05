//! `users`: everybody who has an account, and whether they are here.

use portcullis_client_core::{Command, History, Show};
use portcullis_proto::UserName;
use serde::Serialize;

use super::{Common, Failure, Session, TIMEOUT, output, within};

#[derive(Serialize)]
struct Line<'a> {
    name: &'a UserName,
    online: bool,
}

/// Prints the accounts, each as a line, in order of their names.
///
/// # Errors
/// [`Failure`].
pub async fn users(common: &Common) -> Result<(), Failure> {
    within(common.timeout.or(Some(TIMEOUT)), run(common)).await
}

async fn run(common: &Common) -> Result<(), Failure> {
    let mut session = Session::begin(common, History::None).await?;
    let mut people = Vec::new();
    loop {
        for show in session.next().await? {
            match show {
                // After each login, so that a lost connection only begins the list anew.
                Show::Listed => {
                    people.clear();
                    session.command(Command::ListUsers)?;
                }
                Show::People { people: page, first, more } => {
                    if first {
                        people.clear();
                    }
                    people.extend(page);
                    if !more {
                        return people.iter().try_for_each(|person| {
                            output::line(&Line { name: &person.name, online: person.online })
                        });
                    }
                }
                Show::Refused { what: what @ "list users", refusal } => {
                    return Err(Failure::refused(what, &refusal));
                }
                _ => {}
            }
        }
    }
}

//! `guests`: the classroom guests who are here, and whether they may write to the account.

use portcullis_client_core::{Command, GuestView, History, Show};
use portcullis_proto::GuestName;
use serde::Serialize;

use super::{Common, Failure, Session, TIMEOUT, output, within_then_found};

#[derive(Serialize)]
struct Line<'a> {
    name: &'a GuestName,
    dialect: &'a str,
    server: &'a str,
}

#[derive(Serialize)]
struct Allowed {
    guests_allowed: bool,
}

/// Prints the guests, each as a line; or lets guests write to the account, or not, and prints which.
///
/// # Errors
/// [`Failure`].
pub async fn guests(common: &Common, allow: Option<bool>) -> Result<(), Failure> {
    within_then_found(common.timeout.or(Some(TIMEOUT)), run(common, allow)).await
}

async fn run(common: &Common, allow: Option<bool>) -> Result<Session, Failure> {
    let mut session = Session::begin(common, History::None).await?;
    session.log_in().await?;
    let ask = || allow.map_or(Command::ListGuests, Command::AllowGuests);
    let mut shows = session.command(ask())?;
    loop {
        if Session::refused_for_now(&shows)? || !session.is_listed() {
            session.log_in().await?;
            shows = session.command(ask())?;
            continue;
        }
        for show in &shows {
            match (show, allow) {
                (Show::Done(_), Some(guests_allowed)) => {
                    output::line(&Allowed { guests_allowed })?;
                    // What is listed next says so too.
                    while session.device().client().allows_guests() != guests_allowed {
                        session.next().await?;
                    }
                    return Ok(session);
                }
                (Show::Guests(guests), None) => {
                    print(guests)?;
                    return Ok(session);
                }
                _ => {}
            }
        }
        shows = session.next().await?;
    }
}

fn print(guests: &[GuestView]) -> Result<(), Failure> {
    guests.iter().try_for_each(|guest| {
        let GuestView { name, dialect, server } = guest;
        output::line(&Line { name, dialect, server })
    })
}

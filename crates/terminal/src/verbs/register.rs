//! `register`: an account, with this home as its first device.

use portcullis_client_core::{Command, History, Show};
use portcullis_proto::{DeviceId, UserName};
use serde::Serialize;

use super::{Common, Failure, Session, TIMEOUT, output, within_then_found};

#[derive(Serialize)]
struct Line<'a> {
    name: &'a UserName,
    device: DeviceId,
}

/// Registers, and prints name and device. A home that has the account already just logs in, so that a
/// script whose connection was lost can run the verb again.
///
/// # Errors
/// [`Failure`].
pub async fn register(common: &Common, invite: Option<String>) -> Result<(), Failure> {
    within_then_found(common.timeout.or(Some(TIMEOUT)), run(common, invite)).await
}

async fn run(common: &Common, invite: Option<String>) -> Result<Session, Failure> {
    let name = common.user.clone();
    let mut session = Session::with(common, History::None, |known, password| match known {
        true => Command::LogIn { name, password },
        false => Command::Register { name, password, invite },
    })
    .await?;
    let mut online = None;
    loop {
        for show in session.next().await? {
            match show {
                // Others can write to this device once the server has its key packages. They were sent
                // as the session began, and requests are answered in their order.
                Show::Online { name, device } => {
                    online = Some((name, device));
                    session.command(Command::ListChannels)?;
                }
                Show::Channels(_) => {
                    if let Some((name, device)) = &online {
                        output::line(&Line { name, device: *device })?;
                        return Ok(session);
                    }
                }
                _ => {}
            }
        }
    }
}

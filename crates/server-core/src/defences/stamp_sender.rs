//! Who says something is who has logged in on this connection, whatever the request claims.
//!
//! Attack: a member submits an envelope in somebody else's name, and everyone is shown the wrong author.
//! CWE-290, authentication bypass by spoofing.
//! Precedent: CVE-2017-5589 (XMPP message carbons), CVE-2016-11065 (Mattermost).

use crate::{Context, Session};
use portcullis_proto::{AccountId, Code, DeviceId, Refusal};

/// The device that a request says it comes from.
#[derive(Debug, Clone, Copy)]
pub struct Claimed(pub DeviceId);

/// Proof of who says something: the session's account and device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sender {
    account: AccountId,
    device: DeviceId,
}

impl Sender {
    /// The account.
    #[must_use]
    pub const fn account(self) -> AccountId {
        self.account
    }

    /// The device.
    #[must_use]
    pub const fn device(self) -> DeviceId {
        self.device
    }

    /// For the range's unsound twins: says who is the sender without any check.
    #[must_use]
    pub const fn unproven(account: AccountId, device: DeviceId) -> Self {
        Self { account, device }
    }
}

/// Takes the sender from the session, and refuses a claim that differs from it.
///
/// # Errors
/// [`Code::Forbidden`] for a claim of another device; [`Code::NotNow`] without a session.
pub fn stamp_sender(
    _: &Context<'_>,
    session: &Session,
    Claimed(claimed): Claimed,
) -> Result<Sender, Refusal> {
    let open = session.open()?;
    if claimed != open.device {
        let message = "the envelopes were made by another device than this session's";
        return Err(Refusal::new(Code::Forbidden, message));
    }
    Ok(Sender {
        account: open.account,
        device: open.device,
    })
}

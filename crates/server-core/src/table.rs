//! The table of requests: who may ask, how large the frame may be, and which rate it counts against.
//! Checked in one place, before any handler runs.

use crate::Rate;
use crate::session::{Session, State, not_now};
use portcullis_proto::{Code, Refusal, Request, RequestKind, decode_request, limits};

/// At which point of a session a request has its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// Before anything was proven.
    Stranger,
    /// Before, or in an open session, where it confirms the password.
    StrangerOrOpen,
    /// Between the steps of a registration.
    Registering,
    /// Between the steps of a login, or of a confirmation.
    LoggingIn,
    /// After the password, before the device.
    LoggedIn,
    /// An open session.
    Open,
}

/// A row of the table.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    /// Who may ask.
    pub who: Who,
    /// Bytes of the whole frame at most.
    pub bytes: usize,
    /// The rate that it counts against.
    pub rate: Rate,
}

/// The table.
#[must_use]
pub const fn rule(kind: RequestKind) -> Rule {
    use RequestKind as K;
    const KIB: usize = 1024;
    let (who, bytes, rate) = match kind {
        K::RegisterStart => (Who::Stranger, 8 * KIB, Rate::Register),
        K::RegisterFinish => (Who::Registering, 16 * KIB, Rate::Resume),
        K::LoginStart => (Who::StrangerOrOpen, 8 * KIB, Rate::LoginByAddress),
        K::LoginFinish => (Who::LoggingIn, 8 * KIB, Rate::Resume),
        K::Open => (Who::LoggedIn, 128 * KIB, Rate::Resume),
        K::Resume => (Who::Stranger, 4 * KIB, Rate::Resume),
        K::Conversations | K::Channels | K::Users => (Who::Open, KIB, Rate::Read),
        K::Fetch | K::AccountByName | K::AccountById => (Who::Open, KIB, Rate::Read),
        K::CreateChannel | K::Join | K::Leave | K::Invite => (Who::Open, KIB, Rate::Change),
        K::Submit => (Who::Open, limits::CLIENT_FRAME_BYTES, Rate::Write),
        K::PublishList => (Who::Open, 128 * KIB, Rate::Change),
        K::PasswordStart | K::PasswordFinish => (Who::Open, 8 * KIB, Rate::Change),
        K::SignOut => (Who::Open, KIB, Rate::Change),
    };
    Rule { who, bytes, rate }
}

/// Reads a frame, within its request's size.
///
/// # Errors
/// The refusal, and the id to answer under.
pub fn decode(text: &str) -> Result<(u64, Request), (u64, Refusal)> {
    let (id, request) = decode_request(text)?;
    if text.len() > rule(request.kind()).bytes {
        let message = format!("{} is longer than it may be", request.kind().name());
        return Err((id, Refusal::new(Code::TooLarge, message)));
    }
    Ok((id, request))
}

impl Rule {
    /// Whether the request has its place in this session.
    pub(crate) fn permits(&self, session: &Session) -> Result<(), Refusal> {
        let fits = match (&session.state, self.who) {
            (State::Open(open), Who::LoggingIn) => open.confirming.is_some(),
            (State::Open(_), Who::Open | Who::StrangerOrOpen)
            | (State::Registering(_), Who::Registering)
            | (State::LoggingIn(_), Who::LoggingIn)
            | (State::LoggedIn(_), Who::LoggedIn) => true,
            // Whoever has begun something may begin anew.
            (State::Open(_), Who::Stranger) => false,
            (_, Who::Stranger | Who::StrangerOrOpen) => true,
            _ => false,
        };
        fits.then_some(()).ok_or_else(not_now)
    }
}

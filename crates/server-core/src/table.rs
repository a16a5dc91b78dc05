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
        K::ReserveBlob | K::ReleaseBlob => (Who::Open, KIB, Rate::Change),
        K::FetchBlob => (Who::Open, KIB, Rate::Read),
        K::RegisterRelayKey => (Who::Open, KIB, Rate::Change),
        K::GroupInfo | K::ClaimKeyPackages => (Who::Open, KIB, Rate::Read),
        K::ListVersions => (Who::Open, 16 * KIB, Rate::Read),
        K::UploadKeyPackages => (Who::Open, 384 * KIB, Rate::Change),
        K::CreateChannel | K::Join | K::Leave | K::Invite => (Who::Open, KIB, Rate::Change),
        K::Submit => (Who::Open, limits::CLIENT_FRAME_BYTES, Rate::Write),
        K::Commit => (Who::Open, limits::CLIENT_FRAME_BYTES, Rate::Commit),
        K::PublishList => (Who::Open, 128 * KIB, Rate::Change),
        K::PasswordStart | K::PasswordFinish => (Who::Open, 8 * KIB, Rate::Change),
        K::SignOut => (Who::Open, KIB, Rate::Change),
        K::PublishClassicKey => (Who::Open, 4 * KIB, Rate::Change),
        K::AllowGuests => (Who::Open, KIB, Rate::Change),
        K::Guests => (Who::Open, KIB, Rate::Read),
        // A frame within its limit, of which JSON escapes every byte.
        K::GuestChat => (Who::Open, 2 * limits::GUEST_FRAME_BYTES + KIB, Rate::Write),
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

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::ConnectionId;
    use crate::testing::{Person, World, channel, user};
    use portcullis_crypto::Signature;
    use portcullis_proto::{Access, Bytes, ConversationId, TransferId};

    const POINTS: [&str; 6] =
        ["fresh", "registering", "logging in", "logged in", "open", "confirming"];

    /// A connection at this point of its session.
    fn reach(point: &str) -> (World, Person, ConnectionId) {
        let mut world = World::new();
        let mira = world.person("mira");
        let connection = match point {
            "open" | "confirming" => mira.connection,
            "registering" => world.newcomer("oleg", None).unwrap().person.connection,
            _ => world.connect(),
        };
        if ["logging in", "logged in", "confirming"].contains(&point) {
            let finish = world.begin_login(connection, "mira", &mira.password);
            if point == "logged in" {
                world.ask(connection, finish.unwrap()).unwrap();
            }
        }
        (world, mira, connection)
    }

    /// A request of each kind, made well except where it has to prove something.
    fn request(kind: RequestKind, world: &mut World, mira: &Person) -> Request {
        use RequestKind as K;
        let conversation = ConversationId::LOBBY;
        let proof = Signature::from_bytes([0; 64]);
        let (after_version, blob) = (0, TransferId::from_bytes([7; 16]));
        let empty = || Bytes(vec![]);
        match kind {
            K::RegisterStart => {
                Request::RegisterStart { name: user("nina"), invite: None, request: empty() }
            }
            K::RegisterFinish => world.newcomer("nina", None).unwrap().finish,
            K::LoginStart => Request::LoginStart { name: user("mira"), request: empty() },
            K::LoginFinish => Request::LoginFinish { finalization: Bytes(vec![7; 64]) },
            K::Open => Request::Open { device: mira.device, proof, list: None },
            K::Resume => Request::Resume { token: empty(), device: mira.device, proof },
            K::Conversations => Request::Conversations { after: None },
            K::Channels => Request::Channels { after: None },
            K::CreateChannel => {
                Request::CreateChannel { name: channel("#den"), access: Access::Open }
            }
            K::Join => Request::Join { name: channel("#lobby") },
            K::Leave => Request::Leave { conversation },
            K::Invite => Request::Invite { conversation, name: user("mira") },
            K::Submit => mira.submit(conversation, &[1]),
            K::Fetch => Request::Fetch { conversation, after: 0, limit: 1 },
            K::Users => Request::Users { after: None },
            K::AccountByName => {
                let name = user("mira");
                Request::AccountByName { name, after_version }
            }
            K::AccountById => Request::AccountById { account: mira.account, after_version },
            K::PublishList => Request::PublishList { list: mira.next_list(|_| {}) },
            K::PasswordStart => Request::PasswordStart { request: empty() },
            K::PasswordFinish => {
                Request::PasswordFinish { upload: empty(), wrapped_identity: empty() }
            }
            K::SignOut => Request::SignOut {},
            K::Commit => mira.make_group(conversation, 1, &[]),
            K::GroupInfo => Request::GroupInfo { conversation },
            K::UploadKeyPackages => Request::UploadKeyPackages { packages: vec![] },
            K::ClaimKeyPackages => Request::ClaimKeyPackages { account: mira.account },
            K::ListVersions => Request::ListVersions { accounts: vec![mira.account] },
            K::PublishClassicKey => Request::PublishClassicKey { key: empty(), proof },
            K::AllowGuests => Request::AllowGuests { allow: false },
            K::Guests => Request::Guests { after: None },
            K::ReserveBlob => Request::ReserveBlob { blob, conversation, bytes: 1 },
            K::FetchBlob => Request::FetchBlob { blob },
            K::ReleaseBlob => Request::ReleaseBlob { blob },
            K::RegisterRelayKey => Request::RegisterRelayKey { key: Bytes(vec![7; 32]) },
            K::GuestChat => {
                let (guest, device) = (mira.account, mira.device);
                Request::GuestChat { guest, device, frame: String::new() }
            }
        }
    }

    /// Said once more in other words than the table's, so that a slip in one shows in the other.
    fn has_its_place(kind: RequestKind, point: &str) -> bool {
        use RequestKind as K;
        let open = matches!(point, "open" | "confirming");
        match kind {
            K::RegisterStart | K::Resume => !open,
            K::LoginStart => true,
            K::RegisterFinish => point == "registering",
            K::LoginFinish => point == "logging in" || point == "confirming",
            K::Open => point == "logged in",
            _ => open,
        }
    }

    #[test]
    fn every_request_at_every_point_of_a_session() {
        for point in POINTS {
            for kind in RequestKind::ALL {
                let (mut world, mira, connection) = reach(point);
                let request = request(*kind, &mut world, &mira);
                assert_eq!(request.kind(), *kind);
                let result = world.attempt(connection, request);
                let refused = result == Err(Code::NotNow);
                assert_eq!(!refused, has_its_place(*kind, point), "{kind:?}, {point}");
                if refused && point == "open" {
                    let still = world.attempt(connection, Request::Users { after: None });
                    assert!(still.is_ok(), "{kind:?} ended the session");
                }
            }
        }
    }

    #[test]
    fn frames_are_read_within_their_requests_size() {
        let check = |kind: &str, bytes: usize, expected: Option<Code>| {
            let start = format!(r##"{{"id":7,"request":"{kind}","data":{{"name":"#den"}}"##);
            let text = format!("{start}{}}}", " ".repeat(bytes - start.len() - 1));
            assert_eq!(text.len(), bytes);
            let read = decode(&text).map(|(id, _)| id);
            let read = read.map_err(|(id, refusal)| (id, refusal.code));
            assert_eq!(read, expected.map_or(Ok(7), |code| Err((7, code))));
        };
        check("join", 1024, None);
        check("join", 1025, Some(Code::TooLarge));
        check("magic", 1025, Some(Code::UnknownRequest));
        check("leave", 1025, Some(Code::Malformed));
    }

    #[test]
    fn no_rule_admits_more_than_a_frame() {
        for kind in RequestKind::ALL {
            assert!(rule(*kind).bytes <= limits::CLIENT_FRAME_BYTES, "{kind:?}");
        }
    }

    #[test]
    fn the_document_shows_each_requests_size() {
        let text = include_str!("../../../docs/protocol.md");
        let (_, rates) = text.split_once("\n## Rates\n").unwrap();
        for kind in RequestKind::ALL {
            let name = format!("`{}`", kind.name());
            let row = rates.lines().find(|line| line.contains(&name)).unwrap();
            let shown = row.split('|').nth(2).unwrap().trim().replace(',', "");
            assert_eq!(shown, rule(*kind).bytes.to_string(), "{kind:?}");
        }
    }
}

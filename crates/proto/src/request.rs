//! What a client may ask. Each request has an id of the client's choice and gets exactly one reply.

use crate::bytes::fixed;
use crate::{
    Access, AccountId, Bytes, ChannelName, ConversationId, DeviceId, Draft, SignedList, Timestamp,
    TransferId, UserName,
};
use core::fmt;
use portcullis_crypto::{Hash, IdentityPublic, Signature};
use serde::{Deserialize, Serialize};

/// Declares the enum of requests, the table of their names on the wire, and their decoder together,
/// so that none of the three can miss a row.
macro_rules! requests {
    ($( $(#[$about:meta])* $variant:ident = $name:literal {
        $( $(#[$field_about:meta])* $field:ident : $type:ty ),* $(,)?
    } )*) => {
        /// A request from a client.
        #[derive(Clone, PartialEq, Serialize)]
        #[serde(tag = "request", content = "data")]
        pub enum Request {
            $( $(#[$about])* #[serde(rename = $name)] $variant {
                $( $(#[$field_about])* $field: $type ),*
            } ),*
        }

        /// The kinds of request, for tables that say what each of them may and costs.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum RequestKind {
            $( $(#[$about])* $variant ),*
        }

        impl RequestKind {
            /// All of them.
            pub const ALL: &'static [Self] = &[ $( Self::$variant ),* ];

            /// The kind with this name on the wire.
            #[must_use]
            pub fn from_name(name: &str) -> Option<Self> {
                match name {
                    $( $name => Some(Self::$variant), )*
                    _ => None,
                }
            }

            /// The kind's name on the wire.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $( Self::$variant => $name ),* }
            }

            /// Reads the request's data. Unknown, missing and repeated fields are errors.
            pub(crate) fn read(self, data: &str) -> Result<Request, serde_json::Error> {
                match self {
                    $( Self::$variant => {
                        #[derive(Deserialize)]
                        #[serde(deny_unknown_fields)]
                        struct Data { $( $(#[$field_about])* $field: $type ),* }
                        let Data { $( $field ),* } = serde_json::from_str(data)?;
                        Ok(Request::$variant { $( $field ),* })
                    } ),*
                }
            }
        }

        impl fmt::Debug for Request {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    $( Self::$variant { $( $field ),* } => f
                        .debug_struct(stringify!($variant))
                        $( .field(stringify!($field), shown(stringify!($field), $field)) )*
                        .finish(), )*
                }
            }
        }

        impl Request {
            /// Which kind it is.
            #[must_use]
            pub const fn kind(&self) -> RequestKind {
                match self { $( Self::$variant { .. } => RequestKind::$variant ),* }
            }
        }
    };
}

requests! {
    /// First step of a registration (RFC 9807 section 5): a blinded password.
    RegisterStart = "register_start" {
        /// The name wanted.
        name: UserName,
        /// An invitation code, where the server asks for one.
        #[serde(default)] invite: Option<String>,
        /// OPAQUE `RegistrationRequest`.
        request: Bytes,
    }
    /// Second step: the account's login record, identity and first device. Opens the session.
    RegisterFinish = "register_finish" {
        /// OPAQUE `RegistrationRecord`.
        upload: Bytes,
        /// The account's identity key.
        #[serde(with = "fixed")] identity: IdentityPublic,
        /// Its secret, under a key that only the password gives.
        wrapped_identity: Bytes,
        /// Version 1, with this device alone.
        list: SignedList,
        /// The device.
        device: DeviceId,
        /// Its signature over this connection's nonce.
        #[serde(with = "fixed")] proof: Signature,
    }
    /// First step of a login: OPAQUE `KE1`.
    LoginStart = "login_start" {
        /// The account's name.
        name: UserName,
        /// OPAQUE `KE1`.
        request: Bytes,
    }
    /// Second step: OPAQUE `KE3`. The account is known then, the device not yet. In an open session
    /// it confirms the password again, which a change of password asks for.
    LoginFinish = "login_finish" {
        /// OPAQUE `KE3`.
        finalization: Bytes,
    }
    /// Third step: opens the session as a device of the account, adding it to the list if it is new.
    Open = "open" {
        /// The device.
        device: DeviceId,
        /// Its signature over this connection's nonce.
        #[serde(with = "fixed")] proof: Signature,
        /// The next version of the device list, where the device is new.
        #[serde(default)] list: Option<SignedList>,
    }
    /// Opens the session by an earlier one's token, without the password.
    Resume = "resume" {
        /// The token.
        token: Bytes,
        /// The device that it was given to.
        device: DeviceId,
        /// Its signature over this connection's nonce.
        #[serde(with = "fixed")] proof: Signature,
    }
    /// The conversations that the account is in, or invited to.
    Conversations = "conversations" {
        /// The last id of the page before.
        #[serde(default)] after: Option<ConversationId>,
    }
    /// The open channels.
    Channels = "channels" {
        /// The last name of the page before.
        #[serde(default)] after: Option<ChannelName>,
    }
    /// Makes a channel; its maker is its owner.
    CreateChannel = "create_channel" {
        /// Its name.
        name: ChannelName,
        /// Who may join.
        access: Access,
    }
    /// Joins a channel: an open one, or one that the account is invited to.
    Join = "join" {
        /// Its name.
        name: ChannelName,
    }
    /// Leaves a channel.
    Leave = "leave" {
        /// Which.
        conversation: ConversationId,
    }
    /// Lets an account join a channel by invitation.
    Invite = "invite" {
        /// Which channel.
        conversation: ConversationId,
        /// Whom.
        name: UserName,
    }
    /// Says something: all envelopes or none, made for this epoch.
    Submit = "submit" {
        /// Where.
        conversation: ConversationId,
        /// The epoch for which they were made; 0 in a channel.
        epoch: u64,
        /// The device that made them; refused unless it is the session's own.
        device: DeviceId,
        /// 1 to [`crate::limits::SUBMIT_ENVELOPES`] envelopes.
        envelopes: Vec<Draft>,
    }
    /// Changes an encrypted conversation's members or their devices, or makes it: the commit, what it
    /// leaves in inboxes and what it changes in the server's own list of members, all or nothing. The
    /// epoch grows by one.
    Commit = "commit" {
        /// Where.
        conversation: ConversationId,
        /// The epoch for which it was made; 0 where it makes the conversation.
        epoch: u64,
        /// The device that made it; refused unless it is the session's own.
        device: DeviceId,
        /// What the conversation is, where this makes it.
        #[serde(default)] creates: Option<Creates>,
        /// An MLS commit.
        envelope: Draft,
        /// For the devices that it adds.
        #[serde(default)] welcome: Option<Welcome>,
        /// An MLS `GroupInfo` of the epoch that it begins, with the tree, for devices that join by
        /// themselves.
        group_info: Bytes,
        /// What it changes in the server's list of members.
        #[serde(default)] members: Members,
    }
    /// An encrypted conversation's public state, to join it by an external commit.
    GroupInfo = "group_info" {
        /// Which.
        conversation: ConversationId,
    }
    /// Key packages of this device, for others to add it with.
    UploadKeyPackages = "upload_key_packages" {
        /// At most [`crate::limits::KEY_PACKAGES`]; one of last resort replaces the one before.
        packages: Vec<KeyPackageUpload>,
    }
    /// One key package of each device of an account; each is handed out once, but the last resort.
    ClaimKeyPackages = "claim_key_packages" {
        /// Whose.
        account: AccountId,
    }
    /// The newest versions of accounts' device lists.
    ListVersions = "list_versions" {
        /// At most [`crate::limits::LIST_VERSIONS`].
        accounts: Vec<AccountId>,
    }
    /// What was said after a sequence number.
    Fetch = "fetch" {
        /// Where.
        conversation: ConversationId,
        /// The last sequence number that the client has.
        after: u64,
        /// How many envelopes at most; the server may send fewer.
        limit: u32,
    }
    /// The accounts of this server, with who is online; from then on presence is told by events.
    Users = "users" {
        /// The last name of the page before.
        #[serde(default)] after: Option<UserName>,
    }
    /// An account by its name, with its device lists.
    AccountByName = "account_by_name" {
        /// Its name.
        name: UserName,
        /// The last version of its device list that the client has verified, or 0.
        after_version: u64,
    }
    /// An account by its id, with its device lists.
    AccountById = "account_by_id" {
        /// Its id.
        account: AccountId,
        /// The last version of its device list that the client has verified, or 0.
        after_version: u64,
    }
    /// This device's key for the classroom: guests encrypt to it, and verify what it says by it.
    PublishClassicKey = "publish_classic_key" {
        /// An RSA key as DER `SubjectPublicKeyInfo`, at most [`crate::limits::CLASSIC_KEY_BYTES`].
        key: Bytes,
        /// Of the device's `auth` key, over it.
        #[serde(with = "fixed")] proof: Signature,
    }
    /// Whether classroom guests may write to this account privately.
    AllowGuests = "allow_guests" {
        /// They may.
        allow: bool,
    }
    /// The classroom guests who are here.
    Guests = "guests" {
        /// The last id of the page before.
        #[serde(default)] after: Option<AccountId>,
    }
    /// Says something to a classroom guest who is here, in the classroom's own protocol.
    GuestChat = "guest_chat" {
        /// Whom.
        guest: AccountId,
        /// The device that made it; refused unless it is the session's own.
        device: DeviceId,
        /// A `chat` that this device's classroom key has signed, at most
        /// [`crate::limits::GUEST_FRAME_BYTES`].
        frame: String,
    }
    /// Room for a transfer's sealed bytes, for the members of an encrypted conversation to collect. Asked
    /// again, it gives another token for the same.
    ReserveBlob = "reserve_blob" {
        /// The transfer.
        blob: TransferId,
        /// A direct or a group, of which the account is a member.
        conversation: ConversationId,
        /// How many bytes it will have, at least one.
        bytes: u64,
    }
    /// A token to fetch a transfer's sealed bytes with, those that have come so far and those to come.
    FetchBlob = "fetch_blob" {
        /// The transfer.
        blob: TransferId,
    }
    /// The account needs a transfer's sealed bytes no more: whose they are, drops them; everybody else
    /// has collected them.
    ReleaseBlob = "release_blob" {
        /// The transfer.
        blob: TransferId,
    }
    /// The server's relay carries packets for this key, with which the device takes part in a transfer.
    RegisterRelayKey = "register_relay_key" {
        /// An Ed25519 public key, made for this transfer.
        key: Bytes,
    }
    /// The next version of the account's own device list.
    PublishList = "publish_list" {
        /// The list.
        list: SignedList,
    }
    /// First step of a change of password, after the old one was confirmed in this session.
    PasswordStart = "password_start" {
        /// OPAQUE `RegistrationRequest` of the new password.
        request: Bytes,
    }
    /// Second step: replaces the login record; every other session's token ends.
    PasswordFinish = "password_finish" {
        /// OPAQUE `RegistrationRecord` of the new password.
        upload: Bytes,
        /// The identity key's secret, under the new password's key.
        wrapped_identity: Bytes,
    }
    /// Ends the session and its token.
    SignOut = "sign_out" {}
}

/// What kind of conversation a commit makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Creates {
    /// The direct with this account; its id is [`ConversationId::direct`].
    Direct {
        /// The other one.
        with: AccountId,
    },
    /// A group, of which the maker is the owner; its id is the maker's choice.
    Group {},
}

/// What a commit leaves in inboxes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Welcome {
    /// For which devices, at most [`crate::limits::COMMIT_DEVICES`].
    pub devices: Vec<DeviceId>,
    /// An MLS `Welcome`, at most [`crate::limits::WELCOME_BYTES`].
    pub body: Bytes,
}

/// What a commit changes in the server's list of members, which decides who may fetch and submit.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Members {
    /// Accounts that are members from now on.
    #[serde(default)]
    pub added: Vec<AccountId>,
    /// Accounts that no longer are. Everyone may take themselves out.
    #[serde(default)]
    pub removed: Vec<AccountId>,
    /// Another owner.
    #[serde(default)]
    pub owner: Option<AccountId>,
}

/// A key package for the server to hand out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyPackageUpload {
    /// An MLS `KeyPackage`, at most [`crate::limits::KEY_PACKAGE_BYTES`].
    pub package: Bytes,
    /// From when on it is not handed out any more; the package itself says the same.
    pub expires_at: Timestamp,
    /// Handed out again and again where no other is left.
    pub last_resort: bool,
}

/// What `Debug` shows of a field: an invitation code is a secret until it is used. Tokens and OPAQUE's
/// messages are [`Bytes`], which show their length alone.
fn shown<'a>(name: &str, value: &'a dyn fmt::Debug) -> &'a dyn fmt::Debug {
    if name == "invite" { &".." } else { value }
}

/// What a device signs to open a session: this connection's nonce, bound to account and device.
#[must_use]
pub fn session_proof(nonce: Hash, account: AccountId, device: DeviceId) -> Vec<u8> {
    [&nonce.as_bytes()[..], account.as_bytes(), device.as_bytes()].concat()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A small seeded source of randomness for tests in this crate.
    pub(crate) fn rng(seed: u64) -> impl portcullis_crypto::Randomness {
        use rand_core::SeedableRng as _;
        rand_chacha::ChaCha8Rng::seed_from_u64(seed)
    }

    #[test]
    fn every_kind_is_found_by_its_name() {
        for kind in RequestKind::ALL {
            assert_eq!(RequestKind::from_name(kind.name()), Some(*kind));
        }
        assert_eq!(RequestKind::from_name("magic"), None);
    }
}

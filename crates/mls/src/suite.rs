//! Which MLS it is: the suite, the extensions and the settings, each in one place.
//!
//! Extension types are of the private-use range (RFC 9420, section 17.3).

use crate::error::MlsError;
use crate::limits;
use crate::roster::Roster;
use openmls::prelude::{
    Capabilities, Ciphersuite, CredentialType, Extension, ExtensionType, Extensions, GroupContext,
    KeyPackage, Lifetime, MlsGroupJoinConfig, PURE_PLAINTEXT_WIRE_FORMAT_POLICY, ProtocolVersion,
    RequiredCapabilitiesExtension, SenderRatchetConfiguration, UnknownExtension,
};
use portcullis_proto::Timestamp;

/// The suite of all groups.
pub(crate) const SUITE: Ciphersuite = Ciphersuite::MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519;

/// The extension of the group's context that holds the [`Roster`].
const ROSTER: u16 = 0xF0C1;

/// The extension of a key package that holds its expiry: milliseconds since 1970, 8 bytes, big-endian.
const EXPIRY: u16 = 0xF0C2;

/// How every group is kept: handshakes readable (messages are always encrypted), no keys of past epochs, no resumption secrets, no padding (contents are
/// padded already), the tree inside welcomes and group information.
pub(crate) fn settings() -> MlsGroupJoinConfig {
    MlsGroupJoinConfig::builder()
        .wire_format_policy(PURE_PLAINTEXT_WIRE_FORMAT_POLICY)
        .padding_size(0)
        .max_past_epochs(0)
        .number_of_resumption_psks(0)
        .use_ratchet_tree_extension(true)
        .sender_ratchet_configuration(SenderRatchetConfiguration::new(
            limits::LATE_MESSAGES,
            limits::MISSING_MESSAGES,
        ))
        .build()
}

/// The library judges lifetimes by the clock of the machine, in old commits too, so ours have no end; a
/// key package's expiry is an extension of its own.
pub(crate) fn lifetime() -> Lifetime {
    Lifetime::init(0, u64::MAX)
}

/// What a leaf says that it understands.
pub(crate) fn capabilities() -> Capabilities {
    Capabilities::new(
        Some(&[ProtocolVersion::Mls10]),
        Some(&[SUITE]),
        Some(&[
            ExtensionType::LastResort,
            ExtensionType::Unknown(ROSTER),
            ExtensionType::Unknown(EXPIRY),
        ]),
        Some(&[]),
        Some(&[CredentialType::Basic]),
    )
}

/// The context of a group with this roster: every member has to understand rosters.
///
/// # Errors
/// [`MlsError::Internal`] if the library refuses them.
pub(crate) fn context(roster: &Roster) -> Result<Extensions<GroupContext>, MlsError> {
    Extensions::from_vec(vec![
        Extension::RequiredCapabilities(required()),
        Extension::Unknown(ROSTER, UnknownExtension(roster.encode())),
    ])
    .map_err(|_| MlsError::Internal)
}

fn required() -> RequiredCapabilitiesExtension {
    RequiredCapabilitiesExtension::new(&[ExtensionType::Unknown(ROSTER)], &[], &[])
}

/// The roster in a group's context; none if it is missing or unreadable.
pub(crate) fn roster(context: &GroupContext) -> Option<Roster> {
    Roster::decode(&context.extensions().unknown(ROSTER)?.0)
}

/// Whether a context is of our suite and version and has our extensions, and none else.
pub(crate) fn is_ours(context: &GroupContext) -> bool {
    let extensions = context.extensions();
    context.ciphersuite() == SUITE
        && context.protocol_version() == ProtocolVersion::Mls10
        && extensions.iter().count() == 2
        && extensions.unknown(ROSTER).is_some()
        && extensions.required_capabilities() == Some(&required())
}

/// The extensions of a key package that expires then.
///
/// # Errors
/// [`MlsError::Internal`] if the library refuses them.
pub(crate) fn package_extensions(
    expires_at: Timestamp,
) -> Result<Extensions<KeyPackage>, MlsError> {
    let bytes = expires_at.0.to_be_bytes().to_vec();
    Extensions::single(Extension::Unknown(EXPIRY, UnknownExtension(bytes)))
        .map_err(|_| MlsError::Internal)
}

/// When a key package expires; none if it doesn't say so as ours do.
pub(crate) fn expiry(package: &KeyPackage) -> Option<Timestamp> {
    let bytes = &package.extensions().unknown(EXPIRY)?.0;
    Some(Timestamp(u64::from_be_bytes(bytes.as_slice().try_into().ok()?)))
}

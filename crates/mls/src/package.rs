//! Key packages: what others need to add this device while it is away (RFC 9420, section 10).
//!
//! Each can be used once, except one of the last resort. When one expires is said by an extension of our
//! own, which the caller judges by the time that it is given (decision 0011).

use crate::error::MlsError;
use crate::group::Mls;
use crate::leaf::Leaf;
use crate::limits;
use crate::provider::Provider;
use crate::records::Kind;
use crate::suite;
use crate::view::KeyPackageView;
use openmls::prelude::tls_codec::DeserializeBytes;
use openmls::prelude::{
    KeyPackage, KeyPackageBundle, KeyPackageIn, KeyPackageVerifyError, MlsMessageBodyIn,
    MlsMessageIn, MlsMessageOut, ProtocolVersion,
};
use openmls_traits::OpenMlsProvider;
use portcullis_proto::Timestamp;

impl Mls {
    /// Makes a key package and keeps its private part: about 300 bytes to be handed to the server.
    ///
    /// # Errors
    /// [`MlsError::Internal`] if the library fails.
    pub fn key_package(
        &mut self,
        expires_at: Timestamp,
        last_resort: bool,
    ) -> Result<Vec<u8>, MlsError> {
        let mut builder = KeyPackage::builder()
            .key_package_lifetime(suite::lifetime())
            .key_package_extensions(suite::package_extensions(expires_at)?)
            .leaf_node_capabilities(suite::capabilities());
        if last_resort {
            builder = builder.mark_as_last_resort();
        }
        let bundle = builder
            .build(suite::SUITE, &self.provider, &self.signer, self.own.credential())
            .map_err(|_| MlsError::Internal)?;
        let message = MlsMessageOut::from(bundle.into_key_package());
        message.to_bytes().map_err(|_| MlsError::Internal)
    }

    /// Forgets the private parts of own key packages that expired some days ago, so that whoever steals
    /// this state can't open the welcomes of old.
    pub fn forget_expired(&mut self, now: Timestamp) {
        let wanted = |bundle: &KeyPackageBundle| {
            let expiry = suite::expiry(bundle.key_package());
            let kept = |at: Timestamp| at.plus_millis(limits::KEY_PACKAGE_GRACE_MILLIS) > now;
            expiry.is_some_and(kept)
        };
        self.provider.records.retain(Kind::KeyPackage, wanted);
    }

    /// What a key package of another device says, after its signatures, suite and capabilities were
    /// checked. Whether it may be used is for the caller to say.
    ///
    /// # Errors
    /// [`MlsError::Malformed`], [`MlsError::UnsupportedSuite`], or [`MlsError::NotAuthentic`] if a
    /// signature doesn't hold.
    pub fn read_key_package(&self, bytes: &[u8]) -> Result<KeyPackageView, MlsError> {
        let package = parse(&self.provider, bytes)?;
        Ok(KeyPackageView {
            leaf: Leaf::of_node(package.leaf_node())?,
            expires_at: suite::expiry(&package).ok_or(MlsError::Malformed)?,
            last_resort: package.last_resort(),
        })
    }
}

/// Reads a key package and checks all that needs no time.
pub(crate) fn parse(provider: &Provider, bytes: &[u8]) -> Result<KeyPackage, MlsError> {
    let message =
        MlsMessageIn::tls_deserialize_exact_bytes(bytes).map_err(|_| MlsError::Malformed)?;
    let MlsMessageBodyIn::KeyPackage(package) = message.extract() else {
        return Err(MlsError::Malformed);
    };
    let package = validate(provider, package)?;
    if package.ciphersuite() != suite::SUITE {
        return Err(MlsError::UnsupportedSuite);
    }
    if !is_ours(&package) {
        return Err(MlsError::Malformed);
    }
    Ok(package)
}

fn validate(provider: &Provider, package: KeyPackageIn) -> Result<KeyPackage, MlsError> {
    let validated = package.validate(provider.crypto(), ProtocolVersion::Mls10);
    validated.map_err(|error| match error {
        KeyPackageVerifyError::InvalidSignature
        | KeyPackageVerifyError::InvalidLeafNodeSignature => MlsError::NotAuthentic,
        KeyPackageVerifyError::InvalidProtocolVersion => MlsError::UnsupportedSuite,
        _ => MlsError::Malformed,
    })
}

/// Whether a key package is as every device of ours makes it: the same capabilities, no end to its
/// lifetime (any other would be judged by each reader's own clock, and differently), its expiry said.
pub(crate) fn is_ours(package: &KeyPackage) -> bool {
    *package.leaf_node().capabilities() == suite::capabilities()
        && *package.life_time() == suite::lifetime()
        && suite::expiry(package).is_some()
        && Leaf::of_node(package.leaf_node()).is_ok()
}

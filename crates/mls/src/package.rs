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
use std::cell::{Cell, RefCell};

impl Mls {
    /// Makes a key package and keeps its private part: 322 bytes (324 of the last resort) to be handed to the server.
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
    /// this state can't open the welcomes of old; and of those for one use all but so many, the first to
    /// expire first.
    pub fn forget_packages(&mut self, now: Timestamp, most: usize) {
        let single = RefCell::new(Vec::new());
        let lasts = |bundle: &KeyPackageBundle| {
            let package = bundle.key_package();
            let expiry = suite::expiry(package);
            let kept = |at: &Timestamp| at.plus_millis(limits::KEY_PACKAGE_GRACE_MILLIS) > now;
            let expiry = expiry.filter(kept);
            single.borrow_mut().extend(expiry.filter(|_| !package.last_resort()));
            expiry.is_some()
        };
        self.provider.records.retain(Kind::KeyPackage, lasts);
        let mut single = single.into_inner();
        single.sort_unstable_by(|one, other| other.cmp(one));
        let excess = single.split_off(most.min(single.len()));
        let Some(newest) = excess.first().copied() else {
            return;
        };
        // Of those that expire together, as many as there is room for.
        let room = Cell::new(single.iter().filter(|expiry| **expiry == newest).count());
        let fits = || room.get() > 0 && room.replace(room.get().saturating_sub(1)) > 0;
        let wanted = |bundle: &KeyPackageBundle| {
            let package = bundle.key_package();
            let expiry = suite::expiry(package);
            package.last_resort() || expiry > Some(newest) || (expiry == Some(newest) && fits())
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::Changes;
    use crate::testing::{
        LATER, Rogue, TALK, credential, damaged, leaf, mls, package_builder, roster,
    };
    use openmls::prelude::{
        Capabilities, CredentialWithKey, Extension, Extensions, KeyPackageBuilder, Lifetime,
        UnknownExtension,
    };

    #[test]
    fn a_key_package_says_whose_it_is_and_how_long() {
        for last_resort in [true, false] {
            let bytes = mls(2).key_package(LATER, last_resort).unwrap();
            let expected = KeyPackageView { leaf: leaf(2), expires_at: LATER, last_resort };
            assert_eq!(mls(1).read_key_package(&bytes), Ok(expected));
            assert!(bytes.len() <= 324, "{}", bytes.len());
        }
        let mut bob = mls(2);
        let two = [bob.key_package(LATER, false), bob.key_package(LATER, false)];
        assert_ne!(two[0], two[1]);
    }

    #[test]
    fn a_key_package_that_was_changed_is_refused() {
        let bytes = mls(2).key_package(LATER, false).unwrap();
        for bytes in damaged(&bytes) {
            assert!(mls(1).read_key_package(&bytes).is_err(), "{bytes:x?}");
        }
        assert_eq!(mls(1).read_key_package(b"package"), Err(MlsError::Malformed));
    }

    #[test]
    fn a_key_package_that_no_client_of_ours_makes_is_refused() {
        fn check(
            change: impl FnOnce(KeyPackageBuilder) -> KeyPackageBuilder,
            credential: CredentialWithKey,
            expected: MlsError,
        ) {
            let package = Rogue { credential, ..Rogue::new(3) }.package(change(package_builder()));
            let bytes = MlsMessageOut::from(package).to_bytes().unwrap();
            assert_eq!(mls(1).read_key_package(&bytes), Err(expected));
            let mut alice = mls(1);
            alice.create(TALK, &roster(&[1])).unwrap();
            let changes = Changes { add: vec![bytes], ..Changes::default() };
            assert_eq!(alice.commit(TALK, &changes), Err(expected));
        }
        let malformed = MlsError::Malformed;
        let own = || leaf(3).credential();
        check(|builder| builder, credential(&[3; 31], 3), malformed);
        check(|builder| builder.key_package_lifetime(Lifetime::new(60)), own(), malformed);
        check(|builder| builder.key_package_lifetime(Lifetime::init(0, 1)), own(), malformed);
        check(|builder| builder.key_package_extensions(Extensions::default()), own(), malformed);
        let short = Extension::Unknown(0xF0C2, UnknownExtension(vec![0; 7]));
        let short = Extensions::single(short).unwrap();
        check(|builder| builder.key_package_extensions(short), own(), malformed);
        check(|builder| builder.leaf_node_capabilities(Capabilities::default()), own(), malformed);
    }

    #[test]
    fn a_key_package_of_another_suite_is_refused() {
        use openmls::prelude::Ciphersuite;
        let other = Ciphersuite::MLS_128_DHKEMX25519_CHACHA20POLY1305_SHA256_Ed25519;
        let rogue = Rogue::new(3);
        let bundle = package_builder()
            .leaf_node_capabilities(Capabilities::default())
            .key_package_extensions(Extensions::default())
            .build(other, &rogue.provider, &rogue.signer, leaf(3).credential())
            .unwrap();
        let bytes = MlsMessageOut::from(bundle.into_key_package()).to_bytes().unwrap();
        assert_eq!(mls(1).read_key_package(&bytes), Err(MlsError::UnsupportedSuite));
    }

    #[test]
    fn private_parts_are_forgotten_some_days_after_they_expire() {
        fn check(now: Timestamp, remain: bool) {
            let (mut alice, mut bob) = (mls(1), mls(2));
            alice.create(TALK, &roster(&[1, 2])).unwrap();
            let package = bob.key_package(LATER, true).unwrap();
            let changes = Changes { add: vec![package], ..Changes::default() };
            let welcome = alice.commit(TALK, &changes).unwrap().welcome.unwrap();
            bob.take_writes();
            bob.forget_packages(now, 1);
            assert_eq!(bob.take_writes().is_empty(), remain);
            let expected = if remain { Ok(TALK) } else { Err(MlsError::NoKeyPackage) };
            assert_eq!(bob.join_welcome(&welcome), expected);
        }
        let last = LATER.plus_millis(limits::KEY_PACKAGE_GRACE_MILLIS);
        check(Timestamp(0), true);
        check(LATER, true);
        check(Timestamp(last.0 - 1), true);
        check(last, false);
        check(Timestamp(u64::MAX), false);
    }

    #[test]
    fn so_many_private_parts_are_kept_and_the_last_of_them() {
        let day = |day: u64| LATER.plus_millis(day * 24 * 3600 * 1000);
        let mut bob = mls(2);
        let mut made = vec![bob.key_package(day(0), true).unwrap()];
        made.extend([1, 2, 2, 2, 3].map(|at| bob.key_package(day(at), false).unwrap()));
        bob.forget_packages(Timestamp(0), 5);
        bob.take_writes();
        bob.forget_packages(Timestamp(0), 5);
        assert_eq!(bob.take_writes(), [], "there was room for all");
        bob.forget_packages(Timestamp(0), 3);
        assert_eq!(bob.take_writes().len(), 2);
        let opens = |package: &Vec<u8>| {
            let mut alice = mls(1);
            alice.create(TALK, &roster(&[1, 2])).unwrap();
            let changes = Changes { add: vec![package.clone()], ..Changes::default() };
            let welcome = alice.commit(TALK, &changes).unwrap().welcome.unwrap();
            bob.peek_welcome(&welcome).is_ok()
        };
        let kept: Vec<bool> = made.iter().map(opens).collect();
        assert_eq!((kept[0], kept[1], kept[5]), (true, false, true));
        assert_eq!(kept[2..5].iter().filter(|kept| **kept).count(), 2);
    }
}

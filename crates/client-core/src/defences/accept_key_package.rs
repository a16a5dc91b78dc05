//! A key package is used only for the device that its account's signed list gives this key, and only
//! while it is fresh.
//!
//! Attack: the server hands out a key package of its own making, somebody else's, one of a device that
//! was removed, or an old one whose secret it may have found since.
//! CWE-345, insufficient verification of data authenticity.
//! Precedent: RFC 9420 section 16.8 (what a delivery service can do by choosing key packages); the
//! Marmot development kit's finding (2025) that every package was of last resort.

use crate::encrypted::{Offered, PackageRefused};
use portcullis_proto::Timestamp;

/// Proof that a key package may be used.
#[derive(Debug, Clone, Copy)]
pub struct PackageAccepted(());

impl PackageAccepted {
    /// For the range's unsound twins: without any check.
    #[must_use]
    pub const fn unproven() -> Self {
        Self(())
    }
}

/// Compares a key package with the signed list and the clock.
///
/// # Errors
/// [`PackageRefused`], with the reason.
pub fn accept_key_package(
    offered: &Offered<'_>,
    now: Timestamp,
) -> Result<PackageAccepted, PackageRefused> {
    let package = offered.package.ok_or(PackageRefused::Broken)?;
    let leaf = &package.leaf;
    if (leaf.account, leaf.device) != (offered.account, offered.device) {
        return Err(PackageRefused::NotTheirs);
    }
    let entry = offered.list.and_then(|list| list.in_use(leaf.device));
    if entry.is_none_or(|entry| entry.leaf != leaf.key) {
        return Err(PackageRefused::Unlisted);
    }
    if package.expires_at <= now {
        return Err(PackageRefused::Expired);
    }
    Ok(PackageAccepted(()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::encrypted::Lists as _;
    use crate::encrypted::testing::{MIRA, OLEG, Scene, leaf};
    use portcullis_mls::{KeyPackageView, Leaf};
    use portcullis_proto::DeviceId;

    fn check(of: Leaf, expires_at: u64, expected: Option<PackageRefused>) {
        let scene = Scene::group();
        let expires_at = Timestamp(expires_at);
        let package = KeyPackageView { leaf: of, expires_at, last_resort: false };
        let offered = Offered {
            account: OLEG,
            device: DeviceId::from_bytes(*leaf(OLEG, 2).device.as_bytes()),
            package: Some(&package),
            list: scene.lists.list(OLEG),
        };
        assert_eq!(accept_key_package(&offered, Timestamp(100)).err(), expected);
        let unknown = Offered { list: None, ..offered };
        assert!(accept_key_package(&unknown, Timestamp(100)).is_err());
        let broken = Offered { package: None, ..offered };
        let refused = accept_key_package(&broken, Timestamp(100)).err();
        assert_eq!(refused, Some(PackageRefused::Broken));
    }

    #[test]
    fn only_fresh_packages_of_listed_devices() {
        check(leaf(OLEG, 2), 101, None);
        check(leaf(OLEG, 2), 100, Some(PackageRefused::Expired));
        check(leaf(OLEG, 1), 101, Some(PackageRefused::NotTheirs));
        check(leaf(MIRA, 1), 101, Some(PackageRefused::NotTheirs));
        let forged = Leaf { key: leaf(OLEG, 9).key, ..leaf(OLEG, 2) };
        check(forged, 101, Some(PackageRefused::Unlisted));
    }

    #[test]
    fn a_revoked_device_gets_no_new_keys() {
        let scene = Scene::group();
        let gone = leaf(OLEG, 3);
        let package = KeyPackageView { leaf: gone, expires_at: Timestamp(101), last_resort: false };
        let offered = Offered {
            account: OLEG,
            device: gone.device,
            package: Some(&package),
            list: scene.lists.list(OLEG),
        };
        let refused = accept_key_package(&offered, Timestamp(100)).err();
        assert_eq!(refused, Some(PackageRefused::Unlisted));
    }
}

//! This device's key packages: a stock on the server, so that others can add the device while it is
//! away, and one of last resort for when the stock is used up.

use crate::client::{Client, Pending, Step};
use crate::limits;
use crate::show::Warning;
use portcullis_proto::{Bytes, KeyPackageUpload, Request, Stock, Timestamp, limits as wire};

impl Client {
    /// Fills the stock up where it runs low, and replaces a last resort that was used.
    pub(crate) fn fill_stock(&mut self, step: &mut Step<'_>, stock: Stock) {
        if self.pending.values().any(|pending| *pending == Pending::Upload) {
            // What is on its way fills it up, whatever the server says meanwhile.
            return;
        }
        self.mls.forget_packages(step.now, limits::KEY_PACKAGES_KEPT);
        // With the one of last resort it is what the server takes.
        let full = self.config.stock.min(wire::KEY_PACKAGES - 1);
        let left = stock.left as usize;
        let low = left < full.div_ceil(limits::KEY_PACKAGES_LOW);
        let missing = if low { full - left } else { 0 };
        let expires_at = step.now.plus_millis(limits::KEY_PACKAGE_MILLIS);
        let resort = (!stock.last_resort).then_some(true);
        let wanted = resort.into_iter().chain(std::iter::repeat_n(false, missing));
        let mut packages = Vec::new();
        for last_resort in wanted {
            match self.key_package(expires_at, last_resort) {
                Some(package) => packages.push(package),
                None => return step.warn(None, Warning::Nonsense),
            }
        }
        if !packages.is_empty() {
            self.ask(step, Request::UploadKeyPackages { packages }, Pending::Upload);
        }
    }

    fn key_package(
        &mut self,
        expires_at: Timestamp,
        last_resort: bool,
    ) -> Option<KeyPackageUpload> {
        let package = Bytes(self.mls.key_package(expires_at, last_resort).ok()?);
        Some(KeyPackageUpload { package, expires_at, last_resort })
    }
}

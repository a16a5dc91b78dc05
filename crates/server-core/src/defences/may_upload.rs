//! A file is taken only where guests are, and only as much as there is room for.
//!
//! Attack: somebody without an account fills the disk, or takes every place by sending many files at
//! once, or without end, or one byte at a time.
//! CWE-770, allocation of resources without limits or throttling; CWE-400.
//! Precedent: CVE-2023-24998 (Apache Commons FileUpload: no bound on what one request may bring); OWASP
//! API4:2023.

use crate::limits::{
    UPLOAD_FILE_BYTES, UPLOAD_FILES, UPLOAD_QUOTA_BYTES, UPLOAD_TOKEN_BYTES, UPLOADS_AT_ONCE,
    UPLOADS_AT_ONCE_EACH,
};
use crate::{Peer, Rate, RateKey, RateLimits};
use portcullis_proto::{Code, Refusal, Timestamp};

/// What the operator has configured.
#[derive(Debug, Clone)]
pub struct UploadPolicy {
    /// Guests are admitted at all.
    pub guests: bool,
    /// Bytes of one file.
    pub file_bytes: u64,
    /// Bytes of all files together, those that are still coming included.
    pub quota_bytes: u64,
    /// Files at one time.
    pub files: usize,
    /// Files that may be coming at once.
    pub at_once: usize,
    /// Those of one address.
    pub at_once_each: usize,
    /// Multiplies the rate; 1 but for load tests.
    pub rate_factor: u32,
}

impl Default for UploadPolicy {
    /// Nobody may; whoever admits guests says so.
    fn default() -> Self {
        Self {
            guests: false,
            file_bytes: UPLOAD_FILE_BYTES,
            quota_bytes: UPLOAD_QUOTA_BYTES,
            files: UPLOAD_FILES,
            at_once: UPLOADS_AT_ONCE,
            at_once_each: UPLOADS_AT_ONCE_EACH,
            rate_factor: 1,
        }
    }
}

/// What is taken already.
#[derive(Debug, Clone, Copy, Default)]
pub struct UploadUsage {
    /// Bytes of the files, and those that were promised to files that are coming.
    pub bytes: u64,
    /// Files, those that are coming included.
    pub files: usize,
    /// Files that are coming.
    pub coming: usize,
    /// Those of the address that asks.
    pub coming_from_here: usize,
}

/// Who asks for how much.
#[derive(Debug, Clone, Copy)]
pub struct UploadAsked {
    /// Where the request comes from.
    pub from: Peer,
    /// Bytes of the request's body, if it says so beforehand.
    pub body: Option<u64>,
    /// Bytes of it that may be around the file: those of a form.
    pub around: u64,
    /// The time.
    pub now: Timestamp,
}

/// Proof that a file may come, and how long it may get.
#[derive(Debug, PartialEq, Eq)]
pub struct MayUpload {
    most: u64,
}

impl MayUpload {
    /// Bytes that it may have, and that are promised to it until it is there.
    #[must_use]
    pub const fn most(&self) -> u64 {
        self.most
    }

    /// For the range's unsound twins: without any check.
    #[must_use]
    pub const fn unproven(most: u64) -> Self {
        Self { most }
    }
}

/// Promises room for a file, and takes it from what its address may send in an hour. [`spare_upload`]
/// gives back what it didn't need.
///
/// # Errors
/// [`Code::Forbidden`] where guests aren't admitted, [`Code::TooLarge`], [`Code::Unavailable`] where there
/// is no room, [`Code::RateLimited`].
pub fn may_upload(
    policy: &UploadPolicy,
    usage: &UploadUsage,
    limits: &mut RateLimits,
    asked: &UploadAsked,
) -> Result<MayUpload, Refusal> {
    if !policy.guests {
        return Err(Refusal::new(Code::Forbidden, "files are not taken here"));
    }
    let least = asked.body.unwrap_or(0).saturating_sub(asked.around);
    if least > policy.file_bytes {
        return Err(Refusal::new(Code::TooLarge, "this file is too large"));
    }
    if usage.coming >= policy.at_once || usage.coming_from_here >= policy.at_once_each {
        return Err(Refusal::rate_limited(SOON_MILLIS));
    }
    let most = asked.body.unwrap_or(u64::MAX).min(policy.file_bytes);
    if usage.files >= policy.files || usage.bytes.saturating_add(most) > policy.quota_bytes {
        return Err(Refusal::new(Code::Unavailable, "there is no room for more files today"));
    }
    let taken = limits.take(
        bucket(asked.from),
        tokens(most).saturating_add(1),
        policy.rate_factor,
        asked.now,
    );
    taken.map_err(Refusal::rate_limited)?;
    Ok(MayUpload { most })
}

/// Gives back what was taken for a file that turned out to have only so many `bytes`.
pub fn spare_upload(limits: &mut RateLimits, from: Peer, may: &MayUpload, bytes: u64) {
    limits.give_back(bucket(from), tokens(may.most).saturating_sub(tokens(bytes)));
}

/// When to come again where only too many are coming at once.
const SOON_MILLIS: u64 = 2_000;

const fn bucket(from: Peer) -> (Rate, RateKey) {
    (Rate::Upload, RateKey::Address(from.address()))
}

fn tokens(bytes: u64) -> u32 {
    u32::try_from(bytes.div_ceil(UPLOAD_TOKEN_BYTES)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::defences::{Defences, SOUND};

    const KIB: u64 = 1024;
    const ROOMY: UploadUsage = UploadUsage { bytes: 0, files: 0, coming: 0, coming_from_here: 0 };

    fn policy() -> UploadPolicy {
        UploadPolicy {
            guests: true,
            file_bytes: 100 * KIB,
            quota_bytes: 1000 * KIB,
            files: 5,
            at_once: 4,
            at_once_each: 2,
            rate_factor: 1,
        }
    }

    fn ask(defences: Defences, usage: UploadUsage, body: Option<u64>) -> Result<u64, Code> {
        let asked = UploadAsked { from: Peer::loopback(), body, around: KIB, now: Timestamp(0) };
        let may = (defences.may_upload)(&policy(), &usage, &mut RateLimits::default(), &asked);
        may.map(|may| may.most()).map_err(|refusal| refusal.code)
    }

    fn check(usage: UploadUsage, body: Option<u64>, expected: Result<u64, Code>) {
        assert_eq!(ask(SOUND, usage, body), expected, "{usage:?} {body:?}");
    }

    #[test]
    fn a_file_gets_the_room_that_there_is() {
        check(ROOMY, Some(0), Ok(0));
        check(ROOMY, Some(7), Ok(7));
        check(ROOMY, Some(100 * KIB), Ok(100 * KIB));
        check(ROOMY, Some(101 * KIB), Ok(100 * KIB));
        check(ROOMY, Some(101 * KIB + 1), Err(Code::TooLarge));
        check(ROOMY, Some(u64::MAX), Err(Code::TooLarge));
        check(ROOMY, None, Ok(100 * KIB));
        let filled = |kib| UploadUsage { bytes: kib * KIB, ..ROOMY };
        check(filled(900), Some(100 * KIB), Ok(100 * KIB));
        check(filled(901), Some(100 * KIB), Err(Code::Unavailable));
        check(filled(901), None, Err(Code::Unavailable));
        check(filled(901), Some(7), Ok(7));
        check(UploadUsage { bytes: u64::MAX, ..ROOMY }, Some(7), Err(Code::Unavailable));
        check(UploadUsage { files: 4, ..ROOMY }, Some(7), Ok(7));
        check(UploadUsage { files: 5, ..ROOMY }, Some(7), Err(Code::Unavailable));
    }

    #[test]
    fn nobody_takes_every_place() {
        let coming = |coming, coming_from_here| UploadUsage { coming, coming_from_here, ..ROOMY };
        check(coming(3, 1), Some(7), Ok(7));
        check(coming(4, 0), Some(7), Err(Code::RateLimited));
        check(coming(3, 2), Some(7), Err(Code::RateLimited));
    }

    #[test]
    fn nobody_may_where_there_are_no_guests() {
        let (nobodys, mut limits) = (UploadPolicy::default(), RateLimits::default());
        let asked =
            UploadAsked { from: Peer::loopback(), body: Some(7), around: 0, now: Timestamp(0) };
        let refused = may_upload(&nobodys, &ROOMY, &mut limits, &asked).map_err(|error| error.code);
        assert_eq!(refused, Err(Code::Forbidden));
    }

    /// How many files of `bytes` one address sends at once before it has to wait.
    fn sent(bytes: u64, needed: u64) -> usize {
        let (policy, mut limits) = (policy(), RateLimits::default());
        let asked =
            UploadAsked { from: Peer::loopback(), body: Some(bytes), around: 0, now: Timestamp(0) };
        let send = |_: &usize| {
            let may = may_upload(&policy, &ROOMY, &mut limits, &asked);
            may.map(|may| spare_upload(&mut limits, asked.from, &may, needed)).is_ok()
        };
        (0..10_000).take_while(send).count()
    }

    #[test]
    fn an_address_sends_so_much_in_an_hour() {
        assert_eq!(sent(0, 0), 4096);
        assert_eq!(sent(64 * KIB, 64 * KIB), 2048);
        assert_eq!(sent(64 * KIB, 0), 4095); // the last one's room can't be lent any more
    }

    #[test]
    fn without_the_checks_there_is_room_for_anything() {
        let unsound =
            Defences { may_upload: |_, _, _, _| Ok(MayUpload::unproven(u64::MAX)), ..SOUND };
        let full =
            UploadUsage { bytes: u64::MAX, files: 1 << 20, coming: 99, coming_from_here: 99 };
        assert_eq!(ask(unsound, full, None), Ok(u64::MAX));
    }
}

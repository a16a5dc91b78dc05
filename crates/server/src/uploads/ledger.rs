//! Which files there are, and what is promised to those that are coming. In memory; the folder holds the
//! same, and a start reads it anew.

use std::collections::HashMap;

use portcullis_proto::{Refusal, Timestamp};
use portcullis_server_core::Peer;
use portcullis_server_core::RateLimits;
use portcullis_server_core::defences::{
    MayUpload, SOUND, UploadAsked, UploadName, UploadPolicy, UploadUsage, spare_upload,
};

/// A file that is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) bytes: u64,
    pub(super) expires_at: Timestamp,
}

/// Everything that is counted. Whoever is admitted has to be settled, whatever becomes of the file.
#[derive(Default)]
pub(super) struct Ledger {
    files: HashMap<String, Entry>,
    /// Bytes of the files, and those promised.
    bytes: u64,
    /// How many files are coming, by who sends them.
    coming: HashMap<Peer, usize>,
    limits: RateLimits,
}

impl Ledger {
    /// Promises room for a file.
    pub(super) fn admit(
        &mut self,
        policy: &UploadPolicy,
        asked: &UploadAsked,
    ) -> Result<MayUpload, Refusal> {
        let coming = self.coming.values().sum();
        let usage = UploadUsage {
            bytes: self.bytes,
            files: self.files.len() + coming,
            coming,
            coming_from_here: self.coming.get(&asked.from).copied().unwrap_or(0),
        };
        let may = (SOUND.may_upload)(policy, &usage, &mut self.limits, asked)?;
        self.bytes += may.most();
        *self.coming.entry(asked.from).or_default() += 1;
        Ok(may)
    }

    /// Ends what was promised: `sent` bytes have come.
    pub(super) fn settle(&mut self, from: Peer, may: &MayUpload, sent: u64) {
        self.bytes = self.bytes.saturating_sub(may.most());
        spare_upload(&mut self.limits, from, may, sent);
        if let Some(coming) = self.coming.get_mut(&from) {
            *coming -= 1;
            if *coming == 0 {
                self.coming.remove(&from);
            }
        }
    }

    /// Notes a file that is there.
    pub(super) fn add(&mut self, name: &UploadName, entry: Entry) {
        self.note(name.as_str().to_owned(), entry);
    }

    /// Notes a file that a start has found.
    pub(super) fn note(&mut self, name: String, entry: Entry) {
        self.bytes += entry.bytes;
        self.files.insert(name, entry);
    }

    /// The file that an address names. The name comes from outside and is compared, nothing else.
    pub(super) fn find(&self, name: &str, now: Timestamp) -> Option<Entry> {
        self.files.get(name).copied().filter(|entry| entry.expires_at > now)
    }

    /// Forgets the expired files, and names them.
    pub(super) fn expire(&mut self, now: Timestamp) -> Vec<String> {
        let expired = self.files.extract_if(|_, entry| entry.expires_at <= now);
        let mut names = Vec::new();
        for (name, entry) in expired {
            self.bytes = self.bytes.saturating_sub(entry.bytes);
            names.push(name);
        }
        names
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]
mod tests {
    use super::*;
    use portcullis_proto::Code;

    fn policy() -> UploadPolicy {
        UploadPolicy {
            guests: true,
            file_bytes: 60,
            quota_bytes: 100,
            files: 3,
            at_once: 2,
            ..UploadPolicy::default()
        }
    }

    const HERE: Peer = Peer::loopback();

    fn ask(ledger: &mut Ledger, body: Option<u64>) -> Result<MayUpload, Code> {
        let asked = UploadAsked { from: HERE, body, around: 0, now: Timestamp(0) };
        ledger.admit(&policy(), &asked).map_err(|refusal| refusal.code)
    }

    fn entry(bytes: u64, expires_at: u64) -> Entry {
        Entry { bytes, expires_at: Timestamp(expires_at) }
    }

    #[test]
    fn what_is_promised_is_taken_until_it_is_settled() {
        let mut ledger = Ledger::default();
        let first = ask(&mut ledger, Some(50)).unwrap();
        assert_eq!(ask(&mut ledger, None), Err(Code::Unavailable));
        let second = ask(&mut ledger, Some(50)).unwrap();
        assert_eq!(ask(&mut ledger, Some(0)), Err(Code::RateLimited));
        ledger.settle(HERE, &second, 0);
        let third = ask(&mut ledger, Some(50)).unwrap();
        ledger.settle(HERE, &first, 50);
        ledger.settle(HERE, &third, 50);
        assert!(ledger.coming.is_empty());
        assert_eq!(ledger.bytes, 0);
    }

    #[test]
    fn files_take_room_until_they_expire() {
        let mut ledger = Ledger::default();
        ledger.note("a".to_owned(), entry(30, 10));
        ledger.note("b".to_owned(), entry(50, 20));
        assert_eq!(ask(&mut ledger, Some(21)), Err(Code::Unavailable));
        assert_eq!(ledger.expire(Timestamp(9)), Vec::<String>::new());
        assert_eq!(ledger.expire(Timestamp(10)), ["a"]);
        assert_eq!(ask(&mut ledger, Some(21)).map(|may| may.most()), Ok(21));
        assert_eq!(ask(&mut ledger, Some(0)).map(|may| may.most()), Ok(0));
    }

    #[test]
    fn an_expired_file_is_gone_before_it_is_swept() {
        let check = |name: &str, now: u64, expected: Option<Entry>| {
            let mut ledger = Ledger::default();
            ledger.note("a".to_owned(), entry(30, 10));
            assert_eq!(ledger.find(name, Timestamp(now)), expected, "{name} at {now}");
        };
        check("a", 9, Some(entry(30, 10)));
        check("a", 10, None);
        check("A", 9, None);
        check("../a", 9, None);
        check("", 9, None);
    }
}

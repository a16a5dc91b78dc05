//! Making commits: key packages are claimed, the commit is made and kept, then it is sent until the log
//! shows it, or another one in its place.

use super::plan::Wanted;
use super::{Claim, Entry, OwnCommit};
use crate::client::{Client, Pending, Step};
use crate::defences::CommitRefused;
use crate::defences::Offered;
use crate::effect::Key;
use crate::limits;
use crate::log::Taken;
use crate::promised::Promise;
use crate::show::{GroupWarning, Show};
use portcullis_mls::{Changes, Made};
use portcullis_proto::{
    AccountId, Bytes, ClaimedPackage, ClientFrame, Code, ConversationId, Creates, DeviceId, Draft,
    Envelope, Reference, Refusal, Request, Welcome, decode_request,
};

impl Client {
    /// Makes a conversation's keys. The server hears of it with the first commit.
    pub(crate) fn create_group(&mut self, step: &mut Step<'_>, id: ConversationId) {
        let Some(roster) = self.first_roster(id) else {
            return;
        };
        if self.mls.create(id, &roster).is_err() {
            return self.put_off(step, id, limits::RETRY_MILLIS);
        }
        self.advance(step, id);
    }

    /// Makes the commit, once the key packages that it needs are here.
    pub(crate) fn make_commit(&mut self, step: &mut Step<'_>, id: ConversationId, wanted: &Wanted) {
        let Some(packages) = self.claimed(step, id, &wanted.add) else {
            return;
        };
        let devices: Vec<DeviceId> = packages.iter().map(|(device, _)| *device).collect();
        let changes = Changes {
            add: packages.into_iter().map(|(_, package)| package).collect(),
            remove: wanted.remove.clone(),
            roster: wanted.roster.clone(),
        };
        let Ok(made) = self.mls.commit(id, &changes) else {
            if let Some(encrypted) = self.encrypted_mut(id) {
                encrypted.claims.clear();
            }
            return self.put_off(step, id, limits::RETRY_MILLIS);
        };
        let creates = self.creates(id);
        self.keep_commit(step, id, made, |request| {
            if let Request::Commit { creates: to_create, welcome, members, .. } = request {
                *to_create = creates;
                members.clone_from(&wanted.members);
                if let Some(welcome) = welcome {
                    welcome.devices = devices;
                }
            }
        });
    }

    /// Keeps a commit that was made, and sends it.
    pub(crate) fn keep_commit(
        &mut self,
        step: &mut Step<'_>,
        id: ConversationId,
        made: Made,
        complete: impl FnOnce(&mut Request),
    ) {
        let reference = Reference::fresh(step.now, step.rng);
        let Some(device) = self.own_device() else {
            return;
        };
        let Some(encrypted) = self.encrypted_mut(id) else {
            return;
        };
        let epoch = encrypted.epoch;
        let welcome = made.welcome.map(|body| Welcome { devices: Vec::new(), body: Bytes(body) });
        let mut request = Request::Commit {
            conversation: id,
            epoch,
            device,
            creates: None,
            envelope: Draft { reference, body: Bytes(made.commit) },
            welcome,
            group_info: Bytes(made.group_info),
            members: portcullis_proto::Members::default(),
        };
        complete(&mut request);
        let frame = ClientFrame { id: 0, request }.encode();
        let commit = OwnCommit { reference, epoch, frame, acknowledged: false };
        encrypted.commit = Some(commit.clone());
        encrypted.claims.clear();
        self.touch(Key::Conversation(id));
        self.send_commit(step, id, &commit);
    }

    /// A commit that was made, and whose fate is not known.
    pub(crate) fn unanswered_commit(&self, id: ConversationId) -> Option<OwnCommit> {
        let conversation = self.conversations.get(&id).filter(|c| !c.in_flight)?;
        let commit = conversation.encrypted.as_ref()?.commit.as_ref()?;
        (!commit.acknowledged).then(|| commit.clone())
    }

    /// Sends a commit, for the first time or again: the server knows it by its reference.
    pub(crate) fn send_commit(
        &mut self,
        step: &mut Step<'_>,
        id: ConversationId,
        commit: &OwnCommit,
    ) {
        let Ok((_, request)) = decode_request(&commit.frame) else {
            return self.drop_commit(id);
        };
        if let Some(conversation) = self.conversations.get_mut(&id) {
            conversation.in_flight = true;
        }
        self.ask(step, request, Pending::Commit(id, commit.reference));
    }

    /// The server has stored a commit at this place. It counts when it is read there.
    pub(crate) fn committed(
        &mut self,
        step: &mut Step<'_>,
        id: ConversationId,
        reference: Reference,
        seq: u64,
    ) {
        if let Some(conversation) = self.conversations.get_mut(&id) {
            conversation.in_flight = false;
        }
        let waits = self.encrypted_mut(id).and_then(|encrypted| encrypted.commit.as_ref());
        if waits.is_some_and(|commit| commit.reference == reference) {
            if !self.check_place(step, id, seq) {
                return;
            }
            self.acknowledge_commit(id, reference);
        }
        if let Some(conversation) = self.conversations.get_mut(&id) {
            conversation.promise(seq, Promise { reference, kept: false });
            conversation.summary.head = conversation.summary.head.max(seq);
            if let Some(encrypted) = &mut conversation.encrypted
                && conversation.read.is_none()
            {
                encrypted.start = seq.saturating_sub(1);
            }
        }
        self.advance(step, id);
    }

    /// Counts an own commit once, whether the answer or the log tells of it first.
    pub(crate) fn acknowledge_commit(&mut self, id: ConversationId, reference: Reference) {
        let commit = self.encrypted_mut(id).and_then(|encrypted| encrypted.commit.as_mut());
        let Some(commit) = commit.filter(|c| c.reference == reference && !c.acknowledged) else {
            return;
        };
        commit.acknowledged = true;
        if let Some(own) = &mut self.own {
            own.acknowledged = own.acknowledged.saturating_add(1);
        }
        self.touch(Key::Account);
        self.touch(Key::Conversation(id));
    }

    /// A commit was refused. Where somebody else was faster, the log is read and it is made again.
    pub(crate) fn commit_refused(
        &mut self,
        step: &mut Step<'_>,
        id: ConversationId,
        refusal: Refusal,
    ) {
        if let Some(conversation) = self.conversations.get_mut(&id) {
            conversation.in_flight = false;
        }
        let wait = refusal.retry_after.unwrap_or_default();
        if refusal.code.passes() || refusal.code == Code::NotNow {
            return self.put_off(step, id, wait.max(limits::RETRY_MILLIS));
        }
        let making = self.is_being_made(id);
        self.drop_commit(id);
        let tries = self.encrypted_mut(id).map_or(0, |encrypted| encrypted.tries);
        if refusal.code == Code::EpochChanged && tries < limits::COMMIT_TRIES {
            self.put_off(step, id, wait);
            return self.list_conversations(step);
        }
        if making {
            // Nobody but this device has ever known of it.
            self.forget_outbox(step, id, &refusal.to_string());
            self.left(step, id);
        } else if refusal.code == Code::NotFound {
            self.left(step, id);
        }
        if let Some(encrypted) = self.encrypted_mut(id) {
            encrypted.plan = super::Plan::default();
            encrypted.tries = 0;
        }
        step.show(Show::Refused { what: "change this conversation", refusal });
    }

    /// Somebody else has made a conversation that this device was about to make.
    pub(crate) fn make_way(&mut self, id: ConversationId) {
        let exists = self.conversations.get(&id).is_some_and(|c| c.summary.epoch > 0);
        let encrypted = self.encrypted_mut(id);
        if exists && encrypted.is_some_and(|e| e.plan.create && e.commit.is_none()) {
            self.drop_commit(id);
        }
    }

    /// Forgets a commit that nobody has taken. Whoever was about to make the conversation, or to join
    /// it, has no keys then.
    pub(crate) fn drop_commit(&mut self, id: ConversationId) {
        self.touch(Key::Conversation(id));
        let Some(encrypted) = self.encrypted_mut(id) else {
            return;
        };
        encrypted.commit = None;
        let making = std::mem::take(&mut encrypted.plan.create);
        if let Some(Entry::External { again, .. }) = encrypted.entry {
            encrypted.entry = again.then_some(Entry::Lost);
        } else if !making {
            return self.mls.discard_pending(id);
        }
        encrypted.plan.add.clear();
        // Nobody has ever had these keys, so nothing of them is remembered.
        self.mls.forget(id);
    }

    /// Whether an own commit stands in the log as it was sent, and not just under its reference.
    pub(crate) fn is_as_made(&self, envelope: &Envelope) -> bool {
        let conversation = self.conversations.get(&envelope.conversation);
        let encrypted = conversation.and_then(|conversation| conversation.encrypted.as_ref());
        let commit = encrypted.and_then(|encrypted| encrypted.commit.as_ref());
        match commit.map(|commit| decode_request(&commit.frame)) {
            Some(Ok((_, Request::Commit { envelope: sent, .. }))) => sent.body == envelope.body,
            _ => false,
        }
    }

    /// The others have something else in the place of an own commit, so it counts for nobody.
    pub(crate) fn refuse_own_commit(&mut self, step: &mut Step<'_>, envelope: &Envelope) -> Taken {
        let id = envelope.conversation;
        self.drop_commit(id);
        self.count_epoch(envelope, false);
        let (author, seq, reason) = (self.author(envelope), envelope.seq, CommitRefused::Broken);
        step.warn(Some(id), GroupWarning::RefusedCommit { author, seq, reason });
        self.put_off(step, id, 0);
        Taken::Read
    }

    /// The key packages of these accounts' devices, or none as long as some are still asked for.
    fn claimed(
        &mut self,
        step: &mut Step<'_>,
        id: ConversationId,
        accounts: &[AccountId],
    ) -> Option<Vec<(DeviceId, Vec<u8>)>> {
        let encrypted = self.encrypted_mut(id)?;
        let missing: Vec<AccountId> = accounts
            .iter()
            .filter(|account| !encrypted.claims.contains_key(account))
            .copied()
            .collect();
        for account in &missing {
            encrypted.claims.insert(*account, Claim::Asked);
        }
        for account in missing {
            let request = Request::ClaimKeyPackages { account };
            self.ask(step, request, Pending::Claim(id, account));
        }
        let encrypted = self.encrypted_mut(id)?;
        let mut ready = Vec::new();
        for account in accounts {
            match encrypted.claims.get(account)? {
                Claim::Asked => return None,
                Claim::Ready(packages) => {
                    ready.extend(packages.iter().map(|package| (*account, package.clone())));
                }
            }
        }
        let offers = ready.into_iter();
        Some(offers.filter_map(|(account, offer)| self.offered(step, account, offer)).collect())
    }

    /// A key package that may be used; of a device that left none the conversation does without, until
    /// it joins by itself.
    fn offered(
        &mut self,
        step: &mut Step<'_>,
        account: AccountId,
        offer: ClaimedPackage,
    ) -> Option<(DeviceId, Vec<u8>)> {
        let bytes = offer.package?.0;
        let view = self.mls.read_key_package(&bytes).ok();
        let list = self.list_of(account);
        let offered = Offered { account, device: offer.device, package: view.as_ref(), list };
        match (self.defences.accept_key_package)(&offered, step.now) {
            Ok(_) => Some((offer.device, bytes)),
            Err(reason) => {
                let name = self.name_of(account).unwrap_or_else(crate::people::nobody);
                step.warn(None, GroupWarning::RefusedKeyPackage { name, reason });
                None
            }
        }
    }

    /// Key packages were handed out.
    pub(crate) fn packages_claimed(
        &mut self,
        step: &mut Step<'_>,
        id: ConversationId,
        account: AccountId,
        packages: Vec<ClaimedPackage>,
    ) {
        if let Some(encrypted) = self.encrypted_mut(id) {
            encrypted.claims.insert(account, Claim::Ready(packages));
        }
        self.advance(step, id);
    }

    /// Key packages were not handed out.
    pub(crate) fn claim_refused(
        &mut self,
        step: &mut Step<'_>,
        id: ConversationId,
        account: AccountId,
        refusal: Refusal,
    ) {
        let Some(encrypted) = self.encrypted_mut(id) else {
            return;
        };
        if refusal.code.passes() {
            encrypted.claims.remove(&account);
            let wait = refusal.retry_after.unwrap_or(limits::RETRY_MILLIS);
            return self.put_off(step, id, wait);
        }
        // Without key packages its devices join by themselves.
        encrypted.claims.insert(account, Claim::Ready(Vec::new()));
        self.advance(step, id);
    }

    /// What the first commit of a conversation says that it makes.
    fn creates(&self, id: ConversationId) -> Option<Creates> {
        let conversation = self.conversations.get(&id)?;
        let encrypted = conversation.encrypted.as_ref()?;
        if !encrypted.plan.create {
            return None;
        }
        match &conversation.summary.with {
            Some(with) => Some(Creates::Direct { with: with.account }),
            None => Some(Creates::Group {}),
        }
    }
}

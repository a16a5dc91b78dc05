//! Storing a new version of a device list, and what follows from it for the devices.

use crate::defences::{Claim, DeviceProven};
use crate::session::Session;
use crate::store::{Account, Device, InsertError, StoredList};
use crate::{Audience, Context, Effect, Effects, Whose};
use portcullis_crypto::Signature;
use portcullis_proto::{
    AccountId, BadList, Code, ConversationId, DeviceId, DeviceList, Event, Refusal, Reply,
    SignedList, Timestamp,
};

/// Proves the key of a device that the list is about to add.
pub(crate) fn prove_new(
    context: &Context<'_>,
    session: &Session,
    account: &Account,
    signed: &SignedList,
    device: DeviceId,
    proof: &Signature,
) -> Result<DeviceProven, Refusal> {
    let list = signed.open(account.id, &account.identity).map_err(refused)?;
    let entry = list.list().in_use(device);
    let entry = entry.ok_or_else(|| refused(BadList::Changed))?;
    let claim = Claim { account: account.id, device, key: &entry.auth, proof };
    (context.defences.prove_device)(session, &claim)
}

/// Stores a list. Only a device that has proven its key may be new in it.
pub(crate) fn store(
    context: &mut Context<'_>,
    account: &Account,
    signed: &SignedList,
    proven: Option<DeviceProven>,
) -> Result<Vec<Effect>, Refusal> {
    let accepted = (context.defences.accept_list)(context, account, signed)?;
    let (list, before) = (accepted.list(), accepted.before());
    let new = |entry: &&portcullis_proto::DeviceEntry| {
        before.is_none_or(|before| before.keys_of(entry.device).is_none())
    };
    for entry in list.devices.iter().filter(new) {
        let proven = proven.filter(|proven| proven.device() == entry.device);
        let unused = context.tx.device(entry.device)?.is_none();
        if proven.is_none() || !unused {
            let message = "a list can add only the device that publishes it";
            return Err(Refusal::new(Code::ListRefused, message));
        }
        let (id, auth) = (entry.device, entry.auth);
        let device = Device { id, account: account.id, auth, revoked: false, submitted: 0 };
        context.tx.put_device(&device)?;
    }
    let version = list.version;
    let stored = StoredList { version, signed: signed.clone() };
    context.tx.insert_list(account.id, &stored).map_err(|error| match error {
        InsertError::Taken => refused(BadList::Older),
        InsertError::Store(error) => error.into(),
    })?;
    let mut effects = revoke(context, before, list)?;
    context.guests.forget_list();
    effects.push(tell(account.id, version));
    Ok(effects)
}

/// Publishes a list in an open session: devices may go or be renamed, not come.
pub(crate) fn publish(
    context: &mut Context<'_>,
    session: &Session,
    signed: &SignedList,
) -> Result<Effects, Refusal> {
    let account = session.open()?.account;
    let account = context.tx.account(account)?.ok_or(crate::store::StoreError::Corrupt)?;
    let then = store(context, &account, signed, None)?;
    Ok(Effects::all(Reply::Done, then))
}

/// Takes devices out: their tokens and sessions end with the transaction.
fn revoke(
    context: &Context<'_>,
    before: Option<&DeviceList>,
    list: &DeviceList,
) -> Result<Vec<Effect>, Refusal> {
    let mut effects = Vec::new();
    let used = |device| before.is_some_and(|before| before.in_use(device).is_some());
    for gone in list.revoked.iter().filter(|gone| used(gone.device)) {
        if let Some(device) = context.tx.device(gone.device)? {
            context.tx.put_device(&Device { revoked: true, ..device })?;
        }
        context.tx.drop_tokens(gone.device)?;
        context.tx.drop_key_packages(gone.device, Timestamp(u64::MAX))?;
        let whose = Whose::Device(gone.device);
        let reason = "this device was removed from the account";
        effects.push(Effect::End { whose, reason });
    }
    Ok(effects)
}

/// Everyone is in the lobby, so that is where everyone hears of it once.
fn tell(account: AccountId, version: u64) -> Effect {
    let to = Audience::Conversation(ConversationId::LOBBY);
    Effect::Deliver { to, event: Event::DeviceList { account, version } }
}

fn refused(reason: BadList) -> Refusal {
    Refusal::new(Code::ListRefused, reason.to_string())
}

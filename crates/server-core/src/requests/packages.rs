//! Key packages: left by devices, handed out once each to whoever adds them (RFC 9420 section 10, RFC
//! 9750 section 5.1).

use crate::session::Session;
use crate::store::{KeyPackage, StoreError};
use crate::{Audience, Context, Effect, Effects, limits};
use portcullis_proto::{
    AccountId, ClaimedPackage, Code, Event, KeyPackageUpload, Refusal, Reply, limits as wire,
};

/// Keeps key packages of the session's device for others.
pub(crate) fn upload(
    context: &Context<'_>,
    session: &Session,
    packages: Vec<KeyPackageUpload>,
) -> Result<Effects, Refusal> {
    let device = session.open()?.device;
    let fits =
        |package: &KeyPackageUpload| package.package.as_slice().len() <= wire::KEY_PACKAGE_BYTES;
    if packages.len() > wire::KEY_PACKAGES || !packages.iter().all(fits) {
        return Err(Refusal::new(Code::TooLarge, "too many key packages, or too large a one"));
    }
    let latest = context.now.plus_millis(limits::KEY_PACKAGE_MILLIS);
    let timely = |p: &KeyPackageUpload| context.now < p.expires_at && p.expires_at <= latest;
    if !packages.iter().all(timely) {
        let message = "a key package expires in the future, and within 120 days";
        return Err(Refusal::new(Code::Malformed, message));
    }
    let single_use = packages.iter().filter(|package| !package.last_resort).count();
    if packages.len() - single_use > 1 {
        return Err(Refusal::new(Code::Malformed, "a device has one key package of last resort"));
    }
    context.tx.drop_key_packages(device, context.now)?;
    let left = context.tx.stock(device, context.now)?.left as usize;
    if left + single_use > wire::KEY_PACKAGES {
        return Err(Refusal::new(Code::TooLarge, "this device has enough key packages here"));
    }
    let kept: Vec<_> = packages.into_iter().map(keep).collect();
    context.tx.put_key_packages(device, &kept)?;
    Ok(Effects::reply(Reply::Done))
}

/// Hands out one key package of each of an account's devices. A device whose stock runs low hears of it.
pub(crate) fn claim(
    context: &mut Context<'_>,
    session: &Session,
    account: AccountId,
) -> Result<Effects, Refusal> {
    let (claimer, own) = (session.open()?.account, session.open()?.device);
    let may_claim = (context.defences.may_claim)(context, claimer, account)?;
    let account = may_claim.account();
    let newest = context.tx.newest_list(account.id)?.ok_or(StoreError::Corrupt)?.signed;
    let list = newest.open(account.id, &account.identity).map_err(|_| StoreError::Corrupt)?;
    let (mut packages, mut then) = (Vec::new(), Vec::new());
    for device in list.list().devices.iter().map(|entry| entry.device) {
        if device == own {
            continue;
        }
        let taken = context.tx.take_key_package(device, context.now)?;
        if let Some(taken) = &taken {
            let stock = context.tx.stock(device, context.now)?;
            // Just now, so that it is said once.
            let low = taken.single_use && stock.left + 1 == limits::KEY_PACKAGES_LOW;
            if low || taken.last_resort_first {
                let event = Event::KeyPackages(stock);
                then.push(Effect::Deliver { to: Audience::Device(device), event });
            }
        }
        packages.push(ClaimedPackage { device, package: taken.map(|taken| taken.body) });
    }
    Ok(Effects { reply: Reply::KeyPackages { packages }, then })
}

fn keep(upload: KeyPackageUpload) -> KeyPackage {
    let KeyPackageUpload { package, expires_at, last_resort } = upload;
    KeyPackage { body: package, expires_at, last_resort }
}

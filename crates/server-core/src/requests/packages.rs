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
    Ok(Effects::all(Reply::KeyPackages { packages }, then))
}

fn keep(upload: KeyPackageUpload) -> KeyPackage {
    let KeyPackageUpload { package, expires_at, last_resort } = upload;
    KeyPackage { body: package, expires_at, last_resort }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
mod tests {
    use super::*;
    use crate::store::Store as _;
    use crate::testing::{Person, World, body};
    use portcullis_proto::{Bytes, DeviceId, Request, Stock, Timestamp};

    type Each<T> = Vec<(DeviceId, T)>;

    /// What oleg gets of mira's devices, and which of them hear of their stock.
    fn claim(
        world: &mut World,
        oleg: &Person,
        mira: &Person,
    ) -> (Each<Option<Bytes>>, Each<Stock>) {
        let request = Request::ClaimKeyPackages { account: mira.account };
        let Ok(Reply::KeyPackages { packages }) = world.ask(oleg.connection, request) else {
            panic!("no packages");
        };
        let told = world.told().into_iter().map(|told| match told {
            (Audience::Device(device), Event::KeyPackages(stock)) => (device, stock),
            other => panic!("{other:?}"),
        });
        let told = told.collect();
        (packages.into_iter().map(|claimed| (claimed.device, claimed.package)).collect(), told)
    }

    #[test]
    fn each_is_handed_out_once_but_the_last_resort() {
        let mut world = World::new();
        let (mira, oleg) = (world.person("mira"), world.person("oleg"));
        let none = |world: &mut World| {
            assert_eq!(claim(world, &oleg, &mira), (vec![(mira.device, None)], vec![]));
        };
        none(&mut world);
        world.upload(&mira, 2, 100);
        world.upload_last_resort(&mira, 8, 100);
        world.upload_last_resort(&mira, 9, 200); // in the place of the one before
        let mut check = |number: u8, stock: Option<(u32, bool)>| {
            let told = stock.map(|(left, last_resort)| (mira.device, Stock { left, last_resort }));
            let expected = (vec![(mira.device, Some(body(number)))], told.into_iter().collect());
            assert_eq!(claim(&mut world, &oleg, &mira), expected);
        };
        check(1, None);
        check(2, None);
        check(9, Some((0, false)));
        check(9, None);
        world.upload(&mira, 1, 100);
        assert_eq!(claim(&mut world, &oleg, &mira).0, [(mira.device, Some(body(1)))]);
        world.wait(199);
        assert_eq!(claim(&mut world, &oleg, &mira).0, [(mira.device, Some(body(9)))]);
        world.wait(1);
        none(&mut world);
    }

    #[test]
    fn a_device_hears_once_that_its_stock_runs_low() {
        let mut world = World::new();
        let (mira, oleg) = (world.person("mira"), world.person("oleg"));
        world.upload(&mira, 18, 100);
        world.upload_last_resort(&mira, 99, 100);
        let told: Vec<_> = (0..20).flat_map(|_| claim(&mut world, &oleg, &mira).1).collect();
        let stock = |left, last_resort| (mira.device, Stock { left, last_resort });
        assert_eq!(told, [stock(15, true), stock(0, false)]);
    }

    #[test]
    fn all_devices_in_use_but_the_one_that_asks() {
        let mut world = World::new();
        let (mut mira, oleg) = (world.person("mira"), world.person("oleg"));
        let second = world.enrol(&mut mira);
        for device in [&mira, &second] {
            world.upload(device, 3, 100);
        }
        let devices = |world: &mut World, who: &Person| {
            let (packages, _) = claim(world, who, &mira);
            assert!(packages.iter().all(|(_, package)| package.is_some()));
            packages.into_iter().map(|(device, _)| device).collect::<Vec<_>>()
        };
        assert_eq!(devices(&mut world, &oleg), [mira.device, second.device]);
        assert_eq!(devices(&mut world, &mira), [second.device]);
        assert_eq!(devices(&mut world, &second), [mira.device]);
        let list = mira.next_list(|list| {
            list.devices.retain(|entry| entry.device != second.device);
            list.revoked.push(second.entry().revoke(Timestamp(9)));
        });
        world.ask(mira.connection, Request::PublishList { list }).unwrap();
        assert_eq!(devices(&mut world, &oleg), [mira.device]);
        let stock = |device| world.store.inner.stock(device, world.now).unwrap().left;
        assert_eq!((stock(mira.device), stock(second.device)), (0, 0));
    }

    #[test]
    fn a_session_opens_with_its_stock() {
        let mut world = World::new();
        let mut mira = world.person("mira");
        let mut check = |expected: (u32, bool)| {
            let stock = world.come_back(&mut mira).unwrap().stock;
            assert_eq!((stock.left, stock.last_resort), expected);
            world.upload(&mira, 5, 100);
            world.upload_last_resort(&mira, 9, 200);
            world.wait(60);
        };
        check((0, false));
        check((5, true));
        check((5, true)); // the first five have expired
        world.wait(200);
        let stock = world.come_back(&mut mira).unwrap().stock;
        assert_eq!(stock, Stock::default());
    }

    #[test]
    fn what_may_be_left() {
        fn check(count: usize, change: fn(&mut KeyPackageUpload), expected: Result<(), Code>) {
            let mut world = World::new();
            let mira = world.person("mira");
            world.upload(&mira, 4, 100);
            let mut packages = vec![world.key_package(1, 100, false); count];
            packages.iter_mut().take(2).for_each(change);
            let request = Request::UploadKeyPackages { packages };
            let done = world.attempt(mira.connection, request);
            assert_eq!(done.map(|_| ()), expected, "{count}");
        }
        const AS_THEY_ARE: fn(&mut KeyPackageUpload) = |_| {};
        check(0, AS_THEY_ARE, Ok(()));
        check(60, AS_THEY_ARE, Ok(()));
        check(61, AS_THEY_ARE, Err(Code::TooLarge));
        check(65, AS_THEY_ARE, Err(Code::TooLarge));
        check(1, |p| p.last_resort = true, Ok(()));
        check(61, |p| p.last_resort = true, Err(Code::Malformed));
        check(1, |p| p.package = Bytes(vec![0; wire::KEY_PACKAGE_BYTES]), Ok(()));
        check(1, |p| p.package = Bytes(vec![0; wire::KEY_PACKAGE_BYTES + 1]), Err(Code::TooLarge));
        check(1, |p| p.expires_at = Timestamp(p.expires_at.0 - 99), Ok(()));
        check(1, |p| p.expires_at = Timestamp(p.expires_at.0 - 100), Err(Code::Malformed));
        check(1, |p| p.expires_at.0 += limits::KEY_PACKAGE_MILLIS - 100, Ok(()));
        check(1, |p| p.expires_at.0 += limits::KEY_PACKAGE_MILLIS - 99, Err(Code::Malformed));
    }

    /// What has expired takes no room.
    #[test]
    fn expired_ones_are_removed() {
        let mut world = World::new();
        let mira = world.person("mira");
        for _ in 0..3 {
            world.upload(&mira, wire::KEY_PACKAGES as u8, 100);
            world.wait(100);
        }
        let request = Request::ClaimKeyPackages { account: AccountId::from_bytes([9; 16]) };
        assert_eq!(world.attempt(mira.connection, request), Err(Code::NotFound));
    }
}

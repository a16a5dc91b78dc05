//! OPAQUE's messages: any bytes as each of them, and honest ones with any change. Nothing panics, and a
//! changed message never logs anybody in.

use super::input::Input;
use portcullis_crypto::{
    ClientLogin, ClientRegistration, Password, PasswordRecord, ServerLogin, ServerSetup, Stretch,
};
use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng as _;

const NAME: &str = "mira";

/// What does not change from run to run.
struct Scene {
    setup: ServerSetup,
    record: PasswordRecord,
    /// `RegistrationRequest`, `RegistrationResponse`, `KE1`, `KE2` and `KE3` of honest parties.
    registration: (Vec<u8>, Vec<u8>),
    login: (Vec<u8>, Vec<u8>, Vec<u8>),
}

thread_local! {
    static SCENE: Option<Scene> = scene();
}

/// The first byte chooses the message, the second whether it is an honest one that the rest changes.
pub(super) fn opaque(bytes: &[u8]) {
    SCENE.with(|scene| {
        let mut input = Input::new(bytes);
        if let (Some(scene), Some(kind), Some(how)) = (scene, input.byte(), input.byte()) {
            feed(scene, kind % 6, how % 2 == 0, input.rest());
        }
    });
}

fn feed(scene: &Scene, kind: u8, raw: bool, rest: &[u8]) {
    let (ke1, ke2, ke3) = &scene.login;
    let honest = match kind {
        0 => &scene.registration.0,
        1 => &scene.registration.1,
        2 => scene.record.as_bytes(),
        3 => ke1,
        4 => ke2,
        _ => ke3,
    };
    let (bytes, same) = if raw { (rest.to_vec(), rest == honest) } else { changed(honest, rest) };
    let rng = &mut seeded(9);
    match kind {
        0 => drop(scene.setup.register(&bytes, NAME)),
        1 => {
            let Some((state, _)) = registering() else { return };
            drop(state.finish(&password(), &bytes, NAME, Stretch::LIGHT, rng));
        }
        2 => {
            if let Ok(record) = PasswordRecord::parse(&bytes) {
                assert_eq!(record.as_bytes(), bytes);
                drop(scene.setup.login(Some(&record), ke1, NAME, rng));
            }
        }
        3 => {
            let known = scene.setup.login(Some(&scene.record), &bytes, NAME, rng).is_ok();
            let unknown = scene.setup.login(None, &bytes, NAME, rng).is_ok();
            assert_eq!(known, unknown, "a name shows whether it exists");
        }
        4 => {
            let Some((state, _)) = logging_in() else { return };
            let done = state.finish(&password(), &bytes, NAME, Stretch::LIGHT, rng);
            assert_eq!(done.is_ok(), same, "only the honest answer is taken");
        }
        _ => {
            let Some((state, _)) = challenged(scene) else { return };
            assert_eq!(state.finish(&bytes).is_ok(), same, "only the honest proof is taken");
        }
    }
}

/// The message with the rest laid over it, and whether that has left it as it was.
fn changed(honest: &[u8], rest: &[u8]) -> (Vec<u8>, bool) {
    let mut bytes = honest.to_vec();
    bytes.iter_mut().zip(rest).for_each(|(byte, change)| *byte ^= change);
    let same = bytes == honest;
    (bytes, same)
}

fn scene() -> Option<Scene> {
    let setup = ServerSetup::generate(&mut seeded(1));
    let (state, request) = registering()?;
    let response = setup.register(&request, NAME).ok()?;
    let done = state.finish(&password(), &response, NAME, Stretch::LIGHT, &mut seeded(4)).ok()?;
    let record = PasswordRecord::parse(&done.upload).ok()?;
    let (_, ke1) = logging_in()?;
    let registration = (request, response);
    let mut scene = Scene { setup, record, registration, login: (ke1, Vec::new(), Vec::new()) };
    scene.login.1 = challenged(&scene)?.1;
    let (state, _) = logging_in()?;
    let answer = state.finish(&password(), &scene.login.1, NAME, Stretch::LIGHT, &mut seeded(5));
    scene.login.2 = answer.ok()?.finalization;
    Some(scene)
}

fn registering() -> Option<(ClientRegistration, Vec<u8>)> {
    ClientRegistration::start(&password(), &mut seeded(2)).ok()
}

fn logging_in() -> Option<(ClientLogin, Vec<u8>)> {
    ClientLogin::start(&password(), &mut seeded(3)).ok()
}

fn challenged(scene: &Scene) -> Option<(ServerLogin, Vec<u8>)> {
    scene.setup.login(Some(&scene.record), &scene.login.0, NAME, &mut seeded(6)).ok()
}

fn password() -> Password {
    Password::new("correct horse".to_owned())
}

fn seeded(seed: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(seed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn honest_messages_are_taken() {
        assert!(scene().is_some());
        (0..6).for_each(|kind| opaque(&[kind, 1]));
    }
}

//! Tests of both halves of OPAQUE together, and the vectors of RFC 9807 as far as they reach.
//!
//! The RFC's vectors use no stretching and another context, so those of appendix C.1.1 are checked up to
//! where these enter: both requests, the registration response, and KE2 but for its MAC.

#![allow(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::testing::{Scripted, damaged, from_hex, seeded, to_hex};
use crate::{Password, Randomness};

const NAME: &str = "mira";

fn password(typed: &str) -> Password {
    Password::new(typed.to_owned())
}

fn register(setup: &ServerSetup, typed: &str, rng: &mut dyn Randomness) -> Registered {
    let (state, request) = ClientRegistration::start(&password(typed), rng).unwrap();
    let response = setup.register(&request, NAME).unwrap();
    state.finish(&password(typed), &response, NAME, Stretch::LIGHT, rng).unwrap()
}

/// What differs from a login as it should be.
struct Attempt {
    typed: &'static str,
    client_name: &'static str,
    server_name: &'static str,
    known: bool,
    cost: Stretch,
}

const HONEST: Attempt = Attempt {
    typed: "correct horse",
    client_name: NAME,
    server_name: NAME,
    known: true,
    cost: Stretch::LIGHT,
};

/// Registers `NAME` with "correct horse", then attempts a login.
fn log_in(attempt: &Attempt) -> Result<(LoggedIn, SessionKey, Registered), LoginError> {
    let rng = &mut seeded(1);
    let setup = ServerSetup::generate(rng);
    let registered = register(&setup, HONEST.typed, rng);
    let record = PasswordRecord::parse(&registered.upload)?;
    let (client, request) = ClientLogin::start(&password(attempt.typed), rng)?;
    let record = attempt.known.then_some(&record);
    let (server, response) = setup.login(record, &request, attempt.server_name, rng)?;
    let typed = password(attempt.typed);
    let logged_in = client.finish(&typed, &response, attempt.client_name, attempt.cost, rng)?;
    let session_key = server.finish(&logged_in.finalization)?;
    Ok((logged_in, session_key, registered))
}

#[test]
fn both_sides_agree_after_an_honest_login() {
    let (logged_in, session_key, registered) = log_in(&HONEST).unwrap();
    assert_eq!(logged_in.session_key, session_key);
    assert_eq!(logged_in.export, registered.export);
}

#[test]
fn everything_else_is_refused_alike() {
    fn check(attempt: &Attempt) {
        assert_eq!(log_in(attempt).err(), Some(LoginError::Refused));
    }
    check(&Attempt { typed: "correct horsf", ..HONEST });
    check(&Attempt { typed: "", ..HONEST });
    check(&Attempt { known: false, ..HONEST });
    check(&Attempt { client_name: "oleg", ..HONEST });
    check(&Attempt { server_name: "oleg", ..HONEST });
    check(&Attempt { client_name: "oleg", server_name: "oleg", ..HONEST });
    check(&Attempt { cost: Stretch::parse(16, 1, 1).unwrap(), ..HONEST });
}

#[test]
fn the_export_key_stays_and_the_session_key_changes() {
    let rng = &mut seeded(2);
    let setup = ServerSetup::generate(rng);
    let registered = register(&setup, "correct horse", rng);
    let record = PasswordRecord::parse(&registered.upload).unwrap();
    let mut log_in = || {
        let (client, request) = ClientLogin::start(&password("correct horse"), rng).unwrap();
        let (server, response) = setup.login(Some(&record), &request, NAME, rng).unwrap();
        let typed = password("correct horse");
        let done = client.finish(&typed, &response, NAME, Stretch::LIGHT, rng).unwrap();
        (done.export, server.finish(&done.finalization).unwrap())
    };
    let (first, second) = (log_in(), log_in());
    assert_eq!(first.0, registered.export);
    assert_eq!(second.0, registered.export);
    assert_ne!(first.1, second.1);
    assert_ne!(register(&setup, "correct horse", &mut seeded(3)).export, registered.export);
}

/// Nothing but its bytes may tell an unknown name from a known one, and those are all fresh or masked,
/// but for the evaluation, which follows from the name alone.
#[test]
fn an_unknown_name_is_answered_in_the_same_shape() {
    let rng = &mut seeded(4);
    let setup = ServerSetup::generate(rng);
    let record = PasswordRecord::parse(&register(&setup, "correct horse", rng).upload).unwrap();
    let (_, request) = ClientLogin::start(&password("guess"), rng).unwrap();
    let real = setup.login(Some(&record), &request, NAME, rng).unwrap().1;
    let fake = setup.login(None, &request, NAME, rng).unwrap().1;
    let again = setup.login(None, &request, NAME, rng).unwrap().1;
    assert_eq!((real.len(), fake.len()), (320, 320));
    assert_eq!(fake[..32], real[..32]);
    assert_eq!(fake[..32], again[..32]);
    assert_ne!(fake[32..], again[32..]);
}

#[test]
fn a_damaged_response_is_never_accepted() {
    let rng = &mut seeded(5);
    let setup = ServerSetup::generate(rng);
    let record = PasswordRecord::parse(&register(&setup, "correct horse", rng).upload).unwrap();
    let typed = password("correct horse");
    // The state serves once, so each attempt starts again from the same randomness.
    let start = || ClientLogin::start(&typed, &mut seeded(6)).unwrap();
    let (_, response) = setup.login(Some(&record), &start().1, NAME, rng).unwrap();
    for bytes in damaged(&response) {
        assert!(start().0.finish(&typed, &bytes, NAME, Stretch::LIGHT, rng).is_err());
    }
    assert!(start().0.finish(&typed, &response, NAME, Stretch::LIGHT, rng).is_ok());
}

#[test]
fn a_damaged_finalization_is_never_accepted() {
    let rng = &mut seeded(7);
    let setup = ServerSetup::generate(rng);
    let record = PasswordRecord::parse(&register(&setup, "correct horse", rng).upload).unwrap();
    let typed = password("correct horse");
    let (client, request) = ClientLogin::start(&typed, rng).unwrap();
    let answer = || setup.login(Some(&record), &request, NAME, &mut seeded(8)).unwrap();
    let done = client.finish(&typed, &answer().1, NAME, Stretch::LIGHT, rng).unwrap();
    for bytes in damaged(&done.finalization) {
        let expected = if bytes.len() == 64 { LoginError::Refused } else { LoginError::Malformed };
        assert_eq!(answer().0.finish(&bytes).err(), Some(expected));
    }
    assert_eq!(answer().0.finish(&done.finalization), Ok(done.session_key));
}

#[test]
fn a_reflected_evaluation_is_refused() {
    let rng = &mut seeded(9);
    let setup = ServerSetup::generate(rng);
    let typed = password("correct horse");
    let (client, request) = ClientRegistration::start(&typed, rng).unwrap();
    let mut response = setup.register(&request, NAME).unwrap();
    response[..32].copy_from_slice(&request);
    let finished = client.finish(&typed, &response, NAME, Stretch::LIGHT, rng);
    assert_eq!(finished.err(), Some(LoginError::Refused));
}

#[test]
fn bytes_that_are_no_message_are_malformed() {
    let rng = &mut seeded(10);
    let setup = ServerSetup::generate(rng);
    let check = |bytes: &[u8]| {
        let expected = Some(LoginError::Malformed);
        let rng = &mut seeded(11);
        assert_eq!(setup.register(bytes, NAME).err(), expected);
        assert_eq!(setup.login(None, bytes, NAME, rng).err(), expected);
        assert_eq!(PasswordRecord::parse(bytes).err(), expected);
        assert_eq!(ServerSetup::from_bytes(bytes).err(), expected);
        let typed = password("correct horse");
        let (client, _) = ClientLogin::start(&typed, rng).unwrap();
        assert_eq!(client.finish(&typed, bytes, NAME, Stretch::LIGHT, rng).err(), expected);
        let (client, _) = ClientRegistration::start(&typed, rng).unwrap();
        assert_eq!(client.finish(&typed, bytes, NAME, Stretch::LIGHT, rng).err(), expected);
    };
    check(&[]);
    check(&[0xff; 31]);
    for length in [32, 64, 96, 128, 192, 320, 10_000] {
        // Zeros are the neutral element, and ones no element at all.
        check(&vec![0; length]);
        check(&vec![0xff; length]);
    }
}

#[test]
fn messages_with_bytes_behind_them_are_malformed() {
    fn check<T: fmt::Debug>(bytes: &[u8], parse: impl FnOnce(&[u8]) -> Result<T, LoginError>) {
        assert_eq!(parse(&[bytes, &[0]].concat()).err(), Some(LoginError::Malformed));
    }
    let rng = &mut seeded(12);
    let setup = ServerSetup::generate(rng);
    let typed = password("correct horse");
    check(&setup.to_bytes(), ServerSetup::from_bytes);
    let (state, request) = ClientRegistration::start(&typed, rng).unwrap();
    check(&request, |bytes| setup.register(bytes, NAME));
    check(&setup.register(&request, NAME).unwrap(), |bytes| {
        state.finish(&typed, bytes, NAME, Stretch::LIGHT, rng)
    });
    let upload = register(&setup, "correct horse", rng).upload;
    check(&upload, PasswordRecord::parse);
    let record = PasswordRecord::parse(&upload).unwrap();
    let (state, request) = ClientLogin::start(&typed, rng).unwrap();
    check(&request, |bytes| setup.login(Some(&record), bytes, NAME, &mut seeded(16)));
    let (_, response) = setup.login(Some(&record), &request, NAME, rng).unwrap();
    check(&response, |bytes| state.finish(&typed, bytes, NAME, Stretch::LIGHT, rng));
    let (server, _) = setup.login(Some(&record), &request, NAME, rng).unwrap();
    check(&[0; 64], |bytes| server.finish(bytes));
}

#[test]
fn a_stored_set_up_and_record_serve_like_the_first() {
    let rng = &mut seeded(13);
    let setup = ServerSetup::generate(rng);
    let upload = register(&setup, "correct horse", rng).upload;
    let again = ServerSetup::from_bytes(&setup.to_bytes()).unwrap();
    let record = PasswordRecord::parse(PasswordRecord::parse(&upload).unwrap().as_bytes()).unwrap();
    let (_, request) = ClientLogin::start(&password("correct horse"), rng).unwrap();
    let answer = |setup: &ServerSetup| {
        setup.login(Some(&record), &request, NAME, &mut seeded(14)).unwrap().1
    };
    assert_eq!(answer(&setup), answer(&again));
    assert_eq!(record.as_bytes(), upload);
}

#[test]
fn debug_shows_no_secret() {
    fn check(value: &dyn fmt::Debug, expected: &str) {
        assert_eq!(format!("{value:?}"), expected);
        assert_eq!(format!("{value:#?}"), expected);
    }
    let rng = &mut seeded(15);
    let setup = ServerSetup::generate(rng);
    let (registration, _) = ClientRegistration::start(&password("x"), rng).unwrap();
    let (login, request) = ClientLogin::start(&password("x"), rng).unwrap();
    let (server, _) = setup.login(None, &request, NAME, rng).unwrap();
    let (logged_in, session_key, registered) = log_in(&HONEST).unwrap();
    check(&setup, "ServerSetup(..)");
    check(&server, "ServerLogin(..)");
    check(&PasswordRecord::parse(&registered.upload).unwrap(), "PasswordRecord(..)");
    check(&registration, "ClientRegistration(..)");
    check(&login, "ClientLogin(..)");
    check(&registered, "Registered(..)");
    check(&logged_in, "LoggedIn(..)");
    check(&session_key, "SessionKey(..)");
}

mod rfc9807 {
    //! Appendix C.1.1, "OPAQUE-3DH Real Test Vector 1".

    use super::*;

    const OPRF_SEED: &str = "f433d0227b0b9dd54f7c4422b600e764e47fb503f1f9a0f0a47c6606b054a7fd
        c65347f1a08f277e22358bbabe26f823fca82c7848e9a75661f4ec5d5c1989ef";
    const SERVER_PRIVATE_KEY: &str =
        "47451a85372f8b3537e249d7b54188091fb18edde78094b43e2ba42b5eb89f0d";
    const SERVER_PUBLIC_KEY: &str =
        "b2fe7af9f48cc502d016729d2fe25cdd433f2c4bc904660b2a382c9b79df1a78";
    const BLIND_REGISTRATION: &str =
        "76cfbfe758db884bebb33582331ba9f159720ca8784a2a070a265d9c2d6abe01";
    const BLIND_LOGIN: &str = "6ecc102d2e7a7cf49617aad7bbe188556792d4acd60a1a8a8d2b65d4b0790308";
    const CLIENT_NONCE: &str = "da7e07376d6d6f034cfa9bb537d11b8c6b4238c334333d1f0aebb380cae6a6cc";
    const CLIENT_KEYSHARE_SEED: &str =
        "82850a697b42a505f5b68fcdafce8c31f0af2b581f063cf1091933541936304b";
    const MASKING_NONCE: &str = "38fe59af0df2c79f57b8780278f5ae47355fe1f817119041951c80f612fdfc6d";
    const SERVER_NONCE: &str = "71cd9960ecef2fe0d0f7494986fa3d8b2bb01963537e60efb13981e138e3d4a1";
    const SERVER_KEYSHARE_SEED: &str =
        "05a4f54206eef1ba2f615bc0aa285cb22f26d1153b5b40a1e85ff80da12f982f";
    const REGISTRATION_REQUEST: &str =
        "5059ff249eb1551b7ce4991f3336205bde44a105a032e747d21bf382e75f7a71";
    const REGISTRATION_RESPONSE: &str =
        "7408a268083e03abc7097fc05b587834539065e86fb0c7b6342fcf5e01e5b019
        b2fe7af9f48cc502d016729d2fe25cdd433f2c4bc904660b2a382c9b79df1a78";
    const REGISTRATION_UPLOAD: &str =
        "76a845464c68a5d2f7e442436bb1424953b17d3e2e289ccbaccafb57ac5c3675
        1ac5844383c7708077dea41cbefe2fa15724f449e535dd7dd562e66f5ecfb958
        64eadddec9db5874959905117dad40a4524111849799281fefe3c51fa82785c5
        ac13171b2f17bc2c74997f0fce1e1f35bec6b91fe2e12dbd323d23ba7a38dfec
        634b0f5b96109c198a8027da51854c35bee90d1e1c781806d07d49b76de6a28b
        8d9e9b6c93b9f8b64d16dddd9c5bfb5fea48ee8fd2f75012a8b308605cdd8ba5";
    const KE1: &str = "c4dedb0ba6ed5d965d6f250fbe554cd45cba5dfcce3ce836e4aee778aa3cd44d
        da7e07376d6d6f034cfa9bb537d11b8c6b4238c334333d1f0aebb380cae6a6cc
        6e29bee50701498605b2c085d7b241ca15ba5c32027dd21ba420b94ce60da326";
    /// Evaluation, masking nonce, masked response, server nonce, server key share; then follows the MAC.
    const KE2_WITHOUT_MAC: &str = "7e308140890bcde30cbcea28b01ea1ecfbd077cff62c4def8efa075aabcbb471
        38fe59af0df2c79f57b8780278f5ae47355fe1f817119041951c80f612fdfc6d
        d6ec60bcdb26dc455ddf3e718f1020490c192d70dfc7e403981179d8073d1146
        a4f9aa1ced4e4cd984c657eb3b54ced3848326f70331953d91b02535af44d9fe
        dc80188ca46743c52786e0382f95ad85c08f6afcd1ccfbff95e2bdeb015b166c
        6b20b92f832cc6df01e0b86a7efd92c1c804ff865781fa93f2f20b446c8371b6
        71cd9960ecef2fe0d0f7494986fa3d8b2bb01963537e60efb13981e138e3d4a1
        c4f62198a9d6fa9170c42c3c71f1971b29eb1d5d0bd733e40816c91f7912cc4a";
    const CREDENTIAL_IDENTIFIER: &str = "1234";

    fn the_password() -> Password {
        password("CorrectHorseBatteryStaple")
    }

    /// Seed and private key of the vector; the key for fake records can be any.
    fn setup() -> ServerSetup {
        let parts = [OPRF_SEED, SERVER_PRIVATE_KEY, SERVER_PUBLIC_KEY].map(from_hex);
        ServerSetup::from_bytes(&parts.concat()).unwrap()
    }

    /// The library draws 64 bytes for a blind, and reduces them.
    fn blind(hex: &str) -> Vec<u8> {
        [from_hex(hex), vec![0; 32]].concat()
    }

    fn check(bytes: &[u8], expected: &str) {
        assert_eq!(to_hex(bytes), to_hex(&from_hex(expected)));
    }

    #[test]
    fn registration_messages() {
        let mut rng = Scripted::new(&[&blind(BLIND_REGISTRATION)]);
        let (_, request) = ClientRegistration::start(&the_password(), &mut rng).unwrap();
        check(&request, REGISTRATION_REQUEST);
        check(&setup().register(&request, CREDENTIAL_IDENTIFIER).unwrap(), REGISTRATION_RESPONSE);
    }

    #[test]
    fn login_request() {
        let [seed, nonce] = [CLIENT_KEYSHARE_SEED, CLIENT_NONCE].map(from_hex);
        let mut rng = Scripted::new(&[&blind(BLIND_LOGIN), &seed, &nonce]);
        let (_, request) = ClientLogin::start(&the_password(), &mut rng).unwrap();
        check(&request, KE1);
    }

    #[test]
    fn login_response_up_to_its_mac() {
        let record = PasswordRecord::parse(&from_hex(REGISTRATION_UPLOAD)).unwrap();
        let parts = [MASKING_NONCE, SERVER_KEYSHARE_SEED, SERVER_NONCE].map(from_hex);
        // The fake record's masking key is drawn first, also when it is not needed.
        let mut rng = Scripted::new(&[&[0; 64], &parts.concat()]);
        let (_, response) =
            setup().login(Some(&record), &from_hex(KE1), CREDENTIAL_IDENTIFIER, &mut rng).unwrap();
        check(&response[..256], KE2_WITHOUT_MAC);
    }
}

//! What two exploits claim of themselves: that nobody is warned by them. An exploit can't look over others'
//! shoulders, so it is seen here.
#![allow(clippy::unwrap_used, reason = "tests")]

use portcullis_client_core::Show;
use portcullis_range::doors::Inside;
use portcullis_range::flaws::find;
use portcullis_range::hands::Hands;
use portcullis_range::plane::{FlagRoot, Whose, stage};
use portcullis_range::twins::{SOUND, Twins};
use portcullis_range::world::{BEGINNING, Happened};

/// The warnings that these people see while somebody runs the exploit of a flaw.
fn warnings(slug: &str, people: &[&str], flawed: bool) -> Vec<String> {
    let flaw = find(slug).unwrap();
    let whose = Whose { class: "", learner: "quiet", slug, salt: None, variant: 1 };
    let secrets = FlagRoot::from_bytes([7; 32]).secrets(whose);
    let twins = if flawed { Twins::with(flaw.put) } else { SOUND };
    let mut world = stage(flaw, twins, &secrets, BEGINNING).unwrap();
    let before = world.happened().len();
    let came_of_it = (flaw.exploit)(&mut Hands::new(&mut Inside::new(&mut world, &secrets)));
    assert_eq!(came_of_it.is_ok(), flawed, "{came_of_it:?}");
    let shown = world.happened().iter().skip(before).filter_map(|happened| match happened {
        Happened::Shown { to, show } if people.contains(&to.as_str()) => Some((to, show)),
        _ => None,
    });
    let warnings = shown.filter_map(|(to, show)| match &**show {
        Show::Warning { warning, .. } => Some(format!("{to}: {warning}")),
        _ => None,
    });
    warnings.collect()
}

#[test]
fn a_substituted_key_is_not_noticed_and_a_sound_client_notices_it() {
    assert_eq!(warnings("key-substitution", &["mira", "oleg"], true), [""; 0]);
    let told = warnings("key-substitution", &["mira"], false);
    assert!(told.iter().any(|words| words.contains("identity key")), "{told:?}");
}

#[test]
fn a_ghost_is_not_noticed_and_sound_clients_notice_it() {
    assert_eq!(warnings("ghost-member", &["mira", "nina"], true), [""; 0]);
    let told = warnings("ghost-member", &["mira"], false);
    assert!(told.iter().any(|words| words.contains("has not signed")), "{told:?}");
}

//! What holds for every row of the table of flaws: the exploit wins against the flaw and fails against the
//! sound defence, honest use works in both, each wrong fix loses for the reason given, and nothing else
//! lets the exploit in.
#![allow(clippy::print_stdout, clippy::panic, reason = "tests")]

use portcullis_range::flaws::{ALL, Fate, Flaw};
use portcullis_range::plane::{FlagRoot, Trial};
use portcullis_range::twins::{SOUND, Twins};
use std::collections::BTreeSet;

fn trial() -> Trial {
    Trial::new(FlagRoot::from_bytes([42; 32]))
}

/// Runs a check for every flaw, and reports all that fail.
fn for_all(check: impl Fn(&'static Flaw) -> Result<(), String>) {
    let failed: Vec<String> = ALL
        .iter()
        .filter_map(|flaw| check(flaw).err().map(|why| format!("{}: {why}", flaw.slug)))
        .collect();
    assert!(failed.is_empty(), "{failed:#?}");
}

#[test]
fn the_exploit_wins_against_the_flaw() {
    for_all(|flaw| {
        let won = trial().exploit(flaw, Twins::with(flaw.put), flaw.exploit);
        won.map_err(|lost| lost.to_string())
    });
}

#[test]
fn the_exploit_fails_against_the_sound_defence() {
    for_all(|flaw| match trial().exploit(flaw, SOUND, flaw.exploit) {
        Ok(()) => Err("the exploit wins".to_owned()),
        Err(lost) if lost.tried == "setting the scene" => Err(lost.to_string()),
        Err(_) => Ok(()),
    });
}

#[test]
fn honest_use_works_in_both() {
    for_all(|flaw| {
        for (name, twins) in [("flawed", Twins::with(flaw.put)), ("sound", SOUND)] {
            trial().honest(flaw, twins).map_err(|lost| format!("{name}: {lost}"))?;
        }
        Ok(())
    });
}

#[test]
fn each_fix_ends_as_its_file_says() {
    for_all(|flaw| {
        let mut wrong = 0;
        let mut sound = 0;
        for fix in flaw.fixes {
            let twins = Twins::with(fix.put);
            let honest = trial().honest(flaw, twins);
            match fix.fate {
                Fate::Holds => {
                    sound += 1;
                    honest.map_err(|lost| format!("{}: {lost}", fix.idea))?;
                    let won = trial().exploit(flaw, twins, flaw.exploit);
                    if won.is_ok() || !twins.changed().is_empty() {
                        return Err(format!("{}: is not the sound one", fix.idea));
                    }
                }
                Fate::Beaten(_, exploit) => {
                    wrong += 1;
                    honest.map_err(|lost| format!("{}: {lost}", fix.idea))?;
                    let won = trial().exploit(flaw, twins, exploit);
                    won.map_err(|lost| format!("{}: is not beaten: {lost}", fix.idea))?;
                    if trial().exploit(flaw, SOUND, exploit).is_ok() {
                        return Err(format!("{}: what beats it beats the sound one", fix.idea));
                    }
                }
                Fate::Breaks(_) => {
                    wrong += 1;
                    if honest.is_ok() {
                        return Err(format!("{}: honest use works", fix.idea));
                    }
                }
            }
        }
        if wrong < 2 || sound != 1 {
            return Err(format!("{wrong} wrong fixes and {sound} sound ones"));
        }
        Ok(())
    });
}

/// The whole matrix, printed: the exploit of each row wins in its own column only.
#[test]
fn no_exploit_wins_by_another_flaw() {
    let mut wrong = Vec::new();
    for row in ALL {
        let wins: Vec<bool> = ALL
            .iter()
            .map(|column| trial().exploit(row, Twins::with(column.put), row.exploit).is_ok())
            .collect();
        let marks: String = wins.iter().map(|won| if *won { " x" } else { " ." }).collect();
        println!("{:<20}{marks}", row.slug);
        for (column, won) in ALL.iter().zip(wins) {
            if won != (row.slug == column.slug) {
                wrong.push(format!("{} with {}", row.slug, column.slug));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn each_flaw_changes_one_decision_and_no_two_the_same() {
    let (mut slugs, mut decisions) = (BTreeSet::new(), BTreeSet::new());
    for flaw in ALL {
        assert!(slugs.insert(flaw.slug), "{} stands there twice", flaw.slug);
        let changed = Twins::with(flaw.put).changed();
        assert_eq!(changed.len(), 1, "{} changes {changed:?}", flaw.slug);
        assert!(decisions.insert(changed), "{} changes what another does", flaw.slug);
    }
}

#[test]
fn each_flaw_is_told_completely() {
    for_all(|flaw| {
        let said = [flaw.title, flaw.story, flaw.precedent, flaw.aftermath];
        let said = said.iter().chain(&flaw.hints).all(|text| text.len() > 15);
        let unsound = flaw.source(flaw.unsound).text();
        let shown = flaw.sound.text().is_some() && unsound.is_some();
        let mut wrong = flaw.fixes.iter().filter(|fix| !matches!(fix.fate, Fate::Holds));
        let fixes = wrong.all(|fix| flaw.source(fix.function).text().is_some());
        let named = flaw.marker == format!("portcullis-range/v1/{}", flaw.slug).as_bytes();
        let length = unsound.map_or(0, |text| text.lines().count());
        let rows = [
            (said, "something is not said"),
            (shown, "a function is not found in its file"),
            (fixes, "a fix is not found in its file"),
            (named, "the marker has another name"),
            ((5..=40).contains(&length), "the unsound function is not of 5 to 40 lines"),
            ((1..=6).contains(&flaw.difficulty), "the difficulty is not from 1 to 6"),
        ];
        rows.iter().find(|(holds, _)| !holds).map_or(Ok(()), |(_, why)| Err((*why).to_owned()))
    });
}

//! A class: a list, a join code, progress, and what leaves the range.

use super::{Range, read};

fn class() -> Range {
    let range = Range::start(&["--class", "7b"]);
    let roster = range.path("roster.csv");
    std::fs::write(&roster, "name,seat\nmira,1\noleg,2\nanna,3\n").unwrap();
    let taken = range.teaches(&["roster", roster.to_str().unwrap()]);
    assert!(taken.contains("3 on the list, 3 of them new"), "{taken}");
    range
}

fn code(range: &Range) -> String {
    let progress = range.teaches(&["progress"]);
    let (_, code) = progress.lines().next().unwrap().rsplit_once(' ').unwrap();
    code.to_owned()
}

#[test]
fn a_list_is_taken_without_a_verb() {
    let range = class();
    let roster = range.path("roster.csv");
    let taken = range.teaches(&[roster.to_str().unwrap()]);
    assert!(taken.contains("3 on the list, 0 of them new"), "{taken}");
    assert!(!range.teacher(&["no-such-file"]).status.success());
    assert!(!range.teacher(&[]).status.success());
}

#[test]
fn only_who_is_on_the_list_comes_in() {
    let range = class();
    let code = code(&range);
    range.refuses("mira", &["join", "mira"]);
    range.refuses("mira", &["join", "mira", "--code", "AAAAA-AAAAA"]);
    range.refuses("eve", &["join", "eve", "--code", &code]);
    range.says("mira", &["join", "mira", "--code", &code]);
    assert!(range.refuses("other", &["join", "mira", "--code", &code]).contains("already"));
}

#[test]
fn a_teacher_sees_who_is_stuck_and_who_copied() {
    let range = class();
    let code = code(&range);
    for name in ["mira", "oleg"] {
        range.says(name, &["join", name, "--code", &code]);
    }
    range.says("mira", &["hint", "history-idor"]);
    range.says("mira", &["hint", "history-idor"]);
    let progress = range.teaches(&["progress"]);
    assert!(progress.contains("history-idor         2 of 4 hints"), "{progress}");
    assert!(progress.contains("anna") && progress.contains("has not come yet"), "{progress}");
    let csv = range.teaches(&["export", "csv"]);
    assert!(csv.contains("mira,history-idor,1,begun,2,0,0,0"), "{csv}");
    let ctfd = range.teaches(&["export", "ctfd"]);
    let head = "name,description,category,value,type,state,max_attempts,flags,tags,hints";
    assert_eq!(ctfd.lines().next(), Some(head));
    let page = range.teaches(&["page", "teacher@laptop"]);
    let port = range.address.rsplit(':').next().unwrap();
    assert!(page.contains(&format!("ssh -N -L {port}:127.0.0.1:{port} teacher@laptop")), "{page}");
    assert!(page.contains(&code), "{page}");
}

#[test]
fn forgetting_leaves_nothing() {
    let range = class();
    let code = code(&range);
    range.says("mira", &["join", "mira", "--code", &code]);
    range.says("mira", &["hint", "history-idor"]);
    assert!(range.teaches(&["forget", "mira"]).contains("forgotten"));
    assert!(!read(&range.path("range/progress.jsonl")).contains("mira"));
    assert!(range.refuses("mira", &["board"]).contains("join"));
    assert!(!range.teacher(&["forget", "mira"]).status.success());
}

#[test]
fn a_class_stays_one() {
    let range = class();
    let code = code(&range);
    let range = range.restart(&["--class", "7b"]);
    assert_eq!(super::class::code(&range), code);
    range.says("oleg", &["join", "oleg", "--code", &code]);
    range.says("oleg", &["hint", "sender-spoof"]);
    let reset = range.teaches(&["reset"]);
    assert!(reset.contains("0 worlds"), "{reset}");
    range.says("oleg", &["connect", "sender-spoof"]);
    assert!(range.teaches(&["reset", "oleg"]).contains("1 worlds"));
    assert!(range.teaches(&["reset", "--flaw", "sender-spoof"]).contains("1 worlds"));
}

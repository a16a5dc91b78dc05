//! A class: a list, a join code, progress, and what leaves the range.

use super::{Range, Script, read};

fn class() -> Range {
    let range = Range::start(&["--class", "7b"]);
    let roster = range.path("roster.csv");
    std::fs::write(&roster, "name,seat\nmira,1\noleg,2\nanna,3\n").unwrap();
    let taken = range.teaches(&["roster", roster.to_str().unwrap()]);
    assert!(taken.contains("3 on the list, 3 of them new"), "{taken}");
    range
}

/// What somebody joins with.
fn code(range: &Range, name: &str) -> String {
    let codes = range.teaches(&["codes"]);
    let mut lines = codes.lines().map(|line| line.split_once(' ').unwrap());
    lines.find(|(of, _)| *of == name).unwrap().1.trim().to_owned()
}

fn join(range: &Range, name: &str) {
    range.says(name, &["join", name, "--code", &code(range, name)]);
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

/// What is a verb is never taken for a file, wherever the folder is named.
#[test]
fn a_verb_is_no_list() {
    let range = class();
    let folder = range.path("range");
    let class = |words: &[&str]| {
        let mut verb = std::process::Command::new(super::PROGRAM);
        verb.current_dir(range.path("")).arg("class").arg("--folder").arg(&folder);
        verb.args(words).output().unwrap()
    };
    std::fs::write(range.path("codes"), "eve\n").unwrap();
    let told = super::text(&class(&["codes"]).stdout);
    assert!(told.contains("mira") && !told.contains("eve"), "{told}");
    let told = super::text(&class(&["./codes"]).stdout);
    assert!(told.contains("4 on the list, 1 of them new"), "{told}");
    let told = super::text(&class(&["progres"]).stderr);
    assert!(told.contains("progres: ") && told.contains("neither"), "{told}");
    assert!(!class(&["roster.csv", "codes"]).status.success());
}

/// Names are in the order in which people count.
#[test]
fn ten_comes_after_two() {
    let range = Range::start(&["--class", "7b"]);
    let roster = range.path("roster.csv");
    std::fs::write(&roster, "Pseudonym;Seat\npupil10;1\npupil2;2\npupil1;3\n").unwrap();
    range.teaches(&[roster.to_str().unwrap()]);
    for verb in ["progress", "codes"] {
        let told = range.teaches(&[verb]);
        let rows = told.lines().filter(|line| line.starts_with("pupil"));
        let names: Vec<&str> = rows.map(|row| row.split(' ').next().unwrap()).collect();
        assert_eq!(names, ["pupil1", "pupil2", "pupil10"], "{verb}");
    }
}

/// All that is wrong with a list is told at once.
#[test]
fn every_bad_line_of_a_list_is_named() {
    let range = class();
    let roster = range.path("bad.csv");
    std::fs::write(&roster, "NAME\nok\nO'Neil, Anna\nfine\n  x y;1\n").unwrap();
    let refused = super::text(&range.teacher(&["roster", roster.to_str().unwrap()]).stderr);
    assert!(
        refused.contains("line 3: \"O'Neil\"") && refused.contains("line 5: \"x y\""),
        "{refused}"
    );
    assert!(!range.teaches(&["codes"]).contains("fine"), "all or nothing");
}

#[test]
fn only_a_class_has_a_page() {
    let range = Range::start(&[]);
    let refused = super::text(&range.teacher(&["page", "range@laptop"]).stderr);
    assert!(refused.contains("has no class"), "{refused}");
}

/// Who is let in again is not shown as if they had never come.
#[test]
fn who_is_let_in_again_keeps_what_they_had() {
    let range = class();
    join(&range, "mira");
    range.says("mira", &["hint", "history-idor"]);
    let told = range.teaches(&["readmit", "mira"]);
    assert!(told.contains("0 solved and 1 begun"), "{told}");
    let progress = range.teaches(&["progress"]);
    let row = progress.lines().find(|line| line.starts_with("mira")).unwrap();
    assert!(row.contains("let in again") && !row.contains("not come yet"), "{row}");
    assert!(progress.contains("history-idor         1 of 4 hints"), "{progress}");
}

#[test]
fn only_who_is_on_the_list_comes_in() {
    let range = class();
    let (mira, oleg) = (code(&range, "mira"), code(&range, "oleg"));
    assert_ne!(mira, oleg);
    range.refuses("mira", &["join", "mira"]);
    range.refuses("mira", &["join", "mira", "--code", "AAAAA-AAAAA"]);
    range.refuses("mira", &["join", "mira", "--code", &oleg]);
    range.refuses("eve", &["join", "eve", "--code", &mira]);
    let typed = mira.to_lowercase().replace('-', " ");
    range.says("mira", &["join", "mira", "--code", &typed]);
    // Who does not have the code learns nothing of who has come.
    let not_come = range.refuses("eve", &["join", "anna", "--code", &oleg]);
    assert_eq!(range.refuses("eve", &["join", "mira", "--code", &oleg]), not_come);
    assert!(range.refuses("other", &["join", "mira", "--code", &mira]).contains("readmit"));
}

/// Whoever comes again from elsewhere leaves the old machine outside, doors that it knows included.
#[test]
fn who_is_let_in_again_is_so_on_one_machine() {
    let range = class();
    join(&range, "mira");
    let old = code(&range, "mira");
    range.says("mira", &["hint", "history-idor"]);
    let door = range.door("mira", "history-idor", "session");
    let mut open = Script::open(&door);
    assert!(range.teaches(&["readmit", "mira"]).contains(&code(&range, "mira")));
    assert!(range.refuses("mira", &["board"]).contains("join"));
    while open.hear().is_ok() {}
    range.refuses("laptop", &["join", "mira", "--code", &old]);
    range.says("laptop", &["join", "mira", "--code", &code(&range, "mira")]);
    assert!(range.says("laptop", &["show", "history-idor"]).contains("look:"), "progress stays");
    let fresh = range.door("laptop", "history-idor", "session");
    assert_ne!(fresh, door);
    let protocol = [("Sec-WebSocket-Protocol", "portcullis-range.v1")];
    assert!(Script::try_open(&door, &protocol).is_err(), "the old machine knows a door");
    Script::open(&fresh);
    assert!(!range.teacher(&["readmit", "eve"]).status.success());
}

/// On the same machine they need not name another folder: what opens nothing any more makes room.
#[test]
fn who_is_let_in_again_may_come_from_where_they_were() {
    let range = class();
    join(&range, "mira");
    let token = range.path("learner-mira/token");
    let old = read(&token);
    let again = code(&range, "mira");
    assert!(range.refuses("mira", &["join", "mira", "--code", &again]).contains("--learner"));
    range.teaches(&["readmit", "mira"]);
    range.refuses("mira", &["join", "mira", "--code", &again]);
    assert_eq!(read(&token), old, "what was there stays until there is something better");
    let elsewhere = Range::start(&[]);
    let kept = range.path("learner-mira");
    let other = ["join", "mira", "--range", &elsewhere.address, "--learner"];
    let other = std::process::Command::new(super::PROGRAM).args(other).arg(&kept).output().unwrap();
    assert!(!other.status.success(), "another range's token was written over");
    join(&range, "mira");
    assert_ne!(read(&token), old);
    range.says("mira", &["board"]);
    assert_eq!(std::fs::read_dir(kept).unwrap().count(), 2, "the token, and the range's address");
}

#[test]
fn what_a_shell_would_take_apart_is_no_machine() {
    let range = class();
    for host in ["", "-oProxyCommand=x", "a b", "a;b", "$(a)", "a`b`", "a\nb", "ä"] {
        assert!(!range.teacher(&["page", "--", host]).status.success(), "{host:?}");
    }
    let mut start = std::process::Command::new(super::PROGRAM);
    start.args(["start", "--class", "", "--listen", "127.0.0.1:0", "--folder"]);
    let started = start.arg(range.path("other")).output().unwrap();
    assert!(!started.status.success() && !range.path("other").exists());
}

/// The fields of a line of CSV, all of which are quoted (RFC 4180).
fn fields(line: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let (mut quoted, mut letters) = (false, line.chars().peekable());
    while let Some(letter) = letters.next() {
        match letter {
            '"' if quoted && letters.next_if_eq(&'"').is_some() => {
                fields.last_mut().unwrap().push('"')
            }
            '"' => quoted = !quoted,
            ',' if !quoted => fields.push(String::new()),
            letter => fields.last_mut().unwrap().push(letter),
        }
    }
    fields
}

#[test]
fn a_teacher_sees_who_is_stuck_and_who_copied() {
    let range = class();
    for name in ["mira", "oleg"] {
        join(&range, name);
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
    assert!(!ctfd.contains("NONCE"), "{ctfd}");
    for (line, flaw) in ctfd.lines().skip(1).zip(portcullis_range::flaws::ALL) {
        let fields = fields(line);
        assert_eq!((fields.len(), fields[0].as_str()), (10, flaw.slug));
        let [flags, hints] = [&fields[7], &fields[9]]
            .map(|field| serde_json::from_str::<Vec<serde_json::Value>>(field).unwrap());
        let flag = |flag: &serde_json::Value| flag["content"].as_str().unwrap().len() == 23;
        assert!(flags.len() == 3 && flags.iter().all(flag), "{line}");
        let hints: Vec<&str> = hints.iter().map(|hint| hint["content"].as_str().unwrap()).collect();
        assert_eq!(hints, flaw.hints.map(|hint| hint.replace("NONCE", "YOUR-WORD")));
    }
    assert_eq!(ctfd.lines().count(), 1 + portcullis_range::flaws::ALL.len());
    let page = range.teaches(&["page", "range@laptop"]);
    let port = range.address.rsplit(':').next().unwrap();
    assert!(page.contains(&format!("ssh -N -L {port}:127.0.0.1:{port} range@laptop")), "{page}");
    assert!(page.contains(&format!("--range 127.0.0.1:{port}")), "{page}");
}

#[test]
fn forgetting_leaves_nothing() {
    let range = class();
    join(&range, "mira");
    range.says("mira", &["hint", "history-idor"]);
    assert!(range.teaches(&["forget", "mira"]).contains("forgotten"));
    assert!(!read(&range.path("range/progress.jsonl")).contains("mira"));
    assert!(range.refuses("mira", &["board"]).contains("join"));
    assert!(!range.teacher(&["forget", "mira"]).status.success());
}

#[test]
fn a_class_stays_one() {
    let range = class();
    let before = code(&range, "oleg");
    let range = range.restart(&["--class", "7b"]);
    assert_eq!(code(&range, "oleg"), before);
    join(&range, "oleg");
    range.says("oleg", &["hint", "sender-spoof"]);
    // The world is not there any more, and a learner may know its flag.
    assert!(range.teaches(&["reset"]).contains("1 world begins"));
    range.says("oleg", &["connect", "sender-spoof"]);
    assert!(range.teaches(&["reset", "oleg"]).contains("1 world begins"));
    assert!(range.teaches(&["reset", "oleg", "--flaw", "replay"]).contains("0 worlds"));
    range.says("oleg", &["connect", "replay"]);
    assert!(range.teaches(&["reset"]).contains("2 worlds"));
    assert!(range.teaches(&["reset", "--flaw", "sender-spoof"]).contains("1 world begins"));
    let unknown = range.teacher(&["reset", "oelg"]);
    assert!(super::text(&unknown.stderr).contains("nobody here is called oelg"));
    let csv = range.teaches(&["export", "csv"]);
    assert!(csv.contains("oleg,sender-spoof,1,begun,1,0,0,0"), "{csv}");
}

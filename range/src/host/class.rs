//! A class: who is on the list, who has come how far, and what of it leaves the range.

use super::{Host, News, READMITTED, board, lock, now};
use crate::flaws::{self, Flaw, NONCE};
use crate::limits;
use crate::plane::{Entry, JoinCode, Learner, Row, Salt, Whose};
use crate::reading::counted;
use portcullis_proto::UserName;
use rand_core::OsRng;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write as _;

impl Host {
    /// What somebody of this class joins with.
    pub(super) fn join_code(&self, name: &UserName, learner: &Learner) -> Option<JoinCode> {
        let (class, learner_name, salt) = (&self.class, name.as_str(), learner.salt);
        let variant = learner.readmitted;
        self.root.join_code(Whose { class, learner: learner_name, slug: "", salt, variant })
    }

    /// A line for everyone on the list: the name, and the code that goes with it.
    pub(super) fn codes(&self) -> Result<String, String> {
        self.has_class()?;
        let records = lock(&self.records);
        let mut learners: Vec<_> = records.book.learners().collect();
        learners.sort_by(|(one, _), (other, _)| natural(one).cmp(&natural(other)));
        let mut text = String::new();
        for (name, learner) in learners {
            if let Some(code) = self.join_code(name, learner) {
                let _ = writeln!(text, "{name:<32} {code}");
            }
        }
        Ok(text)
    }

    /// Lets somebody join again, on another machine say: their token opens nothing any more.
    pub(super) fn readmit(&self, name: &UserName) -> Result<String, String> {
        self.has_class()?;
        let mut records = lock(&self.records);
        records.book.learner(name).ok_or_else(|| nobody(name))?;
        let entry = Entry::Readmitted { learner: name.clone(), at: now() };
        records.add(entry).map_err(|error| error.to_string())?;
        let code = records.book.learner(name).and_then(|learner| self.join_code(name, learner));
        let code = code.ok_or_else(|| nobody(name))?;
        let own = records.book.learner(name).ok_or_else(|| nobody(name))?;
        let (solved, begun) = (own.solved(), own.rows.len() - own.solved());
        let worlds = self.take_worlds(name);
        // Whoever holds a world waits for the records, so these must be free by now.
        drop(records);
        worlds.iter().for_each(|slot| lock(slot).end());
        // Streams of news are told apart by names, which stay; what opened them does not.
        let _ = self.news.send(News { learner: name.clone(), slug: None, what: READMITTED });
        Ok(format!(
            "{name} may join again, with the code {code}; {solved} solved and {begun} begun stay, as do receipts\n"
        ))
    }

    fn has_class(&self) -> Result<(), String> {
        if self.class.is_empty() {
            return Err("this range has no class; start one with `start --class NAME`".to_owned());
        }
        Ok(())
    }

    /// Takes a list: a name in the first column of each line, other columns are not looked at. All or nothing.
    pub(super) fn take_roster(&self, csv: &str) -> Result<String, String> {
        self.has_class()?;
        if csv.len() > limits::ROSTER_BYTES {
            return Err("the list is too long".to_owned());
        }
        let names = names(csv)?;
        let mut records = lock(&self.records);
        let known = records.book.learners().count();
        let fresh: Vec<&UserName> =
            names.iter().filter(|name| records.book.learner(name).is_none()).collect();
        if known + fresh.len() > limits::LEARNERS {
            return Err(format!(
                "a range has room for {} learners, and this list has {} new ones; `class forget NAME` makes room",
                limits::LEARNERS,
                fresh.len()
            ));
        }
        for name in &fresh {
            let (learner, salt) = ((*name).clone(), Some(Salt::random(&mut OsRng)));
            let entry = Entry::Joined { learner, token: None, salt, at: now() };
            records.add(entry).map_err(|error| error.to_string())?;
        }
        let (all, fresh) = (known + fresh.len(), fresh.len());
        drop(records);
        let codes = self.codes()?;
        Ok(format!("class {}: {all} on the list, {fresh} of them new\n\n{codes}", self.class))
    }

    /// Everyone's progress at a glance, whoever is stuck first.
    pub(super) fn progress(&self) -> String {
        let records = lock(&self.records);
        let mut text = format!("{} flaws\n", flaws::ALL.len());
        let mut learners: Vec<_> = records.book.learners().collect();
        learners.sort_by(|(one, first), (other, second)| {
            (first.solved(), natural(one)).cmp(&(second.solved(), natural(other)))
        });
        for (name, learner) in learners {
            let came = match (&learner.token, learner.readmitted) {
                (Some(_), _) => "",
                (None, 0) => "  has not come yet",
                (None, _) => "  was let in again, and has not come since",
            };
            let _ = writeln!(text, "{name:<20} {:>2} solved{came}", learner.solved());
            let open = learner.rows.iter().filter(|(_, row)| row.receipt.is_none());
            for (slug, row) in open {
                let _ = writeln!(
                    text,
                    "    {slug:<20} {} of 4 hints, {}, {}, {} min ago",
                    row.hints,
                    if row.misses == 1 {
                        "1 miss".to_owned()
                    } else {
                        format!("{} misses", row.misses)
                    },
                    counted(row.resets, "reset"),
                    board::minutes_since(row)
                );
            }
            for (slug, row) in &learner.rows {
                let mut owners = row.foreign.clone();
                owners.dedup();
                for of in owners {
                    let _ = writeln!(text, "    {slug:<20} submitted a flag of {of}");
                }
            }
        }
        text
    }

    /// Begins anew what was begun, in this run of the range or before.
    pub(super) fn reset_many(
        &self,
        name: Option<&UserName>,
        slug: Option<&str>,
    ) -> Result<String, String> {
        let chosen: Vec<&'static Flaw> = match slug {
            None => flaws::ALL.to_vec(),
            Some(slug) => vec![flaws::find(slug).ok_or("there is no flaw of this name")?],
        };
        let begun: Vec<(UserName, &'static Flaw)> = {
            let records = lock(&self.records);
            if let Some(name) = name.filter(|name| records.book.learner(name).is_none()) {
                return Err(nobody(name));
            }
            let worlds = lock(&self.worlds);
            let learners = records.book.learners();
            let learners = learners.filter(|(own, _)| name.is_none_or(|name| name == *own));
            // A range that was started anew has no worlds, and learners who know the secrets of theirs.
            let begun = learners.flat_map(|(own, learner)| {
                let is_begun = |flaw: &&Flaw| {
                    let has_row = learner.rows.contains_key(flaw.slug);
                    has_row || worlds.contains_key(&(own.clone(), flaw.slug))
                };
                let flaws: Vec<&'static Flaw> = chosen.iter().copied().filter(is_begun).collect();
                flaws.into_iter().map(|flaw| (own.clone(), flaw))
            });
            begun.collect()
        };
        for (own, flaw) in &begun {
            self.reset(own, flaw).map_err(|refused| refused.to_string())?;
        }
        let begin = if begun.len() == 1 { "begins" } else { "begin" };
        Ok(format!("{} {begin} anew\n", counted(begun.len(), "world")))
    }

    /// A line for each learner and flaw.
    pub(super) fn export_csv(&self) -> String {
        let records = lock(&self.records);
        let mut text = "learner,flaw,difficulty,state,hints,resets,misses,foreign\n".to_owned();
        for (name, learner) in records.book.learners() {
            for flaw in flaws::ALL {
                let row = learner.rows.get(flaw.slug).cloned().unwrap_or_default();
                let Row { hints, resets, misses, foreign, .. } = &row;
                let state = board::state(&row);
                let _ = writeln!(
                    text,
                    "{name},{},{},{state},{hints},{resets},{misses},{}",
                    flaw.slug,
                    flaw.difficulty,
                    foreign.len()
                );
            }
        }
        text
    }

    /// A line for each flaw, as CTFd's import of challenges reads it, with a flag for each learner. Flags and
    /// hints are JSON, which CTFd splits at no comma (since 3.7, CTFd/CTFd#2460).
    pub(super) fn export_ctfd(&self) -> String {
        let records = lock(&self.records);
        let columns = "name,description,category,value,type,state,max_attempts,flags,tags,hints";
        let mut text = format!("{columns}\n");
        for flaw in flaws::ALL {
            let flags = records.book.learners().map(|(name, learner)| {
                let whose = self.salted(name, learner.salt, flaw, 0);
                // Nothing that goes without saying: Python reads 131,072 letters of a field.
                json!({"content": self.score(whose), "data": "case_insensitive"})
            });
            let hints = flaw.hints.map(|hint| json!({"content": for_all(hint), "cost": 0}));
            let mut story = format!("{}. {}", flaw.title, for_all(flaw.story));
            if flaw.story.contains(NONCE) {
                let _ = write!(story, " (`portcullis-range show {}` tells YOUR-WORD.)", flaw.slug);
            }
            let fields = [
                flaw.slug.to_owned(),
                story,
                flaw.role.to_string(),
                (u32::from(flaw.difficulty) * 100).to_string(),
                "standard".to_owned(),
                "visible".to_owned(),
                "0".to_owned(),
                Value::from_iter(flags).to_string(),
                format!("CWE-{}", flaw.cwe),
                Value::from_iter(hints).to_string(),
            ];
            let quoted = fields.map(|field| format!("\"{}\"", field.replace('"', "\"\"")));
            let _ = writeln!(text, "{}", quoted.join(","));
        }
        text
    }

    /// What a learner is given for a solve, for scoreboards elsewhere.
    pub(super) fn score(&self, whose: Whose<'_>) -> String {
        self.root.score(whose).to_string()
    }

    /// How learners get here: nothing listens beyond loopback, so they come through `ssh`.
    pub(super) fn page(&self, host: &str) -> Result<String, String> {
        self.has_class()?;
        let (port, class) = (self.address.port(), &self.class);
        Ok(format!(
            "# The range of class {class}\n\n\
             NO SECURITY: everything in there is flawed on purpose, for teaching. Break into your own world only.\n\n\
             1. In a terminal that stays open:\n\n       ssh -N -L {port}:127.0.0.1:{port} {host}\n\n\
             2. In another one:\n\n       portcullis-range join NAME --code CODE --range 127.0.0.1:{port}\n       \
             portcullis-range board\n\n\
             NAME is yours on the class's list, and CODE the one that your teacher gives you with it: nobody joins\n\
             in your name without it. Where you joined is remembered. On another machine you need a new code.\n\n\
             A world that nobody uses for {} minutes is put away, and made anew when you come: what you have solved\n\
             stays, what you said in it does not.\n\n\
             For whoever runs the machine: give learners an account of its own, which can do nothing but this. In\n\
             its `authorized_keys`, before each key:\n\n       \
             restrict,port-forwarding,permitopen=\"127.0.0.1:{port}\",command=\"/bin/false\"\n",
            limits::IDLE_MILLIS / 60_000
        ))
    }
}

/// What the learner's own word is called where it is told to all.
fn for_all(text: &str) -> String {
    text.replace(NONCE, "YOUR-WORD")
}

fn nobody(name: &UserName) -> String {
    format!("nobody here is called {name}")
}

/// What a list's first column may be called in a first line that is no name.
const HEADERS: [&str; 12] = [
    "name",
    "names",
    "learner",
    "learners",
    "user",
    "username",
    "user name",
    "pseudonym",
    "nickname",
    "student",
    "pupil",
    "login",
];

/// The names in the first column. All lines that can't be read are told at once; those that hold nothing are passed over.
fn names(csv: &str) -> Result<Vec<UserName>, String> {
    let is_between = |letter: char| [',', ';', '\t'].contains(&letter) || letter.is_whitespace();
    let lines = csv
        .trim_start_matches('\u{feff}')
        .lines()
        .map(|line| line.trim_matches(' '))
        .zip(1_usize..);
    let mut filled = lines.filter(|(line, _)| !line.trim_matches(is_between).is_empty()).peekable();
    filled.next_if(|(line, _)| {
        first(line).is_ok_and(|first| HEADERS.contains(&first.to_lowercase().as_str()))
    });
    let (mut names, mut bad) = (BTreeMap::new(), Vec::new());
    for (line, number) in filled {
        let name = first(line).map_err(str::to_owned).and_then(|first| {
            UserName::parse(first).map_err(|error| format!("{first:?}: {error}"))
        });
        match name {
            Ok(name) => match names.get(&name) {
                Some(before) => bad.push(format!("line {number}: {name} is in line {before}, too")),
                None => drop(names.insert(name, number)),
            },
            Err(why) => bad.push(format!("line {number}: {why}")),
        }
    }
    if !bad.is_empty() {
        return Err(format!(
            "nobody was put on the list, since of some lines it can't be:\n{}",
            bad.join("\n")
        ));
    }
    if names.is_empty() {
        return Err("there is no name on the list".to_owned());
    }
    Ok(names.into_keys().collect())
}

/// A line's first field, which may be in quotation marks (RFC 4180). Fields of several lines are not read.
fn first(line: &str) -> Result<&str, &'static str> {
    if line.matches('"').count() % 2 == 1 {
        return Err("a quotation mark has no other in this line");
    }
    let mut parts = line.split([',', ';', '\t']);
    let Some(quoted) = line.strip_prefix('"') else {
        return Ok(parts.next().unwrap_or_default().trim());
    };
    let (first, rest) = quoted.split_once('"').unwrap_or((quoted, ""));
    match rest.trim_start().chars().next() {
        None | Some(',' | ';') => Ok(first.trim()),
        Some(_) if rest.starts_with('\t') => Ok(first.trim()),
        Some(_) => Err("something stands behind a quotation mark"),
    }
}

/// What names are put in order by: as people count, `pupil2` before `pupil10`.
fn natural(name: &UserName) -> Vec<(bool, usize, &str)> {
    let runs = name
        .as_str()
        .as_bytes()
        .chunk_by(|one, next| one.is_ascii_digit() == next.is_ascii_digit());
    let mut rest = name.as_str();
    let parts = runs.filter_map(|run| {
        let (part, after) = rest.split_at_checked(run.len())?;
        rest = after;
        let is_number = part.starts_with(|letter: char| letter.is_ascii_digit());
        let digits = part.trim_start_matches('0');
        // Of two numbers the longer is the larger.
        Some(if is_number { (false, digits.len(), digits) } else { (true, 0, part) })
    });
    parts.collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_read_whole_or_not() {
        let check = |csv: &str, expected: Result<&[&str], &str>| {
            let read = names(csv);
            match expected {
                Ok(expected) => {
                    let read = read.unwrap();
                    let read: Vec<&str> = read.iter().map(UserName::as_str).collect();
                    assert_eq!(read, expected, "{csv:?}");
                }
                Err(expected) => assert!(read.unwrap_err().starts_with(expected), "{csv:?}"),
            }
        };
        check("mira\noleg\n", Ok(&["mira", "oleg"]));
        check(
            "\u{feff}name,mail\r\nmira,m@example.org\r\n\r\n\"oleg\";x\n;;\n",
            Ok(&["mira", "oleg"]),
        );
        check("\"name\",\"mail\"\n\"mira\",\"Meier, Mira\"\n\"oleg\"\n", Ok(&["mira", "oleg"]));
        check("\"oleg\"\t1\nmira\t\"2\"\n", Ok(&["mira", "oleg"]));
        check("\nPseudonym\tseat\nname\toleg\n", Ok(&["name"]));
        check("mira\nname\n", Ok(&["mira", "name"]));
        check("mira\nO'Neil, Anna\n", Err("nobody was put on the list"));
        check("\n\n", Err("there is no name"));
        let bad = |csv: &str, expected: &[&str]| {
            let all = names(csv).unwrap_err();
            let lines: Vec<&str> =
                all.lines().skip(1).filter_map(|line| Some(line.split_once(": ")?.0)).collect();
            assert_eq!(lines, expected, "{csv:?}");
        };
        bad("name\nO'Neil\nmira\n\nx y\n", &["line 2", "line 5"]);
        // Whoever has no name stands on no list, and nobody stands there twice.
        bad(
            "name,seat\n,1\nmira,2\n\"\",3\n ;4\n\tzoe\n",
            &["line 2", "line 4", "line 5", "line 6"],
        );
        bad("mira\noleg\nmira\n", &["line 3"]);
        // What goes on in the next line would be somebody's name there.
        bad("mira,\"Room 1\nwindow\"\n", &["line 1", "line 2"]);
        bad("\"Meier, Mira\",1\n\"mi\"\"ra\",2\nmira\"x\"\n", &["line 1", "line 2", "line 3"]);
    }

    #[test]
    fn names_are_in_the_order_in_which_people_count() {
        let sorted =
            ["anna", "pupil", "pupil1", "pupil02", "pupil2b", "pupil10", "pupil10a", "zoe"];
        let mut names = sorted.map(|name| UserName::parse(name).unwrap());
        names.reverse();
        names.sort_by(|one, other| natural(one).cmp(&natural(other)));
        assert_eq!(names.each_ref().map(UserName::as_str), sorted);
    }
}

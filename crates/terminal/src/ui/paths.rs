//! Paths of this machine that a word may become: the only look that the screen takes at the disk, and only
//! when somebody asks for it with Tab.

use std::fs::DirEntry;
use std::path::{MAIN_SEPARATOR, PathBuf};

/// Paths offered at most: more are no help.
const MOST: usize = 64;

/// The files and folders that a typed path begins to name, as they would be typed: a folder with a separator
/// at its end, a space with a backslash before it.
pub(super) fn beginning(typed: &str) -> Vec<String> {
    let typed = typed.replace("\\ ", " ");
    let (folder, name) = match typed.rfind(MAIN_SEPARATOR) {
        Some(at) => typed.split_at(at + 1),
        None => ("", typed.as_str()),
    };
    let Ok(entries) = std::fs::read_dir(expand(if folder.is_empty() { "." } else { folder }))
    else {
        return Vec::new();
    };
    let fits = |entry: &DirEntry| {
        let found = entry.file_name();
        let found = found.to_string_lossy();
        found.starts_with(name) && (!name.is_empty() || !found.starts_with('.'))
    };
    let shown = |entry: DirEntry| {
        let end = if entry.path().is_dir() { MAIN_SEPARATOR } else { ' ' };
        let name = entry.file_name().to_string_lossy().replace(' ', "\\ ");
        format!("{}{name}{end}", folder.replace(' ', "\\ "))
    };
    let mut found: Vec<String> =
        entries.filter_map(Result::ok).filter(fits).take(MOST).map(shown).collect();
    found.sort();
    found
}

/// A path as a person types it: `~` is the home folder.
pub(crate) fn expand(typed: &str) -> PathBuf {
    let home = std::env::var_os("HOME").map(PathBuf::from);
    match (typed.strip_prefix('~'), home) {
        (Some(""), Some(home)) => home,
        (Some(rest), Some(home)) if rest.starts_with(MAIN_SEPARATOR) => {
            home.join(rest.trim_start_matches(MAIN_SEPARATOR))
        }
        _ => PathBuf::from(typed),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn what_a_path_may_become() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().to_str().unwrap();
        std::fs::create_dir(folder.path().join("photos")).unwrap();
        for name in ["plan.txt", "my report.pdf", ".hidden"] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        let check = |typed: &str, expected: &[&str]| {
            let expected: Vec<String> =
                expected.iter().map(|name| format!("{place}/{name}")).collect();
            assert_eq!(beginning(&format!("{place}/{typed}")), expected, "{typed}");
        };
        check("p", &["photos/", "plan.txt "]);
        check("my", &["my\\ report.pdf "]);
        check("my\\ r", &["my\\ report.pdf "]);
        check("", &["my\\ report.pdf ", "photos/", "plan.txt "]);
        check(".h", &[".hidden "]);
        check("photos/", &[]);
        check("nowhere/x", &[]);
    }
}

//! NO SECURITY. Writes the pages of all flaws into `range/pages/`.

use portcullis_range::flaws::ALL;
use portcullis_range::pages;
use std::path::Path;

fn main() -> std::io::Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("pages");
    std::fs::create_dir_all(&folder)?;
    std::fs::write(folder.join("README.md"), pages::index())?;
    for flaw in ALL {
        std::fs::write(folder.join(format!("{}.md", flaw.slug)), pages::page(flaw))?;
    }
    Ok(())
}

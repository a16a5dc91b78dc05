//! `start`: the range itself, until Control-C.

use crate::host::{self, Host};
use portcullis_terminal::ui::safe_text::SafeLine;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::Path;

const BANNER: &str = "\
+----------------------------------------------------------------------+
|  NO SECURITY.  Everything in here is flawed on purpose, for teaching |
|  on your own machine. It listens on loopback only. Do not put it on  |
|  a network, and do not use what you learn on others' systems.        |
+----------------------------------------------------------------------+";

pub(super) fn start(listen: SocketAddr, folder: &Path, class: &str) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    let stopped = async {
        // Without signals it runs until it is killed.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    let ready = |host: &Host| {
        // The range does not end because nobody reads what it says.
        let _ = std::io::stdout().write_all(welcome(host, folder).as_bytes());
        let _ = std::io::stdout().flush();
    };
    let ran = runtime.block_on(host::run(listen, folder, class, host::seconds(), ready, stopped));
    runtime.shutdown_background();
    ran.map_err(|error| error.to_string())
}

/// What the range says once it can be reached.
fn welcome(host: &Host, folder: &Path) -> String {
    let then = if host.class().is_empty() {
        "begin in another terminal:\n    portcullis-range join NAME\n    portcullis-range board"
            .to_owned()
    } else {
        format!(
            "class {}: `portcullis-range class codes` prints what each on its list joins with\n\
             receipts are verified by the key {}",
            SafeLine::name(host.class()).as_str(),
            host.receipt_key()
        )
    };
    format!(
        "{BANNER}\n\nits folder is {}\nthe range is at http://{}\n\n{then}\n",
        folder.display(),
        host.address()
    )
}

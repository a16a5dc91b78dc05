//! What a connection costs that says nothing.

use std::net::TcpStream;

use anyhow::Context as _;

use crate::process::{Folder, Server};
use crate::table::Table;
use crate::{Options, connect, world};

/// Connections that are open before the counting starts: the first ones pay for what is made once.
const FIRST: usize = 100;

/// The transport, and the whole server with sessions, both with many idle connections.
pub(crate) fn rows(options: &Options) -> anyhow::Result<Table> {
    let transport = Server::start(&["serve-broadcast"], None)?;
    let bare =
        row("transport, no store", options, &transport, |_| connect::open(transport.address))?;
    let folder = Folder::make()?;
    let people = u32::try_from(options.connections + FIRST).context("too many connections")?;
    world::populate(folder.path(), people, 1)?;
    let whole = Server::start(&["serve-whole"], Some(folder.path()))?;
    let logged_in = row("the server, logged in", options, &whole, |number| {
        connect::resume(whole.address, number)
    })?;
    Ok(Table {
        head: vec!["idle", "connections", "KiB resident before", "after", "KiB each"],
        rows: vec![bare, logged_in],
    })
}

fn row(
    name: &str,
    options: &Options,
    server: &Server,
    open: impl Fn(u32) -> anyhow::Result<TcpStream>,
) -> anyhow::Result<Vec<String>> {
    let mut streams = Vec::new();
    let mut numbers = 0..;
    let mut open_many = |count| -> anyhow::Result<()> {
        for number in numbers.by_ref().take(count) {
            streams.push(open(number)?);
        }
        Ok(())
    };
    open_many(FIRST)?;
    let before = server.resident()?;
    open_many(options.connections)?;
    let after = server.resident()?;
    let each = (after - before) as f64 / options.connections as f64;
    Ok(vec![
        name.to_owned(),
        options.connections.to_string(),
        before.to_string(),
        after.to_string(),
        format!("{each:.2}"),
    ])
}

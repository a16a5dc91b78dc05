//! Asking the range, over HTTP on loopback.

use super::{Where, data_folder, set};
use crate::host::default_address;
use crate::plane::admit_learner;
use serde_json::Value;
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;
use ureq::Agent;
use ureq::Body;
use ureq::http::{Response, StatusCode};

/// How long an answer may take: a trial of a fix plays several worlds through.
const PATIENCE: Duration = Duration::from_secs(60);
/// Bytes of an answer.
const MOST: u64 = 64 * 1024 * 1024;

/// The file that names the range that was joined.
const ADDRESS: &str = "range";

/// The range, as a learner asks it.
pub(super) struct Range {
    agent: Agent,
    /// As it was named.
    named: String,
    /// What that means, and what is asked: a name may mean something else when it is looked up again.
    address: SocketAddr,
    token: Option<String>,
}

impl Range {
    /// The range, with what the learner comes back with, if they have joined.
    pub(super) fn new(at: &Where) -> Result<Self, String> {
        let named = address(at)?;
        let address = resolved(&named)?;
        // What the environment names as a proxy would be told what the learner comes back with.
        let config = Agent::config_builder().http_status_as_error(false).proxy(None).build();
        let token = remembered(&token_file(at)?)?;
        Ok(Self { agent: config.into(), named, address, token })
    }

    pub(super) fn get(&self, path: &str) -> Result<Value, String> {
        let request =
            self.agent.get(self.url(path)).config().timeout_global(Some(PATIENCE)).build();
        read(self.with_token(request).call().map_err(|error| self.unreachable(&error))?)
    }

    pub(super) fn post(&self, path: &str, body: &Value) -> Result<Value, String> {
        let request =
            self.agent.post(self.url(path)).config().timeout_global(Some(PATIENCE)).build();
        let sent = self.with_token(request).send(body.to_string());
        read(sent.map_err(|error| self.unreachable(&error))?)
    }

    /// Whether the range does not know what the learner comes back with.
    fn is_strange(&self) -> Result<bool, String> {
        let request = self.agent.get(self.url("/api/board"));
        let request = request.config().timeout_global(Some(PATIENCE)).build();
        let asked = self.with_token(request).call().map_err(|error| self.unreachable(&error))?;
        Ok(asked.status() == StatusCode::UNAUTHORIZED)
    }

    /// A stream of events, without end.
    pub(super) fn stream(&self, path: &str) -> Result<impl std::io::Read, String> {
        let response = self.with_token(self.agent.get(self.url(path))).call();
        let response = response.map_err(|error| self.unreachable(&error))?;
        if !response.status().is_success() {
            read(response)?;
            return Err("the range does not stream".to_owned());
        }
        Ok(response.into_body().into_reader())
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    fn with_token<B>(&self, request: ureq::RequestBuilder<B>) -> ureq::RequestBuilder<B> {
        match &self.token {
            Some(token) => request.header("Authorization", format!("Bearer {token}")),
            None => request,
        }
    }

    fn unreachable(&self, error: &ureq::Error) -> String {
        format!(
            "no range answers at {}: {error}\nis it running? `portcullis-range start`",
            self.named
        )
    }
}

/// The address of this name that answers, or the first; none of them is on another machine.
fn resolved(named: &str) -> Result<SocketAddr, String> {
    let addresses = named.to_socket_addrs().map_err(|error| format!("{named}: {error}"))?;
    let addresses: Vec<SocketAddr> = addresses.collect();
    if !addresses.iter().all(|address| address.ip().is_loopback()) {
        return Err(format!("{named} is not on this machine; a class comes by `ssh -L`"));
    }
    let first = addresses.first().ok_or_else(|| format!("{named} has no address"))?;
    // `localhost` is two of them where IPv6 is spoken, and the range listens on one.
    let mut others = addresses.iter().skip(1);
    match others.len() {
        0 => Ok(*first),
        _ if TcpStream::connect(first).is_ok() => Ok(*first),
        _ => Ok(*others.find(|address| TcpStream::connect(address).is_ok()).unwrap_or(first)),
    }
}

fn read(mut response: Response<Body>) -> Result<Value, String> {
    let status = response.status();
    let mut text = String::new();
    let body = response.body_mut().with_config().limit(MOST).reader();
    body.take(MOST).read_to_string(&mut text).map_err(|error| error.to_string())?;
    let answer: Value =
        serde_json::from_str(&text).unwrap_or_else(|_| Value::String(text.trim().to_owned()));
    if status.is_success() {
        return Ok(answer);
    }
    let message = answer["message"].as_str().or_else(|| answer.as_str());
    Err(message.unwrap_or("the range refuses, and does not say why").to_owned())
}

/// What a file of the learner's says; nothing where there is none. What can't be read is not taken for that.
fn remembered(path: &Path) -> Result<Option<String>, String> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text.trim().to_owned())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(format!("{}: {error}", path.display())),
    }
}

fn token_file(at: &Where) -> Result<PathBuf, String> {
    Ok(learner_folder(at)?.join("token"))
}

/// The learner's folder: what they come back with, and the homes of their terminal client.
pub(super) fn learner_folder(at: &Where) -> Result<PathBuf, String> {
    let named = at.learner.clone().or_else(|| set("PORTCULLIS_RANGE_LEARNER"));
    named.map_or_else(|| data_folder("learner"), Ok)
}

/// The range's address: the one that is named, or was when somebody joined from this folder.
pub(super) fn address(at: &Where) -> Result<String, String> {
    if let Some(named) = &at.range {
        return Ok(named.clone());
    }
    let joined = remembered(&learner_folder(at)?.join(ADDRESS))?;
    Ok(joined.unwrap_or_else(|| default_address().to_string()))
}

/// Where what a learner comes back with will lie, taken before the range is asked for it: nothing that is
/// there and still opens something is written over, and no name is taken whose token has no place.
pub(super) struct Place {
    path: PathBuf,
    /// What it replaces once it is written.
    old: Option<PathBuf>,
    file: File,
    address: String,
}

/// Takes the place.
pub(super) fn make_place(at: &Where) -> Result<Place, String> {
    let folder = learner_folder(at)?;
    admit_learner(&folder).map_err(|error| error.to_string())?;
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder);
    made.map_err(|error| format!("{}: {error}", folder.display()))?;
    let (token, address) = (token_file(at)?, address(at)?);
    let make = |path: &Path| OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    let (path, old, made) = match make(&token) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            let joined = fs::read_to_string(folder.join(ADDRESS)).unwrap_or_default();
            // Another range than the one that gave it knows nothing of it.
            if joined.trim() != address || !Range::new(at)?.is_strange()? {
                return Err(format!(
                    "somebody has joined from the folder {} already; name another one with --learner",
                    folder.display()
                ));
            }
            let path = folder.join(format!("token.{}", std::process::id()));
            let made = make(&path);
            (path, Some(token), made)
        }
        made => (token, None, made),
    };
    let file = made.map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(Place { path, old, file, address })
}

impl Place {
    /// Keeps what the range gives, or gives the place back.
    pub(super) fn keep(mut self, token: Result<String, String>) -> Result<(), String> {
        let kept = token.and_then(|token| {
            let written = self.file.write_all(token.as_bytes());
            // Whoever has joined need not say again where.
            let replaced = |()| self.old.as_ref().map_or(Ok(()), |old| fs::rename(&self.path, old));
            let written = written.and_then(replaced).and_then(|()| {
                fs::write(self.path.with_file_name(ADDRESS), self.address.as_bytes())
            });
            written.map_err(|error| format!("{}: {error}", self.path.display()))
        });
        if kept.is_err() {
            // What is left is empty, and says so when it is used.
            let _ = fs::remove_file(&self.path);
        }
        kept
    }
}

//! What verbs have in common: a home, a login, and the words for what happens on the way.

use std::collections::BTreeSet;
use std::time::Duration;

use portcullis_client_core::{
    Command, Config, ConversationView, History, IdentityState, Show, Warning,
};
use portcullis_crypto::{Password, Stretch};
use portcullis_proto::{Code, ConversationId, ConversationKind, ConversationName, Role, UserName};

use super::quiet::Quiet;
use super::{Common, Exit, Failure, output};
use crate::device::{Device, News, Offering, device_name};
use crate::home::Home;
use crate::net::{Door, Link};

/// What a group is called before its members have told this device.
const UNNAMED: &str = "+unnamed";

/// A device of the account, on its way to a session or in one.
pub(super) struct Session {
    device: Device,
    user: UserName,
    server: String,
    /// All conversations were listed since the last login.
    listed: bool,
    /// What was caught up since then.
    caught_up: BTreeSet<ConversationId>,
    /// Whether anything moves.
    quiet: Quiet,
}

impl Session {
    /// Opens the home, and begins to log in; as a new device where the home is empty.
    pub(super) async fn begin(common: &Common, history: History) -> Result<Self, Failure> {
        let name = common.user.clone();
        Self::with(common, history, |_, password| Command::LogIn { name, password }).await
    }

    /// Opens the home, and begins with a command, which is told whether the home has an account.
    pub(super) async fn with(
        common: &Common,
        history: History,
        first: impl FnOnce(bool, Password) -> Command,
    ) -> Result<Self, Failure> {
        let password = common.password()?;
        if common.server.is_exposed() {
            let why =
                "this is neither TLS nor this machine: others on the way see what channels say";
            output::note(&format!("{}: {why}", common.server));
        }
        let folder = common.home()?;
        let home = Home::open(&folder, &password, Stretch::STANDARD).await?;
        let link = Link::open(common.server.clone(), Door::Accounts, &common.tls_roots)?;
        let config = Config {
            device_name: device_name(),
            stretch_floor: Stretch::STANDARD,
            history,
            // A program looks at nothing.
            read_marks: false,
            always_relay: common.files.always_relay,
            loopback: common.server.is_local(),
            stock: portcullis_client_core::limits::KEY_PACKAGES,
        };
        let files = common.files.at(&common.server, &common.tls_roots)?;
        let device = Device::restore(home, link, config, files)?;
        if let Some(owner) = device.client().name().filter(|owner| **owner != common.user) {
            let message = format!("{}: this home belongs to {owner}", folder.display());
            return Err(Failure::new(Exit::Unusable, message));
        }
        let mut session = Self {
            device,
            user: common.user.clone(),
            server: common.server.to_string(),
            listed: false,
            caught_up: BTreeSet::new(),
            quiet: Quiet::default(),
        };
        let known = session.device.client().name().is_some();
        session.command(first(known, password))?;
        Ok(session)
    }

    /// The account's name.
    pub(super) const fn user(&self) -> &UserName {
        &self.user
    }

    /// The device.
    pub(super) const fn device(&self) -> &Device {
        &self.device
    }

    /// The device.
    pub(super) const fn device_mut(&mut self) -> &mut Device {
        &mut self.device
    }

    /// Whether all conversations were listed since the last login.
    pub(super) const fn is_listed(&self) -> bool {
        self.listed
    }

    /// Goes on until the session is open and all conversations are listed.
    pub(super) async fn log_in(&mut self) -> Result<(), Failure> {
        while !self.listed {
            self.next().await?;
        }
        Ok(())
    }

    /// Goes on until guests can find this device, where the account lets them.
    pub(super) async fn be_found(&mut self) -> Result<(), Failure> {
        self.log_in().await?;
        while self.device.client().is_to_be_found() {
            self.next().await?;
        }
        Ok(())
    }

    /// Has something done.
    pub(super) fn command(&mut self, command: Command) -> Result<Vec<Show>, Failure> {
        self.commands([command])
    }

    /// Has several things done.
    pub(super) fn commands(
        &mut self,
        commands: impl IntoIterator<Item = Command>,
    ) -> Result<Vec<Show>, Failure> {
        let news = self.device.commands(commands)?;
        self.take_in(news)
    }

    /// Waits for what happens next. Nothing is lost if this is dropped.
    pub(super) async fn next(&mut self) -> Result<Vec<Show>, Failure> {
        let news = self.device.next().await?;
        let shows = self.take_in(news)?;
        // The device is told each second that time has passed.
        self.quiet.look(&self.device, &shows)?;
        Ok(shows)
    }

    /// Gives up once nothing has moved for so long, from now on.
    pub(super) fn be_patient(&mut self, limit: Option<Duration>) {
        self.quiet = Quiet::within(limit);
    }

    /// How long nothing may move.
    pub(super) const fn patience(&self) -> Option<Duration> {
        self.quiet.limit
    }

    /// How long nothing has moved.
    pub(super) fn quiet_for(&self) -> Duration {
        self.quiet.since.elapsed()
    }

    /// Goes on until a conversation is read to its end.
    pub(super) async fn catch_up(&mut self, id: ConversationId) -> Result<(), Failure> {
        while !self.caught_up.contains(&id) {
            self.next().await?;
        }
        Ok(())
    }

    /// Whether something waits to be sent that can be: not where an identity has changed, which a person
    /// has to look at first.
    pub(super) fn has_unsent(&self) -> bool {
        let client = self.device.client();
        let blocked = client.conversations().any(|view| view.trust == IdentityState::Changed);
        client.has_unsent() && !blocked
    }

    /// The conversation of this name that the account is in. A group also goes by `+` and its id, since
    /// several may have one name; that is refused.
    pub(super) fn find(&self, name: &ConversationName) -> Result<Option<ConversationId>, Failure> {
        let views: Vec<ConversationView> =
            self.device.client().conversations().filter(is_member).collect();
        let is_id = |view: &&ConversationView| name.as_str() == format!("+{}", view.id);
        if let Some(view) = views.iter().filter(|view| is_group(view)).find(is_id) {
            return Ok(Some(view.id));
        }
        let named = views.iter().filter(|view| view.name == *name);
        let ids: Vec<ConversationId> = named.map(|view| view.id).collect();
        match ids.as_slice() {
            [] => Ok(None),
            [id] => Ok(Some(*id)),
            several => {
                let ids: Vec<String> = several.iter().map(|id| format!("+{id}")).collect();
                let (count, ids) = (ids.len(), ids.join(" or "));
                let message = format!("{count} groups are called {name}; say which: {ids}");
                Err(Failure::new(Exit::Usage, message))
            }
        }
    }

    /// Whether a conversation of this name may still turn up: what a group is called comes with its keys.
    pub(super) fn may_come(&self, name: &ConversationName) -> bool {
        let unnamed = |view: &ConversationView| is_group(view) && view.name.as_str() == UNNAMED;
        let is_group = matches!(name, ConversationName::Group(_));
        !self.listed
            || (is_group && self.device.client().conversations().any(|view| unnamed(&view)))
    }

    /// The conversation of this name, once it is certain whether the account is in it.
    pub(super) async fn find_listed(
        &mut self,
        name: &ConversationName,
    ) -> Result<ConversationId, Failure> {
        loop {
            self.log_in().await?;
            if let Some(id) = self.find(name)? {
                return Ok(id);
            }
            if !self.may_come(name) {
                return Err(Self::not_there(name));
            }
            self.next().await?;
        }
    }

    /// The failure of whoever is not in a conversation.
    pub(super) fn not_there(name: &ConversationName) -> Failure {
        let words = match name {
            ConversationName::Channel(name) => format!("you are not in {name}; join it first"),
            ConversationName::Group(name) => format!("you are not in {name}"),
            ConversationName::Classic(name) => format!("{name} has not written to you"),
            ConversationName::Direct(name) => {
                format!(
                    "there is no conversation with {name} yet; if there is such an account, `send --to {name}` begins one"
                )
            }
        };
        Failure::new(Exit::NotThere, words)
    }

    /// Whether something was refused because the connection was lost meanwhile; any other refusal is for
    /// good.
    pub(super) fn refused_for_now(shows: &[Show]) -> Result<bool, Failure> {
        for show in shows {
            if let Show::Refused { what, refusal } = show {
                return match refusal.code {
                    Code::Unavailable | Code::NotNow => Ok(true),
                    _ => Err(Failure::refused(what, refusal)),
                };
            }
        }
        Ok(false)
    }

    /// Looks at what the device tells.
    pub(super) fn take_in(&mut self, news: Vec<News>) -> Result<Vec<Show>, Failure> {
        let mut shows = Vec::new();
        for news in news {
            match news {
                News::Show(show) => {
                    self.look_at(&show)?;
                    shows.push(show);
                }
                News::Waiting { delay, reason } => {
                    self.listed = false;
                    self.caught_up.clear();
                    let seconds = delay.as_secs_f32();
                    output::note(&match reason {
                        Some(reason) => {
                            format!("{}: {reason}; trying again in {seconds:.1} s", self.server)
                        }
                        None => {
                            format!("the connection was lost; reconnecting in {seconds:.1} s")
                        }
                    });
                }
                News::Files { words, offering } => match offering {
                    Offering::Goes => output::note(&words),
                    Offering::Wrong => return Err(Failure::new(Exit::Usage, words)),
                    Offering::Failed => return Err(Failure::new(Exit::Failed, words)),
                },
                News::Unreachable(error) => {
                    let message = format!("{}: {error}", self.server);
                    return Err(Failure::new(Exit::Unreachable, message));
                }
            }
        }
        Ok(shows)
    }

    /// What ends any verb, and what a person should know in any verb.
    fn look_at(&mut self, show: &Show) -> Result<(), Failure> {
        match show {
            Show::Listed => self.listed = true,
            Show::CaughtUp(id, _) => {
                self.caught_up.insert(*id);
            }
            Show::Refused { what: what @ ("log in" | "register"), refusal } => {
                return Err(Failure::refused(what, refusal));
            }
            Show::Need(_) => {
                let message = "the server asks for the password again";
                return Err(Failure::new(Exit::LoginFailed, message));
            }
            Show::Ended(reason) => {
                output::note(&format!("the server has ended the session: {reason}"));
            }
            Show::Warning { conversation, warning } => {
                self.warn(*conversation, warning);
                let own =
                    matches!(warning, Warning::IdentityChanged { name } if *name == self.user);
                if own || *warning == Warning::WeakStretching {
                    return Err(Failure::new(Exit::LoginFailed, warning.to_string()));
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn warn(&self, conversation: Option<ConversationId>, warning: &Warning) {
        let mut views = self.device.client().conversations();
        match views.find(|view| Some(view.id) == conversation) {
            Some(view) => output::note(&format!("warning: {}: {warning}", view.name)),
            None => output::note(&format!("warning: {warning}")),
        }
    }
}

fn is_group(view: &ConversationView) -> bool {
    view.kind == ConversationKind::Group
}

fn is_member(view: &ConversationView) -> bool {
    matches!(view.role, Role::Owner | Role::Member)
}

//! What verbs have in common: a home, a login, and the words for what happens on the way.

use portcullis_client_core::{Command, Config, ConversationView, History, Show, Warning};
use portcullis_crypto::{Password, Stretch};
use portcullis_proto::{ChannelName, ConversationId, Role, UserName};

use super::{Common, Exit, Failure, output};
use crate::device::{Device, News, device_name};
use crate::home::Home;
use crate::net::Link;

/// A device of the account, on its way to a session or in one.
pub(super) struct Session {
    device: Device,
    user: UserName,
    server: String,
    /// All conversations were listed since the last login.
    listed: bool,
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
        let link = Link::open(common.server.clone(), &common.tls_roots)?;
        let config =
            Config { device_name: device_name(), stretch_floor: Stretch::STANDARD, history };
        let device = Device::restore(home, link, config)?;
        if let Some(owner) = device.client().name().filter(|owner| **owner != common.user) {
            let message = format!("{}: this home belongs to {owner}", folder.display());
            return Err(Failure::new(Exit::Unusable, message));
        }
        let mut session = Self {
            device,
            user: common.user.clone(),
            server: common.server.to_string(),
            listed: false,
        };
        let known = session.device.client().name().is_some();
        session.command(first(known, password))?;
        Ok(session)
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
        self.take_in(news)
    }

    /// The channel of this name that the account is in.
    pub(super) fn find(&self, name: &ChannelName) -> Option<ConversationId> {
        let is_it = |view: &ConversationView| view.name == *name && is_member(view);
        self.device.client().conversations().find(is_it).map(|view| view.id)
    }

    /// The failure of whoever is not in a channel.
    pub(super) fn not_there(name: &ChannelName) -> Failure {
        Failure::new(Exit::NotThere, format!("you are not in {name}; join it first"))
    }

    fn take_in(&mut self, news: Vec<News>) -> Result<Vec<Show>, Failure> {
        let mut shows = Vec::new();
        for news in news {
            match news {
                News::Show(show) => {
                    self.look_at(&show)?;
                    shows.push(show);
                }
                News::Waiting { delay, reason } => {
                    self.listed = false;
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

fn is_member(view: &ConversationView) -> bool {
    matches!(view.role, Role::Owner | Role::Member)
}

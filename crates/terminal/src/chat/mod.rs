//! The shell of the terminal client. A loop of five steps: wait until something happens, hand it
//! over to the screen's state or the device, show what came of it, gather it into the view, draw.
//!
//! It leaves out every decision about messages, logins and trust: those are the core's. What the
//! core wants written, sent and worked out is done by the `Device`.

mod account;
pub mod classroom;
mod clock;
mod commands;
mod connection;
mod error;
mod files;
mod folders;
mod keys;
mod limits;
mod messages;
mod model;
mod screen;
mod signals;

pub use error::ChatError;

use crate::device::{Device, FileOptions, News, Offering};
use crate::home::{Home, HomeError};
use crate::net::{Address, Door, TlsRoots};
use crate::ui::view::Level;
use crate::ui::{Theme, Ui};
use account::Entering;
use connection::Retry;
use folders::Folders;
use model::Model;
use portcullis_client_core::{Command, Config, History, Show, Warning};
use portcullis_crypto::{Password, Stretch};
use portcullis_proto::{ConversationId, ConversationName, DeviceName, UserName};
use ratatui::crossterm::event::Event as Input;
use screen::Screen;
use signals::Signals;
use std::path::PathBuf;
use tokio::sync::mpsc;
use tokio::time::{Interval, MissedTickBehavior};

/// What a chat is begun with.
#[derive(Debug, Clone)]
pub struct Options {
    /// The server.
    pub server: Address,
    /// Its door.
    pub door: Door,
    /// The weakest stretching of a password that is accepted from it.
    pub stretch_floor: Stretch,
    /// Who vouches for a server's certificate.
    pub roots: TlsRoots,
    /// The account, if it is to be a certain one.
    pub user: Option<UserName>,
    /// Its password, where nobody is to be asked for it.
    pub password: Option<Password>,
    /// The home, if it is to be a certain folder.
    pub home: Option<PathBuf>,
    /// What this device is called if it is a new one.
    pub device: DeviceName,
    /// Whether others are told how far the person has read.
    pub read_marks: bool,
    /// What the person wants of files.
    pub files: FileOptions,
}

/// Runs the chat until the person leaves, or the system asks it to end.
///
/// # Errors
/// [`ChatError`] where it can't begin or go on. The terminal is given back before this returns.
pub async fn run(options: Options) -> Result<(), ChatError> {
    let (finished, homes) = mpsc::channel(1);
    let mut shell = Shell::new(options, finished)?;
    let mut screen = Screen::take("Portcullis").map_err(ChatError::Terminal)?;
    let mut sources = Sources::new(homes)?;
    shell.begin()?;
    shell.draw(&mut screen)?;
    while !shell.is_over {
        let happened = shell.wait(&mut sources).await?;
        shell.take_in(happened, &mut sources)?;
        shell.load_history(false)?;
        shell.tell_what_was_read()?;
        shell.remember_what_is_open()?;
        shell.draw(&mut screen)?;
    }
    Ok(())
}

/// The device and everything around it.
struct Shell {
    options: Options,
    folders: Folders,
    /// The home that the form is for.
    unlocking: Option<PathBuf>,
    /// How the home was, or is to be, opened.
    entering: Option<Entering>,
    finished: mpsc::Sender<Result<Home, HomeError>>,
    device: Option<Device>,
    retry: Retry,
    model: Model,
    ui: Ui,
    /// What the dialog asks.
    asking: Option<Asking>,
    /// What is to be offered as soon as there is a conversation of this name.
    to_offer: Option<(ConversationName, Vec<PathBuf>)>,
    /// The conversation that the home remembers as open.
    remembered: Option<ConversationId>,
    utc_offset_seconds: i32,
    must_redraw: bool,
    is_over: bool,
}

/// What a dialog asks, to be done after a yes.
enum Asking {
    /// Whether somebody's safety number is the same on both sides.
    AreTheSame(UserName),
    /// Whether a group of one's own is to be left.
    Leave(ConversationId),
}

/// Where happenings come from, besides the device.
struct Sources {
    input: mpsc::Receiver<Input>,
    homes: mpsc::Receiver<Result<Home, HomeError>>,
    signals: Signals,
    tick: Interval,
}

/// Something that happened.
enum Happened {
    Input(Option<Input>),
    News(Vec<News>),
    Opened(Box<Result<Home, HomeError>>),
    Tick,
    /// The system asks the program to end.
    Ended,
}

impl Sources {
    fn new(homes: mpsc::Receiver<Result<Home, HomeError>>) -> Result<Self, ChatError> {
        let mut tick = tokio::time::interval(limits::TICK);
        // After a slow frame all those that were missed would come before what the network has.
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Ok(Self {
            input: keys::read().map_err(ChatError::Terminal)?,
            homes,
            signals: Signals::new().map_err(ChatError::Terminal)?,
            tick,
        })
    }
}

impl Shell {
    fn new(
        options: Options,
        finished: mpsc::Sender<Result<Home, HomeError>>,
    ) -> Result<Self, ChatError> {
        let folders = Folders::find(options.home.clone(), &options.server);
        let no_color = std::env::var("NO_COLOR").ok();
        Ok(Self {
            model: Model::new(options.server.to_string(), None, &options.device),
            folders: folders.ok_or(ChatError::NoDataFolder)?,
            unlocking: None,
            entering: None,
            finished,
            device: None,
            retry: Retry::default(),
            ui: Ui::new(Theme::from_no_color(no_color.as_deref())),
            asking: None,
            to_offer: None,
            remembered: None,
            utc_offset_seconds: clock::utc_offset_seconds(),
            must_redraw: false,
            is_over: false,
            options,
        })
    }

    /// Step one: waits until something happens.
    async fn wait(&mut self, sources: &mut Sources) -> Result<Happened, ChatError> {
        Ok(tokio::select! {
            biased;
            () = sources.signals.ended() => Happened::Ended,
            input = sources.input.recv() => Happened::Input(input),
            Some(opened) = sources.homes.recv() => Happened::Opened(Box::new(opened)),
            news = next_news(self.device.as_mut()) => Happened::News(news?),
            _ = sources.tick.tick() => Happened::Tick,
        })
    }

    /// Step two: hands it over; keys that wait behind a key go with it.
    fn take_in(&mut self, happened: Happened, sources: &mut Sources) -> Result<(), ChatError> {
        self.model.set_time(clock::now(), self.utc_offset_seconds);
        match happened {
            Happened::Input(input) => {
                self.take_input(input)?;
                while let Ok(input) = sources.input.try_recv() {
                    self.take_input(Some(input))?;
                }
                Ok(())
            }
            Happened::News(news) => self.show(news),
            Happened::Opened(opened) => self.opened(*opened),
            Happened::Tick => {
                self.utc_offset_seconds = clock::utc_offset_seconds();
                self.count_down();
                if let Some(device) = &self.device {
                    self.model.moved(&device.progress(), device.reading());
                }
                Ok(())
            }
            Happened::Ended => {
                self.is_over = true;
                Ok(())
            }
        }
    }

    /// Step three, wherever something came of it: takes it into the model.
    fn show(&mut self, news: Vec<News>) -> Result<(), ChatError> {
        let mut follows = Vec::new();
        let mut conversations = Vec::new();
        let mut is_trust_changed = false;
        for news in news {
            match news {
                News::Waiting { delay, reason } => self.waits(delay, reason),
                News::Unreachable(reason) => self.is_unreachable(&reason),
                News::Files { words, offering } => {
                    let goes = offering == Offering::Goes;
                    let level = if goes { Level::Info } else { Level::Warning };
                    if !goes {
                        self.ui.give_back_files();
                    }
                    self.model.say(words, level);
                }
                News::Show(show) => {
                    match &show {
                        Show::Online { .. } => {
                            self.is_online();
                            self.entered()?;
                            follows.push(Command::ListUsers);
                        }
                        Show::Offline => self.is_offline(),
                        Show::Need(_) => self.not_entered()?,
                        // A line that comes to nothing later than by a look at it.
                        Show::Refused { .. } if self.model.is_wanting() => self.ui.give_back(),
                        Show::Conversation(view) => conversations.push(view.clone()),
                        Show::SafetyNumber { name, .. } => {
                            self.asking = Some(Asking::AreTheSame(name.clone()));
                        }
                        Show::Warning { warning: Warning::IdentityChanged { .. }, .. } => {
                            is_trust_changed = true;
                        }
                        _ => {}
                    }
                    self.model.show(show);
                }
            }
        }
        if is_trust_changed {
            self.trust_changed();
        }
        conversations.iter().try_for_each(|view| self.offer_what_waits(view))?;
        follows.into_iter().try_for_each(|command| self.command(command))
    }

    /// What is known of somebody's identity has changed, and with it what conversations say of it.
    fn trust_changed(&mut self) {
        if let Some(device) = &self.device {
            self.model.restore(device.client().conversations());
        }
    }

    /// Step four: fetches the lines that the screen lacks; with `older`, those before them.
    fn load_history(&mut self, mut older: bool) -> Result<(), ChatError> {
        // A page is followed by another where it has nothing to show; each begins further back.
        while let (Some((id, before)), Some(device)) =
            (self.model.wants_history(older), &self.device)
        {
            let lines = device.home().messages_before(id, before, limits::PAGE)?;
            let has_older = u32::try_from(lines.len()).is_ok_and(|count| count == limits::PAGE);
            self.model.add_history(id, &lines, has_older);
            older = false;
        }
        Ok(())
    }

    /// Step four, too: what the screen has shown is read.
    fn tell_what_was_read(&mut self) -> Result<(), ChatError> {
        match self.model.open_unread().filter(|_| self.ui.shows_newest()) {
            Some(id) => self.command(Command::MarkRead(id)),
            None => Ok(()),
        }
    }

    /// Step four, too: the next time the chat begins where it is now.
    fn remember_what_is_open(&mut self) -> Result<(), ChatError> {
        let (Some(id), Some(device)) = (self.model.opened(), &mut self.device) else {
            return Ok(());
        };
        if self.remembered.replace(id) != Some(id) {
            device.home_mut().set_opened(id)?;
        }
        Ok(())
    }

    /// Step five: draws.
    fn draw(&mut self, screen: &mut Screen) -> Result<(), ChatError> {
        if std::mem::take(&mut self.must_redraw) {
            screen.terminal.clear().map_err(ChatError::Terminal)?;
        }
        let view = self.model.view();
        let drawn = screen.terminal.draw(|frame| self.ui.render(view, frame));
        drawn.map(|_| ()).map_err(ChatError::Terminal)
    }

    /// Has the core carry something out, and shows what came of it.
    fn command(&mut self, command: Command) -> Result<(), ChatError> {
        let Some(device) = &mut self.device else { return Ok(()) };
        let news = device.command(command)?;
        self.show(news)
    }

    fn take_input(&mut self, input: Option<Input>) -> Result<(), ChatError> {
        let action = self.ui.handle(input, self.model.view());
        action.map_or(Ok(()), |action| self.act(action))
    }
}

/// The next news of a device; never any where there is none.
async fn next_news(device: Option<&mut Device>) -> Result<Vec<News>, HomeError> {
    match device {
        Some(device) => device.next().await,
        None => std::future::pending().await,
    }
}

fn config(options: &Options) -> Config {
    Config {
        device_name: options.device.clone(),
        stretch_floor: options.stretch_floor,
        history: History::Last(limits::HISTORY),
        read_marks: options.read_marks,
        always_relay: options.files.always_relay,
        loopback: options.server.is_local(),
        stock: portcullis_client_core::limits::KEY_PACKAGES,
    }
}

//! A visit to anybody's classroom server, on the same screen and by the same five steps as a chat. There is no
//! account, so there are no forms: the home opens without a password, and the visitor is the key in it.
//!
//! It leaves out every decision about messages: those are the core's ([`Visit`]).

mod commands;

use super::ChatError;
use super::clock;
use super::keys;
use super::limits;
use super::model::Model;
use super::screen::Screen;
use super::signals::Signals;
use crate::device::{Device, News, device_name};
use crate::home::{Home, HomeError};
use crate::net::{Address, ConnectError, Door, Link, TlsRoots};
use crate::ui::view::{Connection, Level};
use crate::ui::{Theme, Ui};
use crate::verbs::data_folder;
use portcullis_client_core::{Command, Show, Visit};
use portcullis_proto::classroom::DialectId;
use ratatui::crossterm::event::Event as Input;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio::time::Interval;

/// What a visit is begun with.
#[derive(Debug, Clone)]
pub struct Options {
    /// The classroom server.
    pub server: Address,
    /// Who vouches for its certificate.
    pub roots: TlsRoots,
    /// The home, if it is to be a certain folder.
    pub home: Option<PathBuf>,
    /// How to write; every dialect is read.
    pub dialect: DialectId,
}

/// Visits until the person leaves, or the system asks it to end.
///
/// # Errors
/// [`ChatError`] where it can't begin or go on. The terminal is given back before this returns.
pub async fn run(options: Options) -> Result<(), ChatError> {
    let folder = options.home.clone().or_else(|| home_at(&options.server));
    let folder = folder.ok_or(ChatError::NoDataFolder)?;
    if let Some(error) = Home::in_use(&folder) {
        return Err(error.into());
    }
    let home = Home::open_bare(&folder).await?;
    let link = Link::open(options.server.clone(), Door::Classroom, &options.roots);
    let device = Device::visit(home, link.map_err(ChatError::Tls)?, options.dialect)?;
    let mut visitor = Visitor::new(options.server, device);
    let mut screen = Screen::take("Portcullis").map_err(ChatError::Terminal)?;
    let mut sources = Sources::new()?;
    visitor.draw(&mut screen)?;
    while !visitor.is_over {
        let happened = visitor.wait(&mut sources).await?;
        visitor.take_in(happened, &mut sources)?;
        visitor.load_history(false)?;
        visitor.tell_what_was_read()?;
        visitor.draw(&mut screen)?;
    }
    Ok(())
}

/// `portcullis/classroom/HOST-PORT` in the user's data folder: one home for each server, since each sees its
/// visitors' keys.
fn home_at(server: &Address) -> Option<PathBuf> {
    let server = format!("{}-{}", server.host().replace(':', "-"), server.port());
    Some(data_folder()?.join("portcullis").join("classroom").join(server))
}

/// The device and everything around it.
struct Visitor {
    server: Address,
    device: Device<Visit>,
    model: Model,
    ui: Ui,
    /// When the next try is due.
    due: Option<Instant>,
    /// Why the last one came to nothing.
    reason: Option<ConnectError>,
    /// The person was told where they are.
    is_welcomed: bool,
    utc_offset_seconds: i32,
    must_redraw: bool,
    is_over: bool,
}

/// Where happenings come from, besides the device.
struct Sources {
    input: mpsc::Receiver<Input>,
    signals: Signals,
    tick: Interval,
}

/// Something that happened.
enum Happened {
    Input(Option<Input>),
    News(Vec<News>),
    Tick,
    /// The system asks the program to end.
    Ended,
}

impl Sources {
    fn new() -> Result<Self, ChatError> {
        Ok(Self {
            input: keys::read().map_err(ChatError::Terminal)?,
            signals: Signals::new().map_err(ChatError::Terminal)?,
            tick: tokio::time::interval(limits::TICK),
        })
    }
}

impl Visitor {
    fn new(server: Address, device: Device<Visit>) -> Self {
        let mut model = Model::new(server.to_string(), None, &device_name());
        let utc_offset_seconds = clock::utc_offset_seconds();
        model.set_visit();
        model.set_time(clock::now(), utc_offset_seconds);
        model.restore(device.client().conversations());
        device.client().unsaid().for_each(|unsaid| model.show(unsaid));
        // Nothing has to be typed before the chat is there.
        model.show(Show::Listed);
        if let Some(name) = device.client().name() {
            model.set_guest(name);
        }
        let no_color = std::env::var("NO_COLOR").ok();
        Self {
            server,
            device,
            model,
            ui: Ui::new(Theme::from_no_color(no_color.as_deref())),
            due: None,
            reason: None,
            is_welcomed: false,
            utc_offset_seconds,
            must_redraw: false,
            is_over: false,
        }
    }

    /// Step one: waits until something happens.
    async fn wait(&mut self, sources: &mut Sources) -> Result<Happened, ChatError> {
        Ok(tokio::select! {
            biased;
            () = sources.signals.ended() => Happened::Ended,
            input = sources.input.recv() => Happened::Input(input),
            news = self.device.next() => Happened::News(news?),
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
            }
            Happened::News(news) => self.show(news),
            Happened::Tick => {
                self.utc_offset_seconds = clock::utc_offset_seconds();
                self.count_down();
            }
            Happened::Ended => self.is_over = true,
        }
        Ok(())
    }

    /// Step three, wherever something came of it: takes it into the model.
    fn show(&mut self, news: Vec<News>) {
        for news in news {
            match news {
                News::Waiting { delay, reason } => self.waits(delay, reason),
                News::Unreachable(reason) => {
                    self.due = None;
                    self.model.set_connection(Connection::Offline, None);
                    let words =
                        format!("{}: {reason}; there is no use in trying again", self.server);
                    self.model.say(words, Level::Alarm);
                }
                // Visitors have no files to offer.
                News::Files { .. } => {}
                News::Show(Show::Listed) => self.is_answered(),
                News::Show(show) => {
                    if matches!(show, Show::Offline) {
                        self.waits(Duration::ZERO, None);
                    }
                    if matches!(show, Show::Refused { .. }) && self.model.is_wanting() {
                        self.ui.give_back();
                    }
                    self.model.show(show);
                }
            }
        }
    }

    /// The server has said who is there.
    fn is_answered(&mut self) {
        (self.due, self.reason) = (None, None);
        self.model.set_connection(Connection::Online, None);
        let Some(name) = self.device.client().name() else { return };
        self.model.set_guest(name);
        if !std::mem::replace(&mut self.is_welcomed, true) {
            let home = self.device.home().folder().display();
            let words = format!(
                "You are {name} at {}, a classroom server. Nobody vouches for the names here. Private \
                 messages are encrypted, but whoever gets hold of a key later can read them all. \
                 Your own key lies in {home}, without a password.",
                self.server
            );
            self.model.say(words, Level::Info);
        }
    }

    /// The next try is so far away.
    fn waits(&mut self, delay: Duration, reason: Option<ConnectError>) {
        self.due = Some(Instant::now() + delay);
        if let Some(reason) = reason.filter(|reason| self.reason.as_ref() != Some(reason)) {
            let words = format!("no answer from {} ({reason}); trying again", self.server);
            self.model.say(words, Level::Warning);
            self.reason = Some(reason);
        }
        self.count_down();
    }

    /// Says how long the next try is away.
    fn count_down(&mut self) {
        let Some(due) = self.due else { return };
        let left = due.saturating_duration_since(Instant::now());
        let in_seconds = u64::try_from(left.as_millis().div_ceil(1000)).unwrap_or(u64::MAX);
        self.model.set_connection(Connection::Reconnecting { in_seconds }, None);
    }

    /// Step four: fetches the lines that the screen lacks; with `older`, those before them.
    fn load_history(&mut self, mut older: bool) -> Result<(), ChatError> {
        while let Some((id, before)) = self.model.wants_history(older) {
            let lines = self.device.home().messages_before(id, before, limits::PAGE)?;
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
        let news: Result<_, HomeError> = self.device.command(command);
        self.show(news?);
        Ok(())
    }

    fn take_input(&mut self, input: Option<Input>) -> Result<(), ChatError> {
        let action = self.ui.handle(input, self.model.view());
        action.map_or(Ok(()), |action| self.act(action))
    }
}

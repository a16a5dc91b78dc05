//! Setting a scene: the people of a world, and what they have said before the learner comes.

use super::{End, Frame, World, WorldError};
use crate::hands::YOU;
use crate::shelf::Shelf;
use crate::twins::SOUND;
use crate::world::person::Person;
use portcullis_client_core::{Command, Event, Saying};
use portcullis_proto::{
    Access, AccountId, ChannelName, ConversationId, ConversationName, DeviceName, GroupName,
    PersonName, RequestKind, UserName,
};
use portcullis_server_core::store::{Account, Store as _};

/// A world whose scene is being set.
#[derive(Debug)]
pub struct Stage<'w> {
    pub(super) world: &'w mut World,
}

impl World {
    /// Sets a scene.
    pub const fn stage(&mut self) -> Stage<'_> {
        Stage { world: self }
    }

    /// A device of somebody's account that lends its sessions: the learner's to their script, others' to
    /// pages in their browser.
    pub(super) fn add_script(&mut self, whose: usize) -> Result<usize, WorldError> {
        let person = self.people.get(whose).ok_or(WorldError::Nobody)?;
        let (name, password) = (person.name().clone(), person.password());
        let called = if name.as_str() == YOU { "script" } else { "browser" };
        let number = self.people.len();
        let person = Person::new(name.clone(), number, device(called)?, SOUND.client);
        self.people.push(person.for_script());
        self.event(number, Event::Command(Command::LogIn { name, password }));
        Ok(number)
    }
}

impl Stage<'_> {
    /// Somebody comes, with an account of their own.
    ///
    /// # Errors
    /// [`WorldError`].
    pub fn person(&mut self, name: &str) -> Result<(), WorldError> {
        let name = user(name)?;
        let number = self.world.people.len();
        // The learner's own client is sound: it is other people's that are not.
        let is_learner = name.as_str() == YOU;
        let defences = if is_learner { SOUND.client } else { self.world.twins.client };
        let person = Person::new(name.clone(), number, device("laptop")?, defences);
        let password = person.password();
        self.world.people.push(person);
        self.world
            .event(number, Event::Command(Command::Register { name, password, invite: None }));
        self.world.link(End::Person(number));
        self.world.event(number, Event::Connected);
        self.world.settle()
    }

    /// Somebody goes where there is no network.
    ///
    /// # Errors
    /// [`WorldError`].
    pub fn goes(&mut self, name: &str) -> Result<(), WorldError> {
        let name = user(name)?;
        let is_theirs = |end: &End| match end {
            End::Person(index) => {
                self.world.people.get(*index).is_some_and(|person| *person.name() == name)
            }
            End::Actor(_) | End::Learner(_) | End::Machine(_) => false,
        };
        let mut links = self.world.links.iter();
        let link = links.find_map(|(connection, end)| is_theirs(end).then_some(*connection));
        self.world.cut(link.ok_or(WorldError::Nobody)?);
        self.world.settle()
    }

    /// Somebody has a browser, and opens pages whose addresses they read.
    ///
    /// # Errors
    /// [`WorldError::Nobody`].
    pub fn browses(&mut self, name: &str) -> Result<(), WorldError> {
        let name = user(name)?;
        let index = self.world.people.iter().position(|person| *person.name() == name);
        let index = index.ok_or(WorldError::Nobody)?;
        self.world.people.get_mut(index).ok_or(WorldError::Nobody)?.get_browser();
        // It is a device of theirs from the beginning.
        let line = self.world.lend(index)?;
        self.world.close(line);
        Ok(())
    }

    /// Something that has no client sends frames, one after the other, on a connection of its own.
    ///
    /// # Errors
    /// [`WorldError`].
    pub fn machine(&mut self, name: &str, frames: &[String]) -> Result<(), WorldError> {
        let connection = self.world.link(End::Machine(user(name)?));
        self.world.settle()?;
        for text in frames {
            let text = text.clone();
            self.world.under_way.push_back(Frame { connection, up: true, text });
            self.world.settle()?;
        }
        Ok(())
    }

    /// There is an account of this name, of somebody who never comes.
    ///
    /// # Errors
    /// [`WorldError`].
    pub fn account(&mut self, name: &str) -> Result<(), WorldError> {
        let World { store, chance, .. } = &mut *self.world;
        let like = store.account_by_name(&user(YOU)?)?.ok_or(WorldError::Nobody)?;
        let account = Account { id: AccountId::random(chance.rng()), name: user(name)?, ..like };
        store.begin()?;
        store.insert_account(&account).map_err(|_| WorldError::Store)?;
        Ok(store.commit()?)
    }

    /// The server has a shelf of files.
    pub fn shelf(&mut self, shelf: Shelf) {
        self.world.shelf = Some(shelf);
    }

    /// The server does not offer these requests.
    pub fn shuts(&mut self, kinds: &[RequestKind]) {
        self.world.shut(kinds);
    }

    /// Somebody does something.
    ///
    /// # Errors
    /// [`WorldError`].
    pub fn does(&mut self, name: &str, command: Command) -> Result<(), WorldError> {
        self.world.command(&user(name)?, command)
    }

    /// Somebody makes a channel.
    ///
    /// # Errors
    /// [`WorldError`].
    pub fn channel(&mut self, owner: &str, name: &str, access: Access) -> Result<(), WorldError> {
        self.does(owner, Command::Create(channel(name)?, access))
    }

    /// Somebody makes a group with others.
    ///
    /// # Errors
    /// [`WorldError`].
    pub fn group(&mut self, owner: &str, name: &str, with: &[&str]) -> Result<(), WorldError> {
        let group = GroupName::parse(name).map_err(|_| WorldError::Nobody)?;
        let with = with.iter().map(|name| user(name)).collect::<Result<_, _>>()?;
        self.does(owner, Command::CreateGroup(group, with))
    }

    /// Somebody says something in a conversation that they are in.
    ///
    /// # Errors
    /// [`WorldError`].
    pub fn says(&mut self, name: &str, place: &str, text: &str) -> Result<(), WorldError> {
        let conversation = self.place(name, place)?;
        let what = Saying::Text(text.to_owned());
        self.does(name, Command::Say { conversation, what })
    }

    /// Seconds pass.
    ///
    /// # Errors
    /// [`WorldError`].
    pub fn waits(&mut self, seconds: u32) -> Result<(), WorldError> {
        (0..seconds).try_for_each(|_| self.world.tick())
    }

    /// Somebody offers a file in a conversation that they are in.
    ///
    /// # Errors
    /// [`WorldError`].
    pub fn offers(
        &mut self,
        name: &str,
        place: &str,
        file: &str,
        content: &str,
    ) -> Result<(), WorldError> {
        let conversation = self.place(name, place)?;
        self.world.offer(&user(name)?, conversation, file, content)
    }

    /// Somebody says something to somebody alone.
    ///
    /// # Errors
    /// [`WorldError`].
    pub fn tells(&mut self, name: &str, to: &str, text: &str) -> Result<(), WorldError> {
        let to = PersonName::User(user(to)?);
        self.does(name, Command::Tell(to, text.to_owned()))
    }

    /// Where somebody finds a conversation of this name.
    ///
    /// # Errors
    /// [`WorldError::Nobody`].
    pub fn place(&self, name: &str, place: &str) -> Result<ConversationId, WorldError> {
        let (name, place) = (user(name)?, ConversationName::parse(place));
        let place = place.map_err(|_| WorldError::Nobody)?;
        let person = self.world.people.iter().find(|person| *person.name() == name);
        person.and_then(|person| person.find(&place)).ok_or(WorldError::Nobody)
    }
}

/// An account's name.
pub(crate) fn user(name: &str) -> Result<UserName, WorldError> {
    UserName::parse(name).map_err(|_| WorldError::Nobody)
}

fn device(name: &str) -> Result<DeviceName, WorldError> {
    DeviceName::parse(name).map_err(|_| WorldError::Nobody)
}

/// A channel's name.
pub(crate) fn channel(name: &str) -> Result<ChannelName, WorldError> {
    ChannelName::parse(name).map_err(|_| WorldError::Nobody)
}

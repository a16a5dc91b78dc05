//! The same operations, done by whole clients.

use crate::figure::{Operation, Samples};
use crate::stage::{Stage, person_name};
use anyhow::{Result, ensure};
use portcullis_client_core::{Command, Key, Saying};
use portcullis_proto::{ConversationId, GroupName, UserName};
use portcullis_sim::DeviceIndex;

/// What the group is called at first.
pub(crate) const NAME: &str = "+bench";

/// Makes the group and all changes.
pub(crate) const MAKER: DeviceIndex = DeviceIndex(0);

/// Another member, who reads.
pub(crate) const READER: DeviceIndex = DeviceIndex(1);

/// A group, and those who act in it.
struct Play {
    stage: Stage,
    talk: ConversationId,
    members: usize,
    /// The member that comes and goes; the reader, where there are only two.
    last: DeviceIndex,
    samples: Samples,
}

/// Measures every operation, `times` times. The number of members is the larger one, before or after.
pub(crate) fn run(members: usize, times: usize) -> Result<Samples> {
    let last = DeviceIndex(members - 1);
    let mut stage = people(members)?;
    stage.counts_records = true;
    let mut samples = Samples::default();
    let talk = create(&mut stage, NAME, members)?;
    samples.add(Operation::Create, stage.spent(MAKER));
    samples.add(Operation::JoinStrangers, stage.spent(READER));
    let mut play = Play { stage, talk, members, last, samples };
    for turn in 0..times {
        let name = GroupName::parse(&format!("{NAME}{turn}"))?;
        play.makes(Operation::Update, Operation::ReadUpdate, Command::Rename(talk, name))?;
        for number in 0..times {
            let what = Saying::Text(format!("text {number} of turn {turn}"));
            let say = Command::Say { conversation: talk, what };
            play.makes(Operation::Say, Operation::Hear, say)?;
        }
    }
    for _ in 0..times {
        play.join_by_itself()?;
    }
    for _ in 0..times {
        let who = || person_name(last.0);
        play.makes(Operation::Remove, Operation::ReadRemove, Command::Remove(talk, who()?))?;
        play.makes(Operation::Add, Operation::ReadAdd, Command::Invite(talk, who()?))?;
        play.samples.add(Operation::Join, play.stage.spent(last));
        play.check()?;
    }
    Ok(play.samples)
}

impl Play {
    /// The maker does something, and the reader reads it, if it is not the very one that comes or goes.
    fn makes(&mut self, make: Operation, read: Operation, command: Command) -> Result<()> {
        self.stage.does(MAKER, command)?;
        self.samples.add(make, self.stage.spent(MAKER));
        let comes_or_goes = matches!(make, Operation::Add | Operation::Remove);
        if READER != self.last || !comes_or_goes {
            self.samples.add(read, self.stage.spent(READER));
        }
        Ok(())
    }

    /// The reader's keys are lost, and it finds its place again.
    fn join_by_itself(&mut self) -> Result<()> {
        let mut home = self.stage.home(READER);
        home.retain(|key, _| !matches!(key, Key::Mls(_)));
        self.stage.comes_back(READER, home)?;
        self.samples.add(Operation::JoinByItself, self.stage.spent(READER));
        self.samples.add(Operation::ReadJoin, self.stage.spent(MAKER));
        self.check()
    }

    /// Maker and reader agree on who is there.
    fn check(&self) -> Result<()> {
        let of = |index| -> Result<_> { Ok(self.stage.client(index)?.group(self.talk)) };
        let (maker, reader) = (of(MAKER)?, of(READER)?);
        ensure!(maker == reader, "{maker:?} is not {reader:?}");
        let found = maker.map_or(0, |view| view.leaves.len());
        ensure!(found == self.members, "{found} members instead of {}", self.members);
        Ok(())
    }
}

/// So many people with a device each, of whom the maker, the reader and the last one are there.
pub(crate) fn people(members: usize) -> Result<Stage> {
    let mut stage = Stage::new()?;
    for person in 0..members {
        let index = stage.add_device(person)?;
        if index != MAKER && index != READER && person + 1 != members {
            stage.world.crash_device(index);
        }
    }
    Ok(stage)
}

/// The maker makes a group of all people.
pub(crate) fn create(stage: &mut Stage, name: &str, members: usize) -> Result<ConversationId> {
    let others: Vec<UserName> = (1..members).map(person_name).collect::<Result<_>>()?;
    stage.does(MAKER, Command::CreateGroup(GroupName::parse(name)?, others))?;
    stage.find(MAKER, name)
}

//! Trials: an exploit, or honest use, in a world that nobody lives in. What comes of it is a verdict, never a
//! flag or a solve of anybody's.

use crate::doors::Inside;
use crate::flaws::{Exploit, Flaw, Lost, Solve};
use crate::hands::{Hands, YOU};
use crate::plane::{Flag, FlagRoot, Secrets, Whose};
use crate::twins::Twins;
use crate::world::{BEGINNING, World, WorldError};
use portcullis_proto::Timestamp;

/// A world in which a flaw's scene is set at this time, with these decisions.
///
/// # Errors
/// [`WorldError`] where the scene can't be set.
pub fn stage(
    flaw: &Flaw,
    twins: Twins,
    secrets: &Secrets,
    now: Timestamp,
) -> Result<World, WorldError> {
    let mut world = World::new(secrets.clone(), twins, flaw.react)?;
    world.catch_up(now);
    world.stage().person(YOU)?;
    (flaw.cast)(&mut world.stage(), secrets)?;
    world.begin();
    Ok(world)
}

/// Whether what was submitted, or what has happened, solves a flaw.
#[must_use]
pub fn judge(flaw: &Flaw, secrets: &Secrets, world: &World, submitted: Option<&str>) -> bool {
    match flaw.solve {
        Solve::State(broken) => broken(world.happened(), secrets),
        _ => submitted.is_some_and(|value| is_asked_for(flaw, secrets, value)),
    }
}

/// Whether this is the value that a flaw asks for; nothing is where none is submitted.
#[must_use]
pub fn is_asked_for(flaw: &Flaw, secrets: &Secrets, value: &str) -> bool {
    match flaw.solve {
        Solve::Flag => Flag::parse(value).as_ref() == Some(&secrets.flag),
        Solve::State(_) => false,
        Solve::Answer(answer) => value.trim() == answer(secrets),
    }
}

/// Worlds for trials, each with secrets of its own.
#[derive(Debug)]
pub struct Trial {
    root: FlagRoot,
    count: u32,
}

impl Trial {
    /// Trials whose secrets come from this root, which must be no deployment's.
    #[must_use]
    pub const fn new(root: FlagRoot) -> Self {
        Self { root, count: 0 }
    }

    /// Whether an exploit wins against a flaw's scene with these decisions; if not, where it lost.
    ///
    /// # Errors
    /// [`Lost`]: the exploit does not win.
    pub fn exploit(&mut self, flaw: &Flaw, twins: Twins, exploit: Exploit) -> Result<(), Lost> {
        let secrets = self.secrets(flaw);
        let mut world = set(flaw, twins, &secrets)?;
        let submitted = exploit(&mut Hands::new(&mut Inside::new(&mut world, &secrets)))?;
        if judge(flaw, &secrets, &world, submitted.as_deref()) {
            return Ok(());
        }
        Err(Lost::new("the exploit ran to its end", "the range sees no solve"))
    }

    /// Whether honest use works in a flaw's scene with these decisions, without solving anything.
    ///
    /// # Errors
    /// [`Lost`]: what does not work.
    pub fn honest(&mut self, flaw: &Flaw, twins: Twins) -> Result<(), Lost> {
        let secrets = self.secrets(flaw);
        let mut world = set(flaw, twins, &secrets)?;
        (flaw.honest)(&mut Hands::new(&mut Inside::new(&mut world, &secrets)))?;
        if judge(flaw, &secrets, &world, None) {
            return Err(Lost::new("honest use", "the range takes it for a solve"));
        }
        Ok(())
    }

    fn secrets(&mut self, flaw: &Flaw) -> Secrets {
        self.count = self.count.wrapping_add(1);
        let whose =
            Whose { class: "", learner: "trial", slug: flaw.slug, salt: None, variant: self.count };
        self.root.secrets(whose)
    }
}

fn set(flaw: &Flaw, twins: Twins, secrets: &Secrets) -> Result<World, Lost> {
    stage(flaw, twins, secrets, BEGINNING).map_err(|error| Lost::new("setting the scene", error))
}

//! A step of a transfer counts only if it speaks of a known offer of its conversation, if its author may say it, and
//! if it comes in its time: recipients answer for themselves, once; only the device that offers says where it can be
//! reached, and ends it for all; nothing counts after the end.
//!
//! Attack: a member says where another's device is to connect to, and learns its address or sends it elsewhere;
//! ends a transfer that is between others; says that somebody else has accepted, or received.
//! CWE-862, missing authorization; CWE-841, improper enforcement of behavioral workflow.
//! Precedent: CVE-2019-6223 (FaceTime) and CVE-2019-17191 (Signal), where a caller's message could stand for the
//! answer of the one who was called; Silvanovich, "The State of State Machines", 2021, finds five more.

use crate::transfer::RecipientState;
use crate::transfers::Course;
use portcullis_proto::{AccountId, DeviceId, FileStep};
use std::fmt;

/// Proof that a step counts.
#[derive(Debug, Clone, Copy)]
pub struct StepAccepted<'a> {
    by: (AccountId, DeviceId),
    step: &'a FileStep,
}

impl<'a> StepAccepted<'a> {
    /// Who says it.
    #[must_use]
    pub const fn by(self) -> (AccountId, DeviceId) {
        self.by
    }

    /// What is said.
    #[must_use]
    pub const fn step(self) -> &'a FileStep {
        self.step
    }

    /// For the range's unsound twins: without any check.
    #[must_use]
    pub const fn unproven(by: (AccountId, DeviceId), step: &'a FileStep) -> Self {
        Self { by, step }
    }
}

/// Why a step does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepRefused {
    /// It speaks of no offer that is known in its conversation.
    Unknown,
    /// It is not its author's to say.
    NotTheirs,
    /// Something came before it that its author could not know yet.
    Late,
}

impl fmt::Display for StepRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unknown => "no such offer is known here",
            Self::NotTheirs => "it is not theirs to say",
            Self::Late => "it comes too late",
        })
    }
}

/// Decides whether a step counts, by what was said before it in the log.
///
/// # Errors
/// [`StepRefused`]; whose it is to say comes first, then whether it is in time.
pub fn accept_step<'a>(
    course: Option<&Course>,
    by: (AccountId, DeviceId),
    step: &'a FileStep,
) -> Result<StepAccepted<'a>, StepRefused> {
    let course = course.ok_or(StepRefused::Unknown)?;
    let offers = by == (course.sender, course.device);
    let in_time = match step {
        FileStep::Reach { .. } if !offers => return Err(StepRefused::NotTheirs),
        FileStep::Reach { device, .. } => course.is_accepted_by(*device),
        FileStep::Ended { .. } if offers => true,
        _ => {
            let recipient = course.recipients.get(&by.0).ok_or(StepRefused::NotTheirs)?;
            match step {
                FileStep::Accepted { .. } | FileStep::Declined { .. } => {
                    recipient.state == RecipientState::Asked
                }
                _ => course.is_accepted_by(by.1) && recipient.device == Some(by.1),
            }
        }
    };
    if course.is_settled() || !in_time {
        return Err(StepRefused::Late);
    }
    Ok(StepAccepted { by, step })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::defences::{Defences, SOUND};
    use portcullis_proto::EndReason;

    type Who = (AccountId, DeviceId);

    const fn who(account: u8, device: u8) -> Who {
        (AccountId::from_bytes([account; 16]), DeviceId::from_bytes([device; 16]))
    }

    const ALICE: Who = who(1, 1);
    const ALICE_S_OTHER: Who = who(1, 2);
    const BOB: Who = who(2, 3);
    const BOB_S_OTHER: Who = who(2, 4);
    const MALLORY: Who = who(3, 5);
    const CAROL: Who = who(4, 6);

    const DECLINED: FileStep = FileStep::Declined { full: false };
    const ACCEPTED: FileStep = FileStep::Accepted { direct: true };
    const ENDED: FileStep = FileStep::Ended { reason: EndReason::Cancelled };

    fn reach(device: Who) -> FileStep {
        FileStep::Reach { device: device.1, tcp: Vec::new(), quic: None }
    }

    /// Alice offers to Bob and Mallory; Carol came later. Then these were said.
    fn course(said: &[(Who, FileStep)]) -> Course {
        let mut course = Course::begin(ALICE, [BOB.0, MALLORY.0]);
        for (by, step) in said {
            course.take(StepAccepted::unproven(*by, step));
        }
        course
    }

    fn check(said: &[(Who, FileStep)], by: Who, step: FileStep, expected: Result<(), StepRefused>) {
        let decided = accept_step(Some(&course(said)), by, &step).map(|accepted| {
            assert_eq!((accepted.by(), accepted.step()), (by, &step));
        });
        assert_eq!(decided, expected, "{said:?} {by:?} {step:?}");
    }

    const LATE: Result<(), StepRefused> = Err(StepRefused::Late);
    const NOT_THEIRS: Result<(), StepRefused> = Err(StepRefused::NotTheirs);

    #[test]
    fn recipients_answer_once_and_for_themselves() {
        let answered = [(BOB, ACCEPTED)];
        for by in [BOB, BOB_S_OTHER, MALLORY] {
            check(&[], by, ACCEPTED, Ok(()));
            check(&[], by, DECLINED, Ok(()));
        }
        for by in [ALICE, ALICE_S_OTHER, CAROL] {
            check(&[], by, ACCEPTED, NOT_THEIRS);
            check(&[], by, DECLINED, NOT_THEIRS);
            check(&answered, by, FileStep::Received, NOT_THEIRS);
            check(&answered, by, FileStep::Relay { have: 0 }, NOT_THEIRS);
        }
        check(&answered, BOB_S_OTHER, ACCEPTED, LATE);
        check(&answered, BOB, DECLINED, LATE);
        check(&answered, MALLORY, ACCEPTED, Ok(()));
    }

    #[test]
    fn only_the_device_that_took_it_goes_on() {
        let answered = [(BOB, ACCEPTED)];
        for step in [FileStep::Relay { have: 0 }, FileStep::Received, ENDED] {
            check(&answered, BOB, step.clone(), Ok(()));
            check(&answered, BOB_S_OTHER, step.clone(), LATE);
            // Mallory speaks of her own part, which has not begun.
            check(&answered, MALLORY, step.clone(), LATE);
            check(&[], BOB, step, LATE);
        }
    }

    #[test]
    fn only_the_offering_device_says_where_it_is_and_ends_it_for_all() {
        let answered = [(BOB, ACCEPTED)];
        check(&answered, ALICE, reach(BOB), Ok(()));
        check(&answered, ALICE, reach(MALLORY), LATE);
        check(&[], ALICE, ENDED, Ok(()));
        for by in [ALICE_S_OTHER, BOB, MALLORY, CAROL] {
            check(&answered, by, reach(BOB), NOT_THEIRS);
        }
        check(&answered, ALICE_S_OTHER, ENDED, NOT_THEIRS);
        check(&answered, CAROL, ENDED, NOT_THEIRS);
    }

    #[test]
    fn nothing_counts_after_the_end() {
        let ended = [(BOB, ACCEPTED), (ALICE, ENDED)];
        let done = [(BOB, ACCEPTED), (BOB, FileStep::Received), (MALLORY, DECLINED)];
        for said in [&ended[..], &done[..]] {
            check(said, ALICE, ENDED, LATE);
            check(said, ALICE, reach(BOB), LATE);
            for step in [ACCEPTED, FileStep::Relay { have: 0 }, FileStep::Received, ENDED] {
                check(said, BOB, step, LATE);
            }
        }
        let unknown = accept_step(None, BOB, &ACCEPTED).err();
        assert_eq!(unknown, Some(StepRefused::Unknown));
    }

    #[test]
    fn without_it_mallory_ends_what_is_between_others() {
        let twin =
            Defences { accept_step: |_, by, step| Ok(StepAccepted::unproven(by, step)), ..SOUND };
        let mut course = course(&[(BOB, ACCEPTED)]);
        if let Ok(accepted) = (twin.accept_step)(Some(&course), CAROL, &ENDED) {
            course.take(accepted);
        }
        assert_eq!(course.ended, Some(EndReason::Cancelled));
    }
}

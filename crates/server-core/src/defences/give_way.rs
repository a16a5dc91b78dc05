//! Where all places are taken, a connection whose peer has not said who it is gives way to the next one.
//!
//! Attack: somebody opens as many connections as there may be, says nothing on them, opens them again whenever the
//! server has waited long enough, and nobody else gets in; or opens and opens, and drives out all who are about to say
//! who they are.
//! CWE-410, insufficient resource pool; CWE-400.
//! Precedent: CVE-2007-6750 (Slowloris); OpenSSH's `MaxStartups` and `PerSourceMaxStartups`, which turn the newcomer away
//! at random, and count by address.

use std::collections::HashMap;

use crate::Peer;

/// A connection whose peer has not said who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stranger {
    /// Where it comes from.
    pub from: Peer,
    /// Greater than that of every older connection.
    pub number: u64,
}

/// Which one gives way: of the peer that has most of them, the oldest, which has had most time to say something. So a crowd
/// at one address makes room out of its own; and where everybody has the same address, whoever says who it is
/// at once is in before its turn comes.
#[must_use]
pub fn give_way(strangers: &[Stranger]) -> Option<Stranger> {
    let mut counts: HashMap<Peer, usize> = HashMap::new();
    for stranger in strangers {
        *counts.entry(stranger.from).or_insert(0) += 1;
    }
    let most = counts.values().copied().max()?;
    let of_crowds = strangers.iter().filter(|stranger| counts.get(&stranger.from) == Some(&most));
    of_crowds.min_by_key(|stranger| stranger.number).copied()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::defences::{Defences, SOUND};

    const PLACES: usize = 20;

    fn peer(number: u8) -> Peer {
        Peer::new([192, 0, 2, number].into())
    }

    /// As many connections as there are places, and then this many newcomers more, all from these peers in turn: who is in
    /// at last, of those and of one peer that came in their midst.
    fn crowd(defences: Defences, peers: &[u8], newcomers: usize) -> (bool, usize) {
        let mut inside: Vec<Stranger> = Vec::new();
        let (bystander, middle) = (peer(200), PLACES + newcomers / 2);
        let crowd = peers.iter().cycle().map(|number| peer(*number));
        let mut turned_away = 0;
        for (number, from) in crowd.take(PLACES + newcomers).enumerate() {
            let from = if number == middle { bystander } else { from };
            if inside.len() == PLACES {
                match (defences.give_way)(&inside) {
                    Some(gone) => inside.retain(|other| *other != gone),
                    None => {
                        turned_away += 1;
                        continue;
                    }
                }
            }
            inside.push(Stranger { from, number: number as u64 });
        }
        (inside.iter().any(|stranger| stranger.from == bystander), turned_away)
    }

    #[test]
    fn a_crowd_makes_room_out_of_its_own() {
        let nobody = Defences { give_way: |_| None, ..SOUND };
        let oldest = |strangers: &[Stranger]| strangers.iter().min_by_key(|it| it.number).copied();
        let oldest = Defences { give_way: oldest, ..SOUND };
        let many: Vec<u8> = (0..5).collect();
        for peers in [&[1][..], &many] {
            assert_eq!(crowd(SOUND, peers, 200), (true, 0), "{peers:?}");
            assert_eq!(crowd(nobody, peers, 200), (false, 200), "{peers:?}");
            assert_eq!(crowd(oldest, peers, 200), (false, 0), "{peers:?}");
        }
    }

    #[test]
    fn the_oldest_of_the_largest_crowd_gives_way() {
        let check = |strangers: &[(u8, u64)], expected: Option<u64>| {
            let stranger =
                |(from, number): &(u8, u64)| Stranger { from: peer(*from), number: *number };
            let strangers: Vec<_> = strangers.iter().map(stranger).collect();
            assert_eq!(give_way(&strangers).map(|it| it.number), expected, "{strangers:?}");
        };
        check(&[], None);
        check(&[(1, 7)], Some(7));
        check(&[(1, 7), (2, 3)], Some(3));
        check(&[(1, 9), (2, 3), (1, 8)], Some(8));
        check(&[(1, 9), (2, 3), (1, 8), (2, 10)], Some(3));
    }

    /// On this machine all have one address: the newcomer that speaks before as many others have come stays.
    #[test]
    fn where_all_have_one_address_it_is_the_oldest() {
        let strangers: Vec<_> =
            (0..5).map(|number| Stranger { from: Peer::loopback(), number }).collect();
        assert_eq!(give_way(&strangers), strangers.first().copied());
    }
}

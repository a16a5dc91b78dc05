//! Every bound of the classroom gateway, with its unit and its reason. How many guests there may be, and how much
//! they may say, the core decides.

use std::time::Duration;

/// Connections at the gateway, those that have not said who they are included. The core admits fewer guests than this;
/// what is left is for coming and going.
pub(super) const CONNECTIONS: usize = 2_000;

/// Frames of one connection that may be refused before it is closed: a client that errs now and then goes on, one that
/// does nothing else costs no more signatures.
pub(super) const REFUSALS: usize = 64;

/// Errands that may wait for the gateway's voice: two seconds' worth of signatures. Past it texts are left out, and
/// counted: guests have no way to fetch what they have missed, and the server none to keep it for them.
pub(super) const ERRANDS: usize = 1_024;

/// Frames that may wait for a connection that we have opened to a neighbour. Past it they are left out: a neighbour
/// that doesn't read is as good as gone.
pub(super) const LINK_FRAMES: usize = 1_024;

/// Frames of one neighbour that may wait for the domain.
pub(super) const LINK_IN_FLIGHT: usize = 256;

/// How long opening a connection to a neighbour may take.
pub(super) const LINK_CONNECT: Duration = Duration::from_secs(10);

/// The pause before the first new try to link, doubled after each link that fails or doesn't last.
pub(super) const LINK_FIRST_PAUSE: Duration = Duration::from_millis(250);

/// The longest pause: a neighbour that comes back is linked again within it.
pub(super) const LINK_LONGEST_PAUSE: Duration = Duration::from_secs(15);

/// Silence after which a neighbour is pinged; after twice that it counts as gone.
pub(super) const LINK_PING_AFTER: Duration = Duration::from_secs(30);

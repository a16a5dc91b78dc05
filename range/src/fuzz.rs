//! NO SECURITY. What the fuzzer runs against the range's own interface, as an ordinary function: requests over
//! HTTP and whatever goes over the doors of a world, of a flaw that the first byte chooses. It panics only where
//! a promise is broken: every answer has its documented form, none holds what is another learner's or the
//! plane's, the learner's own flag comes from no page of the range's, and another's world stays as it is.
//!
//! Leaves out the fuzzer itself (`fuzz/`) and sockets: the connections are in memory. Tokens and the time are
//! the machine's, so the same bytes do the same but for those.

mod caller;
mod play;

use crate::flaws;
use play::Play;
use portcullis_sim::fuzz::Input;

/// Plays what these bytes say.
pub fn range(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let Some(flaw) = input.pick(flaws::ALL) else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    let played = runtime.ok().and_then(|runtime| {
        runtime.block_on(async { Play::begin(flaw, input).await?.run().await })
    });
    assert!(played.is_some(), "there is no range to play in");
}

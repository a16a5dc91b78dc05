//! Every limit of the range, with its unit and its reason.

/// Frames that one input may lead to. A whole login and a commit of ten people lead to fewer than 400; a
/// script that answers itself for ever comes here within a second.
pub const STEPS: usize = 4_000;

/// Frames that a world's wire remembers. A long evening's exploit sends some hundreds.
pub const WIRE_FRAMES: usize = 4_000;

/// Bytes that a world's wire remembers: 512 worlds full of it are 1 GiB.
pub const WIRE_BYTES: usize = 2 * 1024 * 1024;

/// Bytes of all that a world keeps: its server's store, its people's, its log, its wire's record, frames that
/// are held. A lesson takes a fiftieth of it; 64 worlds that are full take 1 GiB.
pub const WORLD_BYTES: usize = 16 * 1024 * 1024;

/// How often a frame is kept at most, before the next one arrives: by the wire, the store, the log, a reader.
pub const KEPT_TIMES: usize = 4;

/// Bytes of what else a frame leaves: rows and entries of [`portcullis_proto::limits::SUBMIT_ENVELOPES`].
pub const KEPT_BESIDE: usize = 64 * 1024;

/// Bytes of a row in the server's store beside what it holds.
pub const ROW_BYTES: usize = 512;

/// Bytes of the frames of one world that are under way, or that wait for a learner: the largest answer of the
/// server, and as much again.
pub const MOVING_BYTES: usize = 2 * portcullis_proto::limits::SERVER_FRAME_BYTES;

/// Doors that a learner may hold open in one world, and connections in it: more than any lesson needs.
pub const LINES: usize = 32;

/// Connections to the range at once: fewer than the 1,024 files that a process may have open where nobody
/// has raised that, and three for each of 300 learners.
pub const CONNECTIONS: usize = 900;

/// Milliseconds that a connection may wait for the rest of a request, or for the next one. What is open for good, a door
/// or a stream of news, is bounded for each learner.
pub const SILENT_MILLIS: u64 = 10_000;

/// Milliseconds that a connection may take no byte of what is written to it: whoever reads slowly takes some.
pub const UNREAD_MILLIS: u64 = 30_000;

/// Milliseconds within which an answer begins: a trial of a fix plays several worlds through.
pub const ANSWER_MILLIS: u64 = 60_000;

/// Doors and streams of news that a learner may hold open, of all worlds together: fourteen such learners, and no fewer,
/// fill the range.
pub const OPEN: usize = 64;

/// Milliseconds until a connection is accepted again after the system could not, as when no file is left.
pub const ACCEPT_PAUSE_MILLIS: u64 = 100;

/// Frames that wait for a learner who does not read.
pub const UNREAD: usize = 4_000;

/// Bytes of one frame to a lesson's desk: the longest of its people's is 600.
pub const DESK_FRAME_BYTES: usize = 4_096;

/// Sealed messages that a lesson's desk remembers, for whoever comes later. Lessons have some tens.
pub const POSTS: usize = 256;

/// Notes that a lesson's desk passes: four times what it takes to try every value of every byte of a block.
pub const NOTES: usize = 16_384;

/// Invitations that a lesson's desk gives out: every try needs one.
pub const INVITES: u32 = 1_000;

/// Claims that wait at a lesson's desk.
pub const PENDING: usize = 100;

/// Steps of one claim. The longest of the lessons has three.
pub const CLAIM_STEPS: u32 = 8;

/// Bytes of an invitation, and of a name on a seat.
pub const DESK_NAME_BYTES: usize = 64;

/// Bytes of a profile.
pub const PROFILE_BYTES: usize = 1_000;

/// Lines of a lesson's log: with an unsound trace, each may be as long as a frame and a third.
pub const LOG_LINES: usize = 256;

/// Bytes of one frame from a learner: what the chat's server takes as well.
pub const FRAME_BYTES: usize = portcullis_proto::limits::CLIENT_FRAME_BYTES;

/// Milliseconds until a world is put away that nobody is connected to or asks for: half an hour, longer than a
/// break between two lessons.
pub const IDLE_MILLIS: u64 = 30 * 60 * 1_000;

/// Learners of one range: a year of a large school.
pub const LEARNERS: usize = 2_000;

/// Milliseconds until somebody gives way who has solved nothing and is in no world, where a range without a class is
/// full: a day, so that nobody loses a place between two lessons.
pub const AWAY_MILLIS: u64 = 24 * 60 * 60 * 1_000;

/// Milliseconds after which it is written down again that somebody is here: an hour, so that a day of asking leaves 24
/// lines.
pub const SEEN_MILLIS: u64 = 60 * 60 * 1_000;

/// Learners who give way at once. With those who do later no more than 60 in a minute: each writes the book anew.
pub const GIVING_WAY: u64 = 30;

/// Milliseconds until one more may.
pub const GIVING_WAY_MILLIS: u64 = 2_000;

/// News that wait for a listener who is slow; it then misses the oldest.
pub const NEWS: usize = 256;

/// Bytes of a request's body: a value that is submitted, or a name.
pub const BODY_BYTES: usize = 64 * 1024;

/// Bytes of a value that is submitted.
pub const VALUE_BYTES: usize = 4 * 1024;

/// Submissions that a learner has at once for one flaw: more than anybody mistypes.
pub const SUBMISSIONS: u64 = 10;

/// Milliseconds until one of them is back. The shortest answer is guessed once in 2^20 times, so a day of
/// guessing, 2,890 of them, finds it once in 362 times; who computes it needs one.
pub const SUBMISSION_MILLIS: u64 = 30_000;

/// Worlds of one flaw, the newest, by whose flags their learner is recognised where somebody else submits them.
pub const OLD_WORLDS: u32 = 32;

/// Resets of a world that a learner has at once, of a flaw: more than anybody needs in an hour.
pub const RESETS: u64 = 10;

/// Milliseconds until one of them is back: a day of them writes 2,890 lines, 300 kB.
pub const RESET_MILLIS: u64 = 30_000;

/// Fixes that a learner tries at once, of a flaw: all that there are, three times.
pub const FIXES: u64 = 12;

/// Milliseconds until one of them is back: each plays two worlds through.
pub const FIX_MILLIS: u64 = 10_000;

/// Passages of the wire in one answer.
pub const PAGE: usize = 200;

/// Bytes of their frames, unless the first has more: a frame is told whole and field by field.
pub const PAGE_BYTES: usize = 256 * 1024;

/// Bytes of a file of receipts, each of which takes some 500: a class of 60 with every flaw solved.
pub const RECEIPTS_BYTES: usize = 1024 * 1024;

/// Bytes of a roster: 2,000 names of 32 letters, with room for more columns.
pub const ROSTER_BYTES: usize = 1024 * 1024;

/// Bytes of a file that people of a world send each other: more than any lesson needs.
pub const FILE_BYTES: usize = 64 * 1024;

/// Key packages in the stock of each of a world's people, who are added to one or two groups while they are away. With
/// the chat's 63 they were two thirds of what a world took to begin, and of what it keeps.
pub const STOCK: usize = 4;

/// Files that are ever offered in one world: with [`FILE_BYTES`] 2 MiB, twice where they are received.
pub const FILES: usize = 32;

/// Bytes of a double's own keys, and of those behind a key package of it.
pub const DOUBLE_BYTES: usize = 4 * 1024;

/// Doubles of an operator that are kept in one world: a lesson needs one, or one at a time.
pub const DOUBLES: usize = 16;

/// Frames that are held in one world; further ones go on as if nobody held them, and what the learner would say is
/// refused. A lesson holds some tens. Letting go of all of them is one input, and has to stay below [`STEPS`] with
/// what they lead to.
pub const HELD: usize = 1_000;

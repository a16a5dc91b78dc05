//! People with tampered clients, and what their victims make of it.
//!
//! A [`Puppet`] has the keys of a device's home. It does with them what no client of ours does, and puts
//! that into the home as if the client had made it, so that it goes out over the device's own connection;
//! or it has a [`Line`] of its own to the server. A [`Twin`] is a copy of a victim with one defence less,
//! which hears every frame that the victim hears: what the one refuses, the other falls for.

use portcullis_client_core::defences::{Committed, Defences};
use portcullis_client_core::{
    Body, Client, Command, Config, Effect, Event, GroupView, History, Key, Message, Saying, Show,
    Task, TransferView, drive,
};
use portcullis_crypto::{AuthKey, LeafKey, Password, Purpose, Secret, ServerSetup, Stretch};
use portcullis_mls::{Changes, CommitView, Leaf, Made, Mls, Roster};
use portcullis_proto::{
    AccountId, Bytes, ClientFrame, Content, ConversationId, ConversationName, DeviceId, DeviceName,
    Draft, Envelope, Event as ServerEvent, GroupName, Members, Reference, Refusal, Reply, Request,
    ServerFrame, Timestamp, TransferId, UserName, encode_event, encode_refusal, encode_reply,
    session_proof,
};
use portcullis_server_core::{
    BlobPolicy, ConnectionId, Incoming, Instance, Output, Peer, Registration, Server,
};
use portcullis_sim::{Chance, DeviceIndex, World};
use serde_json::{Value, from_slice, from_value, json};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

pub(crate) const ALICE: DeviceIndex = DeviceIndex(0);
pub(crate) const BOB: DeviceIndex = DeviceIndex(1);
pub(crate) const MALLORY: DeviceIndex = DeviceIndex(2);
pub(crate) const CAROL: DeviceIndex = DeviceIndex(3);

/// Those who keep to the rules and are in the group.
pub(crate) const HONEST: [DeviceIndex; 2] = [ALICE, BOB];

pub(crate) fn name(text: &str) -> UserName {
    UserName::parse(text).unwrap()
}

pub(crate) fn group_name(text: &str) -> GroupName {
    GroupName::parse(text).unwrap()
}

/// Alice, Bob, Mallory and Carol, each with a device.
pub(crate) fn people() -> World {
    let mut world = World::new(11, Stretch::LIGHT).unwrap();
    for person in ["alice", "bob", "mallory", "carol"] {
        world.add_device(&name(person));
        world.settle().unwrap();
    }
    world
}

/// The same, and Alice's group with Bob and Mallory, in which all three have spoken.
pub(crate) fn group() -> (World, ConversationId) {
    let mut world = people();
    let members = vec![name("bob"), name("mallory")];
    does(&mut world, ALICE, Command::CreateGroup(group_name("+plan"), members));
    let id = find(&world, ALICE, "+plan").unwrap();
    for who in [ALICE, BOB, MALLORY] {
        say(&mut world, who, id, "hello");
    }
    (world, id)
}

/// A world with a liar in it may never come to rest; what was shown by then is what counts.
pub(crate) fn does(world: &mut World, who: DeviceIndex, command: Command) {
    world.command(who, command);
    let _ = world.settle();
}

pub(crate) fn say(world: &mut World, who: DeviceIndex, conversation: ConversationId, text: &str) {
    does(world, who, Command::Say { conversation, what: Saying::Text(text.to_owned()) });
}

pub(crate) fn find(world: &World, who: DeviceIndex, named: &str) -> Option<ConversationId> {
    world.devices[who.0].client()?.find(&ConversationName::parse(named).unwrap())
}

pub(crate) fn view(world: &World, who: DeviceIndex, id: ConversationId) -> Option<GroupView> {
    world.devices[who.0].client()?.group(id)
}

pub(crate) fn warned(world: &World, who: DeviceIndex) -> Vec<String> {
    world.devices[who.0].warnings().map(ToString::to_string).collect()
}

pub(crate) fn texts(world: &World, who: DeviceIndex, id: ConversationId) -> Vec<String> {
    let here = world.devices[who.0].messages().into_iter().filter(|m| m.conversation == id);
    here.filter_map(|message| match message.body {
        Body::Text { text, .. } => Some(text),
        _ => None,
    })
    .collect()
}

/// The first text of somebody in a conversation, by its id.
pub(crate) fn said(world: &World, who: DeviceIndex, id: ConversationId, by: &str) -> Reference {
    let messages = world.devices[who.0].messages();
    let wanted =
        |m: &&Message| m.conversation == id && m.sender == name(by).into() && m.text().is_some();
    messages.iter().find(wanted).unwrap().id
}

pub(crate) fn tell(world: &mut World, who: DeviceIndex, whom: &str, text: &str) {
    does(world, who, Command::Tell(name(whom).into(), text.to_owned()));
}

/// All that the server has of a conversation; nothing of one that it does not have.
pub(crate) fn log(world: &World, id: ConversationId) -> Vec<Envelope> {
    world.log().fetch(id, 0, 999, 999, usize::MAX).map(|page| page.envelopes).unwrap_or_default()
}

/// The account of a name.
pub(crate) fn account(world: &World, named: &str) -> AccountId {
    world.log().account_by_name(&name(named)).unwrap().unwrap().id
}

/// Lies to a device, frame by frame, before what was arranged earlier.
pub(crate) fn lie(
    world: &mut World,
    to: DeviceIndex,
    mut lie: impl FnMut(ServerFrame) -> Vec<ServerFrame> + 'static,
) {
    let mut earlier = world.liar.take();
    world.liar = Some(Box::new(move |who, text| {
        let frames = match who == to {
            true => lie(ServerFrame::decode(&text).unwrap()).iter().map(encode).collect(),
            false => vec![text],
        };
        match &mut earlier {
            Some(earlier) => frames.into_iter().flat_map(|frame| earlier(who, frame)).collect(),
            None => frames,
        }
    }));
}

fn encode(frame: &ServerFrame) -> String {
    match frame {
        ServerFrame::Reply(id, reply) => encode_reply(*id, reply),
        ServerFrame::Refusal(id, refusal) => encode_refusal(*id, refusal),
        ServerFrame::Event(event) => encode_event(event),
    }
}

/// Changes every list of envelopes of a conversation that goes to a device: those of pages, and single
/// ones.
pub(crate) fn change_envelopes(
    world: &mut World,
    to: DeviceIndex,
    id: ConversationId,
    mut change: impl FnMut(Vec<Envelope>) -> Vec<Envelope> + 'static,
) {
    lie(world, to, move |frame| match frame {
        ServerFrame::Event(ServerEvent::Envelope(envelope)) if envelope.conversation == id => {
            let changed = change(vec![envelope]).into_iter();
            changed.map(|envelope| ServerFrame::Event(ServerEvent::Envelope(envelope))).collect()
        }
        ServerFrame::Reply(id_of_reply, Reply::Fetched(mut page)) if page.conversation == id => {
            page.envelopes = change(page.envelopes);
            vec![ServerFrame::Reply(id_of_reply, Reply::Fetched(page))]
        }
        frame => vec![frame],
    });
}

/// Puts an envelope of the server's in before the one with this number, for one device.
pub(crate) fn insert(world: &mut World, to: DeviceIndex, at: u64, forged: Envelope) {
    let forged = Envelope { seq: at, ..forged };
    change_envelopes(world, to, forged.conversation, move |envelopes| {
        let moved = |envelope: Envelope| match envelope.seq {
            seq if seq == at => vec![forged.clone(), Envelope { seq: seq + 1, ..envelope }],
            seq if seq > at => vec![Envelope { seq: seq + 1, ..envelope }],
            _ => vec![envelope],
        };
        envelopes.into_iter().flat_map(moved).collect()
    });
}

/// Shows Alice and Bob a commit that is not in the log, before Alice's next message.
pub(crate) fn relay(
    world: &mut World,
    id: ConversationId,
    (account, device): (AccountId, DeviceId),
    commit: &[u8],
) {
    let last = log(world, id).pop().unwrap();
    let (epoch, reference) = (last.epoch + 1, Reference::from_bytes([66; 16]));
    let body = Bytes(commit.to_vec());
    let forged = Envelope { account, device, epoch, reference, body, ..last };
    HONEST.iter().for_each(|who| insert(world, *who, last.seq + 1, forged.clone()));
    say(world, ALICE, id, "unsuspecting");
}

/// Leaves something in a device's inbox, besides what it hears next.
pub(crate) fn leave(world: &mut World, to: DeviceIndex, bodies: Vec<Vec<u8>>) {
    let Puppet { account, device, .. } = Puppet::copy(world, to);
    let inbox = ConversationId::inbox(device);
    let last = log(world, inbox).len() as u64;
    let mut left: Vec<ServerFrame> = (last + 1..)
        .zip(bodies)
        .map(|(seq, body)| {
            let reference = Reference::fresh(world.now, world.chance.rng());
            let (epoch, accepted_at, body) = (0, world.now, Bytes(body));
            let conversation = inbox;
            let envelope = Envelope {
                conversation,
                seq,
                account,
                device,
                epoch,
                reference,
                accepted_at,
                body,
            };
            ServerFrame::Event(ServerEvent::Envelope(envelope))
        })
        .collect();
    lie(world, to, move |frame| {
        let mut frames = std::mem::take(&mut left);
        frames.push(frame);
        frames
    });
}

/// In time for every key package.
pub(crate) const LATER: Timestamp = Timestamp(1_800_000_000_000);

pub(crate) fn assert_warned(world: &World, who: DeviceIndex, expected: &[&str]) {
    assert_eq!(warned(world, who), expected, "{who:?}");
}

/// Members and their devices, apart from keys, and from who has left and waits to be taken out: what an
/// attack leaves as it was, though the others renew their keys after it.
pub(crate) fn essence(view: Option<&GroupView>) -> Option<(Roster, BTreeSet<DeviceId>)> {
    let view = view?;
    let gone = |account: &AccountId| view.roster.leaving.contains(account);
    let mut roster = view.roster.clone();
    roster.members.retain(|account| !gone(account));
    roster.leaving.clear();
    let leaves = view.leaves.iter().filter(|leaf| !gone(&leaf.account));
    Some((roster, leaves.map(|leaf| leaf.device).collect()))
}

/// A device that the server, or somebody with it, has made up in an account's name.
pub(crate) fn listener(account: AccountId) -> Mls {
    let key = LeafKey::generate(Chance::new(66).rng());
    Mls::new(account, DeviceId::from_bytes([66; 16]), key)
}

/// Alice says this; Bob has it, and both have the same keys.
pub(crate) fn understood(world: &mut World, id: ConversationId, text: &str) {
    say(world, ALICE, id, text);
    assert_eq!(texts(world, BOB, id).last().map(String::as_str), Some(text));
    assert_eq!(view(world, ALICE, id), view(world, BOB, id));
}

/// Somebody who does with a device's keys what they like.
pub(crate) struct Puppet {
    who: DeviceIndex,
    pub(crate) account: AccountId,
    pub(crate) device: DeviceId,
    auth: AuthKey,
    token: Bytes,
    pub(crate) mls: Mls,
}

impl Puppet {
    /// With a copy of a device's home.
    pub(crate) fn copy(world: &World, who: DeviceIndex) -> Self {
        let home = world.devices[who.0].copy_of_home();
        let own: Value = from_slice(&home[&Key::Account]).unwrap();
        let own = |field: &str| own["r"][field].clone();
        let account = from_value(own("account")).unwrap();
        let (device, auth, leaf): (DeviceId, Bytes, Bytes) = from_value(own("device")).unwrap();
        let secret = |bytes: &Bytes| Secret::from_slice(bytes.as_slice()).unwrap();
        let mut mls = Mls::new(account, device, LeafKey::from_secret(&secret(&leaf)));
        for (key, value) in &home {
            if let Key::Mls(key) = key {
                mls.restore_record(*key, value.clone());
            }
        }
        let (auth, token) =
            (AuthKey::from_secret(&secret(&auth)), from_value(own("token")).unwrap());
        Self { who, account, device, auth, token, mls }
    }

    /// A key package of this device that it left on the server, and that somebody has used since.
    pub(crate) fn used_package(&self, world: &mut World) -> Bytes {
        let taken: Rc<RefCell<Option<Bytes>>> = Rc::default();
        let takes = Rc::clone(&taken);
        let device = self.device;
        lie(world, CAROL, move |frame| {
            if let ServerFrame::Reply(_, Reply::KeyPackages { packages }) = &frame {
                let of_this = packages.iter().find(|claimed| claimed.device == device);
                *takes.borrow_mut() = of_this.and_then(|claimed| claimed.package.clone());
            }
            vec![frame]
        });
        let whose = world.devices[self.who.0].client().unwrap().name().unwrap().clone();
        does(world, CAROL, Command::Tell(whose.into(), "hello".to_owned()));
        taken.take().unwrap()
    }

    /// What members agree on, with something changed.
    pub(crate) fn roster(&self, id: ConversationId, change: impl FnOnce(&mut Roster)) -> Roster {
        let mut roster = self.mls.view(id).unwrap().roster;
        change(&mut roster);
        roster
    }

    /// Makes a commit and sends it, as the client would have.
    pub(crate) fn commits(&mut self, world: &mut World, id: ConversationId, changes: &Changes) {
        let made = self.mls.commit(id, changes).unwrap();
        self.sends(world, id, &made);
    }

    /// Sends a commit that was made somehow.
    pub(crate) fn sends(&mut self, world: &mut World, id: ConversationId, made: &Made) {
        let reference = Reference::fresh(world.now, world.chance.rng());
        let device = self.device;
        self.tampers(world, |home| {
            let mut record: Value = from_slice(&home[&Key::Conversation(id)]).unwrap();
            let epoch = epoch(&record);
            let request = commit(id, epoch, device, reference, made);
            let frame = ClientFrame { id: 0, request }.encode();
            record["r"]["encrypted"]["commit"] = json!({
                "reference": reference, "epoch": epoch, "frame": frame, "acknowledged": false,
            });
            (Key::Conversation(id), record)
        });
    }

    /// Puts a content into the outbox, for the client to encrypt.
    pub(crate) fn says(&mut self, world: &mut World, id: ConversationId, content: &Content) {
        self.says_all(world, id, std::slice::from_ref(content));
    }

    /// The same with several.
    pub(crate) fn says_all(&mut self, world: &mut World, id: ConversationId, contents: &[Content]) {
        let waits = |content: &Content| json!({ "content": Bytes(content.encode()), "body": null });
        let waiting: Vec<Value> = contents.iter().map(waits).collect();
        self.tampers(world, |_| (Key::Outbox(id), json!({ "v": 2, "r": waiting })));
    }

    /// Stops the device, changes its home, and starts it again.
    fn tampers(
        &mut self,
        world: &mut World,
        change: impl FnOnce(&BTreeMap<Key, Vec<u8>>) -> (Key, Value),
    ) {
        world.crash_device(self.who);
        let mut home = world.devices[self.who.0].copy_of_home();
        for (key, value) in self.mls.take_writes() {
            match value {
                Some(value) => home.insert(Key::Mls(key), value.to_vec()),
                None => home.remove(&Key::Mls(key)),
            };
        }
        let (key, record) = change(&home);
        home.insert(key, serde_json::to_vec(&record).unwrap());
        world.devices[self.who.0].restore_home(home);
        let _ = world.settle();
    }
}

/// What is sent to the server with a commit, which says nothing of members.
pub(crate) fn commit(
    conversation: ConversationId,
    epoch: u64,
    device: DeviceId,
    reference: Reference,
    made: &Made,
) -> Request {
    Request::Commit {
        conversation,
        epoch,
        device,
        creates: None,
        envelope: Draft { reference, body: Bytes(made.commit.clone()) },
        welcome: None,
        group_info: Bytes(made.group_info.clone()),
        members: Members::default(),
    }
}

/// A connection of a tampered client's own making, to a server with the same store and usual rates.
pub(crate) struct Line {
    server: Server,
    now: Timestamp,
}

impl Line {
    pub(crate) fn open(world: &mut World, of: &Puppet) -> Self {
        let instance = Instance {
            setup: ServerSetup::generate(world.chance.rng()),
            registration: Registration::Open,
            stretch: Stretch::LIGHT,
            rate_factor: 1,
            blobs: BlobPolicy::default(),
            guests: None,
        };
        let rng = Box::new(world.chance.fork().into_rng());
        let mut server = Server::new(instance, portcullis_server_core::defences::SOUND, rng);
        let hello = server.connect(ConnectionId(1), Peer::loopback(), world.now);
        let ServerEvent::Hello { nonce, .. } = hello else {
            panic!("not a hello: {hello:?}");
        };
        let signed = session_proof(nonce, of.account, of.device);
        let proof = of.auth.sign(Purpose::SessionProof, &signed);
        let mut line = Self { server, now: world.now };
        let resume = Request::Resume { token: of.token.clone(), device: of.device, proof };
        line.ask(world, resume).unwrap();
        line
    }

    pub(crate) fn ask(&mut self, world: &World, request: Request) -> Result<Reply, Refusal> {
        let one = Incoming::Request { connection: ConnectionId(1), id: 1, request: Ok(request) };
        let outputs = self.server.run(&world.store, self.now, vec![one]);
        let reply = outputs.into_iter().find_map(|output| match output {
            Output::Reply { result, .. } => Some(result),
            _ => None,
        });
        reply.unwrap()
    }
}

/// The epoch of a conversation by the server's count.
fn epoch(record: &Value) -> u64 {
    record["r"]["encrypted"]["epoch"].as_u64().unwrap()
}

/// An unsound twin of a defence asks the sound one about a harmless commit, whatever was committed.
pub(crate) fn instead<T>(committed: &Committed<'_>, check: impl FnOnce(&Committed<'_>) -> T) -> T {
    let before = committed.before;
    let present = |leaf: &&Leaf| !before.roster.leaving.contains(&leaf.account);
    let committer = *before.leaves.iter().find(present).unwrap();
    let commit = CommitView {
        epoch: before.epoch,
        committer,
        external: false,
        new_leaf: None,
        added: Vec::new(),
        removed: Vec::new(),
        foreign_proposals: 0,
        roster_before: before.roster.clone(),
        roster_after: Some(before.roster.clone()),
        context_kept: true,
        removes_self: false,
    };
    let envelope = (committer.account, committer.device);
    check(&Committed { before, commit: &commit, envelope })
}

/// A copy of a device with other defences, which hears what the device hears.
pub(crate) struct Twin {
    client: Client,
    chance: Chance,
    now: Timestamp,
    /// What it would have sent.
    pub(crate) sends: Vec<String>,
    /// What it has shown.
    pub(crate) shows: Vec<Show>,
    /// What it would have done with files.
    pub(crate) tasks: Vec<Task>,
    /// All groups as it has ever had them.
    views: Vec<GroupView>,
}

impl Twin {
    /// Starts a device again, together with its twin.
    pub(crate) fn of(world: &mut World, who: DeviceIndex, defences: Defences) -> Rc<RefCell<Self>> {
        world.crash_device(who);
        let home = world.devices[who.0].copy_of_home();
        let config = Config {
            device_name: DeviceName::parse("twin").unwrap(),
            stretch_floor: Stretch::LIGHT,
            history: History::All,
            read_marks: true,
            always_relay: false,
            loopback: true,
            stock: portcullis_client_core::limits::KEY_PACKAGES,
        };
        let written = home.iter().map(|(key, value)| (*key, value.as_slice()));
        let client = Client::restore(config, defences, written).unwrap();
        let name = client.name().unwrap().clone();
        let password = Password::new(format!("password of {name}"));
        let mut twin = Self {
            client,
            chance: Chance::new(5),
            now: world.now,
            sends: Vec::new(),
            shows: Vec::new(),
            tasks: Vec::new(),
            views: Vec::new(),
        };
        twin.event(Event::Command(Command::LogIn { name, password }));
        twin.event(Event::Connected);
        let twin = Rc::new(RefCell::new(twin));
        let hears = Rc::clone(&twin);
        lie(world, who, move |frame| {
            hears.borrow_mut().event(Event::Frame(encode(&frame)));
            vec![frame]
        });
        world.settle().unwrap();
        twin
    }

    pub(crate) fn event(&mut self, event: Event) {
        let mut perform = portcullis_crypto::perform;
        for effect in drive(&mut self.client, event, self.now, self.chance.rng(), &mut perform) {
            match effect {
                Effect::Send(frame) => self.sends.push(frame),
                Effect::Show(show) => self.shows.push(show),
                Effect::Transfer(assignment) => self.tasks.push(assignment.task),
                _ => {}
            }
        }
        let ids: Vec<_> = self.client.conversations().map(|view| view.id).collect();
        for view in ids.into_iter().filter_map(|id| self.client.group(id)) {
            if self.views.last() != Some(&view) {
                self.views.push(view);
            }
        }
    }

    /// Whether it ever had a group as somebody else has it now: the same members, with the same keys.
    pub(crate) fn followed(&self, view: Option<GroupView>) -> bool {
        view.is_some_and(|view| self.views.contains(&view))
    }

    /// What it makes of a transfer.
    pub(crate) fn transfer(&self, id: TransferId) -> Option<TransferView> {
        self.client.transfers().into_iter().find(|view| view.transfer == id)
    }

    pub(crate) fn group(&self, id: ConversationId) -> Option<GroupView> {
        self.client.group(id)
    }

    pub(crate) fn find(&self, named: &str) -> Option<ConversationId> {
        self.client.find(&ConversationName::parse(named).unwrap())
    }
}

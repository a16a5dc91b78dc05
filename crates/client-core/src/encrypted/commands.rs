//! What a person does with directs and groups. Most of it is a plan, which is carried out as soon as it
//! can be, also after a restart.

use super::Plan;
use crate::client::{Client, Pending, Step};
use crate::conversation::Conversation;
use crate::effect::Key;
use crate::event::Saying;
use crate::show::{MemberView, Show, Warning};
use portcullis_mls::{Roster, RosterKind};
use portcullis_proto::{
    Access, AccountId, AccountName, Code, ConversationId, ConversationKind, ConversationSummary,
    GroupName, Refusal, Request, Role, UserName,
};

/// What is to be done once the accounts of some names are known.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Errand {
    /// Names whose accounts are being looked up.
    pub(crate) names: Vec<UserName>,
    /// What then.
    pub(crate) then: Then,
}

/// What an errand is for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Then {
    /// Say this in the direct with them; nothing where it is empty.
    Tell(String),
    /// Make a group.
    Group(GroupName),
    /// Make them members.
    Add(ConversationId),
    /// Take their files up to so many bytes without asking.
    AutoAccept(Option<u64>),
    /// Whether they may be reached directly.
    AllowDirect(bool),
}

impl Client {
    /// Does something with people, by their names: at once where all are known.
    pub(crate) fn run(&mut self, step: &mut Step<'_>, names: Vec<UserName>, then: Then) {
        let unknown: Vec<UserName> =
            names.iter().filter(|name| self.account_of(name).is_none()).cloned().collect();
        if unknown.is_empty() {
            return self.errand_ready(step, &names, then);
        }
        if !self.is_open() {
            return self.not_online(step, "look this account up");
        }
        self.errands.push(Errand { names, then });
        self.ask_names(step, unknown);
    }

    fn ask_names(&mut self, step: &mut Step<'_>, names: Vec<UserName>) {
        for name in names {
            let request = Request::AccountByName { name: name.clone(), after_version: 0 };
            self.ask(step, request, Pending::Errand(name));
        }
    }

    /// Over a new connection, names are looked up again.
    pub(crate) fn resume_errands(&mut self, step: &mut Step<'_>) {
        self.errand_goes_on(step);
        let names = self.errands.iter().flat_map(|errand| &errand.names);
        let unknown = names.filter(|name| self.account_of(name).is_none()).cloned().collect();
        self.ask_names(step, unknown);
    }

    /// A name was looked up.
    pub(crate) fn errand_goes_on(&mut self, step: &mut Step<'_>) {
        let errands = std::mem::take(&mut self.errands);
        for errand in errands {
            if errand.names.iter().all(|name| self.account_of(name).is_some()) {
                self.errand_ready(step, &errand.names, errand.then);
            } else {
                self.errands.push(errand);
            }
        }
    }

    /// A name can't be looked up: what needed it is not done.
    pub(crate) fn errand_refused(
        &mut self,
        step: &mut Step<'_>,
        name: &UserName,
        refusal: Refusal,
    ) {
        self.errands.retain(|errand| !errand.names.contains(name));
        let missing = format!("there is no account called {name}");
        let refusal = match refusal.code {
            Code::NotFound => Refusal::new(Code::NotFound, missing),
            _ => refusal,
        };
        step.show(Show::Refused { what: "find this account", refusal });
    }

    fn errand_ready(&mut self, step: &mut Step<'_>, names: &[UserName], then: Then) {
        let accounts: Vec<AccountId> =
            names.iter().filter_map(|name| self.account_of(name)).collect();
        match (then, accounts.first()) {
            (Then::Tell(text), Some(account)) => self.tell(step, *account, text),
            (Then::AutoAccept(bytes), Some(account)) => {
                self.set_auto_accept(step, *account, bytes);
            }
            (Then::AllowDirect(allow), Some(account)) => self.set_direct(step, *account, allow),
            (Then::Tell(_) | Then::AutoAccept(_) | Then::AllowDirect(_), None) => {}
            (Then::Group(name), _) => self.make_group(step, name, &accounts),
            (Then::Add(id), _) => self.change_plan(step, id, |plan| plan.add.extend(&accounts)),
        }
    }

    fn tell(&mut self, step: &mut Step<'_>, with: AccountId, text: String) {
        let Some(me) = self.own_account() else {
            return self.not_online(step, "send a private message");
        };
        if with == me {
            let message = "this is you: a private message goes to somebody else";
            let refusal = Refusal::new(Code::Forbidden, message);
            return step.show(Show::Refused { what: "send a private message", refusal });
        }
        let id = ConversationId::direct(me, with);
        let known = self.conversations.get(&id).map(|conversation| conversation.summary.kind);
        if known.is_some_and(|kind| kind != ConversationKind::Direct) {
            return step.warn(None, Warning::KindChanged);
        }
        if known.is_none() {
            let name = self.name_of(with).unwrap_or_else(crate::people::nobody);
            let with = Some(AccountName { account: with, name });
            self.begin(id, ConversationKind::Direct, with);
        }
        self.show_conversation(step, id);
        if !text.is_empty() {
            self.say(step, id, Saying::Text(text));
        }
        self.advance(step, id);
    }

    fn make_group(&mut self, step: &mut Step<'_>, name: GroupName, members: &[AccountId]) {
        let Some(me) = self.own_account() else {
            return self.not_online(step, "make a group");
        };
        let id = ConversationId::random(step.rng);
        self.begin(id, ConversationKind::Group, None);
        if let Some(encrypted) = self.encrypted_mut(id) {
            encrypted.plan.add = members.iter().copied().filter(|a| *a != me).collect();
            encrypted.name = Some(name);
        }
        self.show_conversation(step, id);
        self.advance(step, id);
    }

    /// A conversation that nobody knows of but this device, until its first commit is stored.
    fn begin(&mut self, id: ConversationId, kind: ConversationKind, with: Option<AccountName>) {
        let add = with.iter().map(|with| with.account).collect();
        let summary = ConversationSummary {
            conversation: id,
            kind,
            name: None,
            with,
            access: Access::Invitation,
            role: Role::Owner,
            epoch: 0,
            since: 1,
            head: 0,
            members: None,
        };
        let mut conversation = Conversation::new(summary);
        if let Some(encrypted) = &mut conversation.encrypted {
            encrypted.plan = Plan { create: true, add, ..Plan::default() };
        }
        self.conversations.insert(id, conversation);
        self.touch(Key::Conversation(id));
    }

    /// What the members of a new conversation agree on.
    pub(crate) fn first_roster(&self, id: ConversationId) -> Option<Roster> {
        let me = self.own_account()?;
        let conversation = self.conversations.get(&id)?;
        let encrypted = conversation.encrypted.as_ref()?;
        Some(match &conversation.summary.with {
            Some(with) => Roster {
                kind: RosterKind::Direct,
                name: None,
                owner: None,
                members: vec![me, with.account],
                leaving: Vec::new(),
            },
            None => Roster {
                kind: RosterKind::Group,
                name: encrypted.name.clone(),
                owner: Some(me),
                members: vec![me],
                leaving: Vec::new(),
            },
        })
    }

    /// Changes what is wanted of a group.
    pub(crate) fn change_plan(
        &mut self,
        step: &mut Step<'_>,
        id: ConversationId,
        change: impl FnOnce(&mut Plan),
    ) {
        let group = self
            .conversations
            .get_mut(&id)
            .filter(|c| c.summary.kind == ConversationKind::Group && c.is_member());
        let Some(encrypted) = group.and_then(|conversation| conversation.encrypted.as_mut()) else {
            let refusal = Refusal::new(Code::NotFound, "this is not a group that you are in");
            return step.show(Show::Refused { what: "change this conversation", refusal });
        };
        change(&mut encrypted.plan);
        encrypted.tries = 0;
        self.touch(Key::Conversation(id));
        self.advance(step, id);
    }

    /// Takes somebody out of a group, or makes them its owner.
    pub(crate) fn change_member(
        &mut self,
        step: &mut Step<'_>,
        id: ConversationId,
        name: &UserName,
        change: impl FnOnce(&mut Plan, AccountId),
    ) {
        let members = self.mls.view(id).map(|view| view.roster.members).unwrap_or_default();
        let account = self.account_of(name).filter(|account| members.contains(account));
        let Some(account) = account else {
            let refusal = Refusal::new(Code::NotFound, format!("{name} is not a member"));
            return step.show(Show::Refused { what: "change this conversation", refusal });
        };
        self.change_plan(step, id, |plan| change(plan, account));
    }

    /// Lists who takes part.
    pub(crate) fn show_members(&self, step: &mut Step<'_>, id: ConversationId) {
        let Some(view) = self.mls.view(id) else {
            let message = "this conversation has no list of members, or this device no keys yet";
            let refusal = Refusal::new(Code::NotFound, message);
            return step.show(Show::Refused { what: "list the members", refusal });
        };
        let member = |account: &AccountId| MemberView {
            name: self.name_of(*account).unwrap_or_else(crate::people::nobody),
            owner: view.roster.owner == Some(*account),
            devices: view.leaves.iter().filter(|leaf| leaf.account == *account).count(),
            identity: self.identity_of(*account),
        };
        let stays = |account: &&AccountId| !view.roster.leaving.contains(account);
        let members = view.roster.members.iter().filter(stays).map(member).collect();
        let digit = |byte: &u8| format!("{:02x}", byte);
        let pairs: Vec<String> = view.authenticator.iter().take(8).map(digit).collect();
        let code = pairs.chunks(2).map(<[String]>::concat).collect::<Vec<_>>().join(" ");
        step.show(Show::Members { conversation: id, members, code });
    }

    /// The account of a name, if it was looked up before.
    pub(crate) fn account_of(&self, name: &UserName) -> Option<AccountId> {
        match &self.own {
            Some(own) if own.name == *name => Some(own.account),
            _ => {
                let mut named = self.people.iter().filter(|(_, person)| person.name == *name);
                named.next().map(|(account, _)| *account)
            }
        }
    }
}

//! The screen as people see it: snapshots of what a terminal would show, and promises that hold
//! on any screen.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use super::sample;
use super::view::*;
use super::{Action, Theme, Ui};
use proptest::prelude::*;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::style::{Color, Modifier};

fn buffer(ui: &mut Ui, view: &View, columns: u16, rows: u16) -> Buffer {
    let mut terminal = Terminal::new(TestBackend::new(columns, rows)).unwrap();
    terminal.draw(|frame| ui.render(view, frame)).unwrap();
    terminal.backend().buffer().clone()
}

/// The rows of a buffer, as a person reads them.
fn text(buffer: &Buffer) -> String {
    let mut rows = Vec::new();
    for row in buffer.area.rows() {
        let mut skip = 0;
        let mut shown = String::new();
        for column in row.x..row.right() {
            let symbol = buffer.cell((column, row.y)).unwrap().symbol();
            if skip > 0 {
                skip -= 1;
                continue;
            }
            shown.push_str(symbol);
            skip = super::safe_text::SafeLine::name(&symbol.replace('\u{200e}', "")).width().max(1)
                - 1;
        }
        rows.push(shown.trim_end().replace('\u{200e}', ""));
    }
    rows.join("\n")
}

fn shown(ui: &mut Ui, view: &View, columns: u16, rows: u16) -> String {
    text(&buffer(ui, view, columns, rows))
}

fn screen(view: &View, columns: u16, rows: u16) -> String {
    shown(&mut Ui::new(Theme::Colour), view, columns, rows)
}

fn press(ui: &mut Ui, view: &View, code: KeyCode, modifiers: KeyModifiers) -> Option<Action> {
    ui.handle_key(KeyEvent::new(code, modifiers), view)
}

fn type_text(ui: &mut Ui, view: &View, text: &str) {
    for letter in text.chars() {
        assert_eq!(press(ui, view, KeyCode::Char(letter), KeyModifiers::NONE), None);
    }
}

#[test]
fn an_empty_conversation() {
    insta::assert_snapshot!(screen(&sample::empty(), 80, 24));
    insta::assert_snapshot!("no_conversation", screen(&View::default(), 80, 12));
}

#[test]
fn a_busy_conversation() {
    insta::assert_snapshot!("busy_80x24", screen(&sample::busy(), 80, 24));
    insta::assert_snapshot!("busy_120x30", screen(&sample::busy(), 120, 30));
    insta::assert_snapshot!("busy_narrow", screen(&sample::busy(), 50, 20));
    insta::assert_snapshot!("busy_tiny", screen(&sample::busy(), 20, 5));
}

#[test]
fn a_group() {
    insta::assert_snapshot!("group_80x24", screen(&sample::group(), 80, 24));
    insta::assert_snapshot!("group_120x24", screen(&sample::group(), 120, 24));
}

#[test]
fn guests_are_marked() {
    let mut view = sample::classroom();
    insta::assert_snapshot!("guests_80x24", screen(&view, 80, 24));
    insta::assert_snapshot!("guests_120x24", screen(&view, 120, 24));
    view.open = Some(view.conversations[1].key);
    let screen = screen(&view, 80, 6);
    let rows: Vec<&str> = screen.lines().collect();
    insta::assert_snapshot!("guest_bars", format!("{}\n{}", rows[0], rows[4]));
}

#[test]
fn a_long_hint_is_shown_whole() {
    let (mut ui, view) = (Ui::new(Theme::Colour), sample::busy());
    let words = "there is no list of members here, and these are more words than eighty columns hold, up to the last";
    ui.show_hint(words, Level::Warning);
    let screen = shown(&mut ui, &view, 80, 24);
    let joined: Vec<&str> = screen.split_whitespace().collect();
    assert!(joined.join(" ").contains(words), "{screen}");
    assert!(screen.ends_with("#lobby ❯"), "{screen}");
}

/// The bars say what protects a conversation, in words, and at 80 columns all of them.
#[test]
fn the_bars_of_a_conversation() {
    let bars = |name: &str, trust: Option<Trust>| {
        let mut view = sample::busy();
        let named = |one: &&mut Conversation| one.name == name;
        let conversation = view.conversations.iter_mut().find(named).unwrap();
        conversation.trust = trust;
        view.open = Some(conversation.key);
        let screen = screen(&view, 80, 6);
        let rows: Vec<&str> = screen.lines().collect();
        format!("{}\n{}", rows[0], rows[4])
    };
    let changed = || Some(Trust::Warning("identity changed!".into()));
    let shown = [
        bars("#lobby", None),
        bars("+team", Some(Trust::NotVerified)),
        bars("+team", Some(Trust::Verified)),
        bars("+team", changed()),
        bars("bob", Some(Trust::Verified)),
        bars("bob", changed()),
    ];
    insta::assert_snapshot!("bars", shown.join("\n"));
}

#[test]
fn writing_of_the_world() {
    insta::assert_snapshot!(screen(&sample::world(), 80, 24));
}

#[test]
fn hostile_names_and_texts() {
    insta::assert_snapshot!("hostile_80x24", screen(&sample::hostile(), 80, 24));
    insta::assert_snapshot!("hostile_120x24", screen(&sample::hostile(), 120, 24));
}

#[test]
fn the_help() {
    let (mut ui, view) = (Ui::new(Theme::Colour), sample::busy());
    press(&mut ui, &view, KeyCode::F(1), KeyModifiers::NONE);
    insta::assert_snapshot!("help_80x24", shown(&mut ui, &view, 80, 24));
    insta::assert_snapshot!("help_all", shown(&mut ui, &view, 80, 80));
    insta::assert_snapshot!("help_tiny", shown(&mut ui, &view, 30, 8));
}

/// A visitor is told of what can be done in a classroom, and of nothing else.
#[test]
fn the_help_of_a_visit() {
    let (mut ui, view) = (Ui::new(Theme::Colour), View { visits: true, ..sample::busy() });
    press(&mut ui, &view, KeyCode::F(1), KeyModifiers::NONE);
    insta::assert_snapshot!("help_visit", shown(&mut ui, &view, 80, 50));
}

#[test]
fn the_forms() {
    let form = FormView { server: "ws://127.0.0.1:12345".into(), ..FormView::default() };
    let mut view = View { form: Some(form.clone()), ..View::default() };
    let mut ui = Ui::new(Theme::Colour);
    buffer(&mut ui, &view, 80, 24);
    type_text(&mut ui, &view, "alice");
    press(&mut ui, &view, KeyCode::Enter, KeyModifiers::NONE);
    type_text(&mut ui, &view, "hunter2hunt");
    insta::assert_snapshot!("form_register", shown(&mut ui, &view, 80, 24));
    insta::assert_snapshot!("form_tiny", shown(&mut ui, &view, 24, 6));
    press(&mut ui, &view, KeyCode::F(2), KeyModifiers::NONE);
    insta::assert_snapshot!("form_log_in", shown(&mut ui, &view, 80, 16));
    view.form = Some(FormView { busy: Some("stretching your password".into()), ..form.clone() });
    insta::assert_snapshot!("form_busy", shown(&mut ui, &view, 80, 16));
    let error = Some("name or password is wrong".into());
    view.form = Some(FormView { error, account: Some("alice".into()), ..form });
    insta::assert_snapshot!("form_unlock_refused", shown(&mut ui, &view, 80, 16));
}

#[test]
fn an_alarm() {
    let mut view = sample::busy();
    view.alarm = Some("bob's identity key changed. Nothing is sent to bob until you compare safety numbers and /accept bob.".into());
    view.status.connection = Connection::Reconnecting { in_seconds: 7 };
    let text = "The server showed an older history of #lobby than before: it may be lying.".into();
    let notice = LineKind::Notice { text, level: Level::Alarm };
    view.lines.push(sample::line(11, 135, notice));
    insta::assert_snapshot!(screen(&view, 80, 24));
}

#[test]
fn a_dialog() {
    let mut view = sample::busy();
    let number = "12345 67890 12345 67890 12345 67890\n12345 67890 12345 67890 12345 67890";
    view.dialog = Some(Dialog {
        title: "Safety number with bob".into(),
        body: vec![
            number.into(),
            String::new(),
            "Compare it with bob in person or by telephone, not in a chat.".into(),
        ],
        yes: Some("they agree".into()),
        level: Level::Info,
    });
    insta::assert_snapshot!(screen(&view, 80, 24));
}

#[test]
fn scrolled_up_with_a_draft() {
    let (mut ui, mut view) = (Ui::new(Theme::Colour), sample::busy());
    view.has_older = true;
    buffer(&mut ui, &view, 80, 16);
    press(&mut ui, &view, KeyCode::PageUp, KeyModifiers::NONE);
    shown(&mut ui, &view, 80, 16);
    view.lines.push(sample::said(12, 140, "carol", Trust::NotVerified, "hello?"));
    ui.handle_paste("a long draft, pasted from elsewhere, which takes more than a row of this screen\nand a second line", &view);
    insta::assert_snapshot!("scrolled", shown(&mut ui, &view, 80, 16));
    press(&mut ui, &view, KeyCode::Char('u'), KeyModifiers::CONTROL);
    press(&mut ui, &view, KeyCode::Backspace, KeyModifiers::NONE);
    press(&mut ui, &view, KeyCode::Char('u'), KeyModifiers::CONTROL);
    press(&mut ui, &view, KeyCode::Home, KeyModifiers::CONTROL);
    type_text(&mut ui, &view, "/l");
    press(&mut ui, &view, KeyCode::Tab, KeyModifiers::NONE);
    insta::assert_snapshot!("oldest_and_completing", shown(&mut ui, &view, 80, 16));
}

#[test]
fn without_colour_marks_carry_the_meaning() {
    let (mut plain, mut colour) = (Ui::new(Theme::Plain), Ui::new(Theme::Colour));
    for view in [sample::busy(), sample::hostile(), sample::world()] {
        let (plain, colour) =
            (buffer(&mut plain, &view, 80, 24), buffer(&mut colour, &view, 80, 24));
        assert!(
            plain.content.iter().all(|cell| (cell.fg, cell.bg) == (Color::Reset, Color::Reset))
        );
        assert_eq!(text(&plain), text(&colour));
        let is_one_of_16 = |colour| !matches!(colour, Color::Rgb(..) | Color::Indexed(_));
        assert!(colour.content.iter().all(|cell| is_one_of_16(cell.fg) && is_one_of_16(cell.bg)));
    }
    let plain = buffer(&mut plain, &sample::busy(), 80, 24);
    insta::assert_snapshot!("plain_modifiers", modifiers(&plain));
}

/// One letter for each cell's look.
fn modifiers(buffer: &Buffer) -> String {
    let rows = buffer.area.rows().map(|row| {
        let cells = (row.x..row.right()).map(|column| buffer.cell((column, row.y)).unwrap());
        let letters = cells.map(|cell| match cell.modifier {
            Modifier::DIM => 'd',
            Modifier::BOLD => 'B',
            modifier if modifier.contains(Modifier::REVERSED) => 'R',
            modifier if modifier.contains(Modifier::UNDERLINED) => 'U',
            _ => '.',
        });
        letters.collect::<String>()
    });
    rows.collect::<Vec<_>>().join("\n")
}

#[test]
fn right_to_left_rows_are_fenced() {
    let buffer = buffer(&mut Ui::new(Theme::Colour), &sample::world(), 80, 24);
    for row in buffer.area.rows() {
        let symbols = |columns: std::ops::Range<u16>| -> String {
            columns.map(|column| buffer.cell((column, row.y)).unwrap().symbol()).collect()
        };
        let has = symbols(17..63).contains(|letter: char| ('\u{590}'..'\u{700}').contains(&letter));
        for column in [16, 63] {
            assert_eq!(symbols(column..column + 1) == "│\u{200e}", has, "row {}", row.y);
        }
    }
}

fn question(texts: &[String]) -> Dialog {
    let yes = texts.last().cloned();
    Dialog { title: texts.concat(), body: texts.to_vec(), yes, level: Level::Alarm }
}

fn any_key() -> impl Strategy<Value = KeyEvent> {
    let codes = prop_oneof![
        Just(KeyCode::Enter),
        Just(KeyCode::Tab),
        Just(KeyCode::Esc),
        Just(KeyCode::Up),
        Just(KeyCode::Down),
        Just(KeyCode::PageUp),
        Just(KeyCode::PageDown),
        Just(KeyCode::Home),
        Just(KeyCode::Backspace),
        Just(KeyCode::Left),
        (1u8..4).prop_map(KeyCode::F),
        any::<char>().prop_map(KeyCode::Char),
        "[/#a-z ]".prop_map(|text| KeyCode::Char(text.chars().next().unwrap())),
    ];
    let modifiers = prop_oneof![
        4 => Just(KeyModifiers::NONE),
        1 => Just(KeyModifiers::CONTROL),
        1 => Just(KeyModifiers::ALT),
    ];
    (codes, modifiers).prop_map(|(code, modifiers)| KeyEvent::new(code, modifiers))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_screen_and_any_keys(
        keys in prop::collection::vec(any_key(), 0..40),
        sizes in prop::collection::vec((1u16..100, 1u16..30), 1..4),
        texts in prop::collection::vec(any::<String>(), 0..4),
        kind in 0..7,
    ) {
        let mut view = match kind {
            0 => sample::busy(),
            5 => sample::group(),
            1 => sample::hostile(),
            2 => View { form: Some(FormView::default()), ..View::default() },
            3 => View { has_older: true, ..sample::world() },
            4 => View { alarm: Some(texts.concat()), ..sample::busy() },
            _ => View { dialog: Some(question(&texts)), ..sample::busy() },
        };
        for (key, text) in (100..).zip(&texts) {
            view.lines.push(sample::said(key, key, text, Trust::NotVerified, text));
            view.conversations.push(sample::conversation(ConversationKey([key as u8; 16]), text, 9));
            view.people.push(sample::person(text, true, Trust::Warning(text.clone())));
            view.lines.push(sample::changed(key + 50, text));
        }
        let mut ui = Ui::new(Theme::Colour);
        for (columns, rows) in sizes {
            for key in &keys {
                _ = ui.handle_key(*key, &view);
            }
            ui.handle_paste(texts.first().map_or("", String::as_str), &view);
            let drawn = buffer(&mut ui, &view, columns, rows);
            let is_obeyed = |letter: char| letter.is_control() || ('\u{202a}'..='\u{202e}').contains(&letter);
            prop_assert!(drawn.content.iter().all(|cell| !cell.symbol().contains(is_obeyed)));
        }
    }
}

//! The console in a real Chromium: `browser.mjs` walks through it.

use std::{
    env, fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::Command,
};

use super::{ADA, OPERATORS, Scene};
use crate::{
    delivery::Delivery,
    destinations::destination,
    harness::{tool_at, until},
    receiver::{Reaction, Receiver},
};

/// Where screenshots are for readers.
const SHOWN: &str = "../docs/console";

/// Largest screenshot, in bytes: a clone stays small.
const MOST_BYTES: u64 = 150_000;

/// Chromium, where its variable says or as Debian has it.
pub(super) fn chromium() -> PathBuf {
    tool_at("CHROMIUM_PATH", Path::new("/usr/bin/chromium"))
}

/// The folder whose `node_modules` drives it.
pub(super) fn packages() -> PathBuf {
    let fetched = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/tools/console-node");
    let folder = env::var_os("HOOKGATE_CONSOLE_NODE").map_or(fetched, PathBuf::from);
    for package in ["puppeteer-core", "axe-core"] {
        let manifest = folder
            .join("node_modules")
            .join(package)
            .join("package.json");
        assert!(
            manifest.is_file(),
            "found no {package}: `cargo xtask tools` installs it"
        );
    }
    fs::canonicalize(folder).unwrap()
}

/// A scene whose overview shows what it should.
fn scene() -> Scene {
    let scene = Scene::start(4);
    until("the overview counts them", || {
        let page = scene.client().get("/").body;
        page.contains("4 parked").then_some(())
    });
    scene
}

/// The same with a past.
fn past() -> Scene {
    let scene = Scene::with_history(4, OPERATORS);
    until("the overview counts them", || {
        let page = scene.client().get("/").body;
        page.contains("4 parked").then_some(())
    });
    let forecast = r#"hookgate_forecast_events{type="all",window="24h",bound="expected"}"#;
    assert!(scene.server.scrape().value(forecast) > Some(50.0));
    scene
}

/// A scene with something to see.
fn gallery() -> Scene {
    let billing = Receiver::start(|_, _| Reaction::Status(204));
    // Nobody listens there once it is dropped.
    let away = TcpListener::bind("127.0.0.1:0").unwrap();
    let search = format!("http://{}/hook", away.local_addr().unwrap());
    drop(away);
    let more = destination("billing", &billing.url(), "") + &destination("search", &search, "");
    let scene = Scene::with_history(4, &(more + OPERATORS));
    for (number, type_name) in (0..30).zip(["payout.paid", "charge.refunded"].iter().cycle()) {
        let id = format!("evt_m{number:05}");
        let account = format!("acct_{}", number % 7);
        Delivery::saying(&id, type_name, Some(&account), Some(true)).send(&scene.server);
    }
    until("the overview counts them", || {
        let page = scene.client().get("/").body;
        (page.contains("34 parked") && page.contains("away")).then_some(())
    });
    scene
}

fn walk(scenario: &str) {
    walk_through(&scene(), scenario, Path::new("/nowhere"));
}

fn walk_through(scene: &Scene, scenario: &str, screenshots: &Path) {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/suite/console/browser.mjs");
    let home = tempfile::tempdir().unwrap();
    let output = Command::new("node")
        .arg(program)
        .arg(scenario)
        .env("HOME", home.path())
        .env("CONSOLE_NODE", packages())
        .env("CHROMIUM", chromium())
        .env("CONSOLE_URL", format!("http://{}", scene.server.metrics()))
        .env("CONSOLE_TOKEN", ADA)
        .env("SERVER_PID", scene.server.id().to_string())
        .env("SCREENSHOTS", screenshots)
        .output()
        .expect("node, from your system's packages");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{scenario}: {said}");
}

#[test]
fn three_clicks_lead_from_late_payments_to_the_parked_events() {
    walk("clicks");
}

#[test]
fn events_are_decided_about_and_looked_at_in_a_browser() {
    let scene = scene();
    walk_through(&scene, "decisions", Path::new("/nowhere"));
    let trail = scene.trail();
    let count = |action: &str| trail.iter().filter(|it| it["action"] == action).count();
    // A double click is one decision.
    assert_eq!(count("released"), 1, "{trail:?}");
    assert_eq!(count("looked"), 1, "{trail:?}");
    assert!(trail.iter().all(|it| it["by"] == "ada"));
}

#[test]
fn every_page_fits_a_phone_and_axe_finds_nothing_serious() {
    walk_through(&past(), "pages", Path::new("/nowhere"));
}

#[test]
fn without_a_script_everything_can_be_read_and_decided() {
    walk("scriptless");
}

#[test]
fn everything_can_be_done_with_the_keyboard_alone() {
    walk("keyboard");
}

#[test]
fn the_overview_follows_what_changes() {
    walk("live");
}

#[test]
fn the_overview_says_so_when_the_server_has_died() {
    walk("died");
}

#[test]
fn the_overview_says_so_when_the_session_has_ended() {
    let scene = Scene::configured(1, "local_reading = \"with_token\"");
    walk_through(&scene, "ended", Path::new("/nowhere"));
}

#[test]
fn a_link_from_elsewhere_leads_into_the_session() {
    let scene = Scene::configured(2, "local_reading = \"with_token\"");
    walk_through(&scene, "linked", Path::new("/nowhere"));
}

/// `HOOKGATE_BLESS=1` takes them anew.
#[test]
fn the_screenshots_are_there_and_small() {
    let shown = Path::new(env!("CARGO_MANIFEST_DIR")).join(SHOWN);
    if env::var_os("HOOKGATE_BLESS").is_some() {
        fs::create_dir_all(&shown).unwrap();
        walk_through(&gallery(), "screenshots", &shown);
    }
    for name in [
        "overview",
        "overview-phone",
        "destination",
        "event",
        "review",
        "week",
        "week-phone",
    ] {
        let file = shown.join(format!("{name}.png"));
        let bytes = fs::metadata(&file).map(|it| it.len()).unwrap_or_default();
        assert!((1_000..MOST_BYTES).contains(&bytes), "{name}: {bytes}");
    }
}

//! The signature doctor's page, from a file and at the console: `doctor.mjs` walks
//! through it in a real Chromium.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use super::{
    Client, Scene,
    browser::{chromium, packages},
    serve,
};
use crate::{
    contract::{Backend as _, Sqlite},
    harness::{Server, failure},
};

/// Where screenshots are for readers.
const SHOWN: &str = "../docs/doctor";

/// Largest screenshot, in bytes: a clone stays small.
const MOST_BYTES: u64 = 200_000;

/// The page, as `cargo xtask doctor` builds it.
fn page() -> PathBuf {
    let built = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/doctor/doctor.html");
    let page = env::var_os("HOOKGATE_DOCTOR_PAGE").map_or(built, PathBuf::from);
    let found = fs::canonicalize(page);
    found.expect("the doctor's page: `cargo xtask doctor` builds it")
}

fn walk(url: &str, scenario: &str, screenshots: &Path) {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/suite/console/doctor.mjs");
    let home = tempfile::tempdir().unwrap();
    let output = Command::new("node")
        .arg(program)
        .arg(scenario)
        .env("HOME", home.path())
        .env("TMPDIR", home.path())
        .env("CONSOLE_NODE", packages())
        .env("CHROMIUM", chromium())
        .env("DOCTOR_URL", url)
        .env("SCREENSHOTS", screenshots)
        .output()
        .expect("node, from your system's packages");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{scenario}: {said}");
}

fn walk_from_the_file(scenario: &str) {
    let url = format!("file://{}", page().display());
    walk(&url, scenario, Path::new("/nowhere"));
}

/// A server that shows the page.
fn server(log: &str) -> Server {
    let mut command = serve(log);
    command.arg("--doctor-page").arg(page());
    Server::spawn(command)
}

#[test]
fn the_doctor_names_what_is_broken_while_it_is_put_in() {
    walk_from_the_file("diagnoses");
}

#[test]
fn the_doctor_takes_saved_requests_and_payloads_byte_for_byte() {
    walk_from_the_file("files");
}

#[test]
fn nothing_leaves_the_doctors_page_and_nothing_stays_in_it() {
    walk_from_the_file("closed");
    let backend = Sqlite::new();
    let server = server(&backend.address());
    let url = format!("http://{}/doctor", server.metrics());
    walk(&url, "closed", Path::new("/nowhere"));
}

#[test]
fn the_doctors_page_fits_a_phone_and_axe_finds_nothing_serious() {
    walk_from_the_file("pages");
}

#[test]
fn the_doctor_can_be_asked_with_the_keyboard_alone() {
    walk_from_the_file("keyboard");
}

#[test]
fn the_console_shows_the_doctor_under_its_own_policy() {
    let backend = Sqlite::new();
    let server = server(&backend.address());
    let reply = Client::new(server.metrics()).get("/doctor");
    assert_eq!(reply.status, 200);
    let policy = reply.header("content-security-policy").unwrap();
    for directive in [
        "default-src 'none'",
        "connect-src 'none'",
        "form-action 'none'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
        "script-src 'wasm-unsafe-eval' 'sha256-",
    ] {
        assert!(policy.contains(directive), "{directive}: {policy}");
    }
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    assert!(reply.body.contains("Why doesn’t this signature verify?"));
}

#[test]
fn the_console_says_how_the_doctor_comes_there() {
    let scene = Scene::start(1);
    let reply = scene.client().get("/doctor");
    assert_eq!(reply.status, 200);
    assert!(reply.body.contains("cargo xtask doctor"), "{}", reply.body);
    let policy = reply.header("content-security-policy").unwrap();
    assert!(policy.contains("script-src 'self'"), "{policy}");
}

#[test]
fn the_console_does_not_start_with_a_page_that_is_another() {
    let backend = Sqlite::new();
    for page in ["Cargo.toml", "nowhere.html"] {
        let mut command = serve(&backend.address());
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(page);
        let said = failure(command.arg("--doctor-page").arg(path));
        assert!(
            said.contains("doctor's page") || said.contains("page of the doctor"),
            "{said}"
        );
    }
}

/// `HOOKGATE_BLESS=1` takes them anew.
#[test]
fn the_doctors_screenshots_are_there_and_small() {
    let shown = Path::new(env!("CARGO_MANIFEST_DIR")).join(SHOWN);
    if env::var_os("HOOKGATE_BLESS").is_some() {
        fs::create_dir_all(&shown).unwrap();
        let url = format!("file://{}", page().display());
        walk(&url, "screenshots", &shown);
    }
    for name in ["explained", "explained-dark", "phone"] {
        let file = shown.join(format!("{name}.png"));
        let bytes = fs::metadata(&file).map(|it| it.len()).unwrap_or_default();
        assert!((1_000..MOST_BYTES).contains(&bytes), "{name}: {bytes}");
    }
}

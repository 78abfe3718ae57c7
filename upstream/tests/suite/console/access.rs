//! Who gets in.

use std::fs;

use super::{ADA, BEN, Client, EVE, OPERATORS, Scene, serve};
use crate::{
    contract::{Backend as _, Sqlite},
    harness::{Server, failure, hookgate, output, status_of},
};

/// Each page and each action, with the least that it needs.
const PAGES: [&str; 8] = [
    "/",
    "/live",
    "/review",
    "/destination?name=orders",
    "/event?id=evt_n00000",
    "/search",
    "/reconciliation",
    "/audit",
];
const ACTIONS: [&str; 4] = [
    "/review/preview",
    "/review/decide",
    "/event/payload",
    "/logout",
];

/// All fields that an action may ask for.
const FIELDS: [(&str, &str); 7] = [
    ("decision", "approve"),
    ("items", "orders:1"),
    ("reason", "mended"),
    ("batch", "batch_1"),
    ("id", "evt_n00000"),
    ("source", "stripe"),
    ("by", "mallory"),
];

#[test]
fn without_a_token_nothing_is_shown_and_nothing_done() {
    let scene = Scene::configured(1, "local_reading = \"with_token\"");
    let nobody = scene.client();
    for page in PAGES {
        let reply = nobody.get(page);
        reply.says(401, "Your token");
        assert!(
            !reply.body.contains("invoice.paid"),
            "{page}: {}",
            reply.body
        );
        assert_eq!(
            reply.header("www-authenticate"),
            Some("Bearer realm=\"hookgate\"")
        );
        assert_eq!(nobody.clone().bearer("x").get(page).status, 401, "{page}");
    }
    for action in ACTIONS {
        assert_eq!(nobody.post(action, &FIELDS).status, 401, "{action}");
    }
    assert_eq!(scene.parked(), 1);
    assert!(scene.trail().is_empty());
    // Metrics stay what they were.
    assert_eq!(status_of(scene.server.metrics(), "/metrics"), 200);
}

#[test]
fn who_is_on_this_machine_reads_and_decides_nothing() {
    let scene = Scene::start(1);
    let local = scene.client();
    for page in PAGES {
        assert_eq!(local.get(page).status, 200, "{page}");
    }
    for action in ACTIONS {
        assert_eq!(local.post(action, &FIELDS).status, 401, "{action}");
    }
    // A proxy on this machine asks for somebody else.
    let forwarded = local.with("x-forwarded-for", "192.0.2.1");
    assert_eq!(forwarded.get("/").status, 401);
    assert_eq!(scene.parked(), 1);
    assert!(scene.trail().is_empty());
}

#[test]
fn the_role_that_reads_does_nothing() {
    let scene = Scene::start(1);
    let readers = [scene.client().bearer(EVE), scene.client().log_in(EVE)];
    for eve in readers {
        for page in PAGES {
            assert_eq!(eve.get(page).status, 200, "{page}");
        }
        let page = eve.get("/event?id=evt_n00000");
        for form in ["/review/preview", "/event/payload"] {
            assert!(!page.body.contains(form), "{}", page.body);
        }
        for action in ["/review/preview", "/review/decide", "/event/payload"] {
            let reply = eve.post(action, &FIELDS);
            reply.says(403, "your role is to read");
        }
    }
    assert_eq!(scene.parked(), 1);
    assert!(scene.trail().is_empty());
}

#[test]
fn a_session_ends_when_somebody_logs_out() {
    let scene = Scene::configured(0, "local_reading = \"with_token\"");
    let ada = scene.client().log_in(ADA);
    let page = ada.get("/");
    page.says(200, "<strong>ada</strong>");
    let form = page.field("form");
    assert_eq!(ada.post("/logout", &[]).status, 403);
    assert_eq!(ada.get("/").status, 200);
    assert_eq!(ada.post("/logout", &[("form", &form)]).status, 303);
    assert_eq!(ada.get("/").status, 401);
}

#[test]
fn a_host_that_is_not_ours_is_shown_nothing() {
    let scene = Scene::configured(1, "hosts = [\"console.example.com\"]");
    let address = scene.server.metrics();
    for host in ["evil.example", "localhost.evil.example", "0.0.0.0"] {
        for client in [
            Client::asking(address, host),
            Client::asking(address, host).bearer(ADA),
        ] {
            let reply = client.get("/review");
            reply.says(421, "`hosts` of [console]");
            assert!(!reply.body.contains("evt_n"), "{}", reply.body);
            assert_eq!(client.post("/login", &[("token", ADA)]).status, 421);
        }
    }
    let known = Client::asking(address, "console.example.com").bearer(ADA);
    assert_eq!(known.get("/review").status, 200);
    // Over TLS, which a proxy speaks: the cookie is for nothing else, and no other
    // name of the domain can have set it.
    let named = Client::asking(address, "console.example.com");
    let reply = named.post("/login", &[("token", ADA)]);
    let cookie = reply.header("set-cookie").unwrap();
    let (pair, attributes) = cookie.split_once(';').unwrap();
    assert_eq!(attributes, " Path=/; HttpOnly; SameSite=Lax; Secure");
    let session = pair.strip_prefix("__Host-hookgate-console=").unwrap();
    let ada = named.clone().with("cookie", pair).get("/");
    ada.says(200, "<strong>ada</strong>");
    let bare = format!("hookgate-console={session}");
    let other = named.clone().with("cookie", &bare).get("/");
    assert!(!other.body.contains("<strong>ada"), "{}", other.body);
    let ada = named.with("cookie", pair);
    let form = ada.get("/").field("form");
    let reply = ada.post("/logout", &[("form", &form)]);
    let ended = "__Host-hookgate-console=; Path=/; HttpOnly; SameSite=Lax; Secure; Max-Age=0";
    assert_eq!(reply.header("set-cookie"), Some(ended));
    assert!(!ada.get("/").body.contains("<strong>ada"));
}

#[test]
fn a_name_comes_from_the_proxy_that_shows_its_secret_or_not_at_all() {
    let proxy = "
[console.proxy]
addresses = [\"127.0.0.1\"]
header = \"x-forwarded-user\"
secret = \"CONSOLE_PROXY_SECRET\"
";
    let scene = Scene::with(1, &format!("{OPERATORS}{proxy}"));
    let secret = format!("proxy-{ADA}");
    let nobody = scene.client();
    assert_eq!(nobody.get("/").status, 401);
    let claims = nobody.clone().with("x-forwarded-user", "ada");
    assert_eq!(claims.get("/").status, 401);
    let wrong = claims.clone().with("x-hookgate-proxy-secret", ADA);
    assert_eq!(wrong.get("/").status, 401);
    let twice = claims.clone().with("x-forwarded-user", "eve");
    assert_eq!(
        twice
            .with("x-hookgate-proxy-secret", &secret)
            .get("/")
            .status,
        401
    );
    let mallory = nobody.with("x-forwarded-user", "mallory");
    assert_eq!(
        mallory
            .with("x-hookgate-proxy-secret", &secret)
            .get("/")
            .status,
        401
    );

    // Who is not known is told as whom.
    let odd = format!("<b>{}", "x".repeat(500));
    for (name, said) in [
        ("mallory", "calls you `mallory`, who is no operator"),
        (&odd, &format!("`&lt;b&gt;{}`", "x".repeat(97))),
    ] {
        let stranger = scene.client().with("x-forwarded-user", name);
        let bare = stranger.get("/review");
        assert!(!bare.body.contains("calls you"), "{}", bare.body);
        let stranger = stranger.with("x-hookgate-proxy-secret", &secret);
        stranger.get("/review").says(401, said);
        stranger.get("/login").says(200, said);
        assert_eq!(stranger.get("/review").field("to"), "/review");
    }

    let ada = claims.with("x-hookgate-proxy-secret", &secret);
    let page = ada.get("/event?id=evt_n00000");
    page.says(200, "<strong>ada</strong>");
    let mut fields = FIELDS.to_vec();
    assert_eq!(ada.post("/review/decide", &fields).status, 403);
    let form = page.field("form");
    fields.push(("form", &form));
    scene.mend();
    assert_eq!(ada.post("/review/decide", &fields).status, 200);
    assert_eq!(scene.trail()[0]["by"], "ada");
}

#[test]
fn where_nobody_can_log_in_the_page_says_how_somebody_could() {
    let log = Sqlite::new();
    let server = Server::start(&log.address(), &[]);
    let client = Client::new(server.metrics());
    let lines = "[[console.operators]]\nname = &quot;ada&quot;";
    client.get("/login").says(200, lines);
    client.post("/login", &[("token", ADA)]).says(401, lines);
    let forwarded = client.with("x-forwarded-for", "192.0.2.1").get("/");
    forwarded.says(401, lines);
    assert!(forwarded.header("content-security-policy").is_some());
    assert!(forwarded.header("www-authenticate").is_some());
}

#[test]
fn who_acts_after_a_session_has_ended_finds_the_way_back() {
    let scene = Scene::start(1);
    let ended = scene.client().with("cookie", "hookgate-console=ended");
    let reply = ended.post("/review/decide", &FIELDS);
    reply.says(401, "href=\"/login\"");
}

#[test]
fn who_tries_tokens_is_slowed_and_keeps_nobody_else_out() {
    let scene = Scene::configured(0, "local_reading = \"with_token\"");
    let client = scene.client();
    let statuses: Vec<u16> = (0..12)
        .map(|number| {
            client
                .post("/login", &[("token", &format!("wrong-{number}"))])
                .status
        })
        .collect();
    assert_eq!(statuses[..10], [401; 10]);
    assert_eq!(statuses[10..], [429; 2]);
    let reply = client.clone().bearer("wrong").get("/");
    assert_eq!(reply.status, 429);
    let wait: u64 = reply.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=7).contains(&wait), "{wait}");
    // A right token is no try.
    assert_eq!(client.clone().bearer(ADA).get("/").status, 200);
    client.log_in(ADA).get("/review").says(200, "ada");
}

#[test]
fn a_proxy_on_this_machine_that_says_nothing_of_itself_opens_nothing() {
    let scene = Scene::configured(0, "hosts = [\"console.example.com\"]");
    let address = scene.server.metrics();
    for host in ["console.example.com", "localhost", "127.0.0.1"] {
        let reply = super::Client::asking(address, host).get("/event?id=evt_1");
        assert_eq!(reply.status, 401, "{host}: {}", reply.body);
    }
}

#[test]
fn who_is_not_logged_in_is_not_listened_to_for_long() {
    let scene = Scene::configured(0, "local_reading = \"with_token\"");
    let long = "x".repeat(1_000_000);
    let client = scene.client();
    let reply = client.post("/login", &[("token", &long)]);
    reply.says(400, "too long");
    let reply = client.post("/review/preview", &[("reason", &long)]);
    reply.says(401, "Nothing was done");
    let reply = client
        .bearer(EVE)
        .post("/review/preview", &[("reason", &long)]);
    reply.says(403, "Nothing was done");
}

#[test]
fn beyond_loopback_it_starts_with_operators_only() {
    let backend = Sqlite::new();
    let log = backend.address();
    let refused = ["--listen", "127.0.0.1:0", "--console", "0.0.0.0:0"];
    let message = failure(serve(&log).args(refused));
    assert!(
        message.contains("refusing to show the console on `0.0.0.0:0`"),
        "{message}"
    );
    assert!(message.contains("[[console.operators]]"), "{message}");

    // Metrics alone may be there; the console isn't with them then.
    let mut command = hookgate();
    command.args(["serve", "--log", &log, "--metrics", "0.0.0.0:0"]);
    let server = Server::spawn(command);
    assert!(
        !server.stderr().contains("the console is at"),
        "{}",
        server.stderr()
    );
    drop(server);

    // Then also who is on this machine has to show one.
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("hookgate.toml");
    fs::write(&config, OPERATORS).unwrap();
    let mut command = serve(&log);
    command
        .args(["--console", "0.0.0.0:0", "--config"])
        .arg(config);
    let server = Server::spawn(command);
    let stderr = server.stderr();
    let (_, rest) = stderr
        .split_once("the console is at http://0.0.0.0:")
        .unwrap();
    let port: String = rest.chars().take_while(char::is_ascii_digit).collect();
    let client = Client::new(([127, 0, 0, 1], port.parse().unwrap()).into());
    assert_eq!(client.get("/").status, 401);
    assert_eq!(client.clone().bearer(BEN).get("/").status, 200);
    assert_eq!(client.get("/metrics").status, 401);
}

#[test]
fn no_token_shows_in_a_page_a_log_or_an_address() {
    let scene = Scene::start(1);
    let ada = scene.client().log_in(ADA);
    let mut seen = scene.server.stderr();
    for page in PAGES {
        seen += &ada.get(page).body;
    }
    seen += &scene
        .client()
        .post("/login", &[("token", "wrong-token-that-nobody-has")])
        .body;
    seen += &scene
        .client()
        .bearer("wrong-bearer-that-nobody-has")
        .get("/")
        .body;
    seen += &scene.server.stderr();
    for secret in [ADA, EVE, "wrong-token", "wrong-bearer"] {
        assert!(!seen.contains(secret), "{secret}");
    }
    let config =
        "[[console.operators]]\nname = \"a\"\nrole = \"read\"\ntoken = \"0123456789abcdef\"";
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("hookgate.toml");
    fs::write(&file, config).unwrap();
    let checked = hookgate().arg("check-config").arg(&file).output().unwrap();
    let said = String::from_utf8_lossy(&checked.stdout).into_owned()
        + &String::from_utf8_lossy(&checked.stderr);
    assert!(said.contains("never the secret itself"), "{said}");
    assert!(!said.contains("0123456789abcdef"), "{said}");
    let _ = output(hookgate().arg("--version"));
}

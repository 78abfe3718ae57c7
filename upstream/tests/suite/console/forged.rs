//! What another site makes a browser send.

use super::{ADA, Client, Scene};

const FIELDS: [(&str, &str); 4] = [
    ("decision", "discard"),
    ("items", "orders:1"),
    ("reason", "mended"),
    ("batch", "batch_1"),
];

fn decide(client: &Client, form: &str) -> u16 {
    let mut fields = FIELDS.to_vec();
    fields.push(("form", form));
    client.post("/review/decide", &fields).status
}

#[test]
fn a_post_of_another_site_does_nothing() {
    let scene = Scene::start(1);
    let ada = scene.client().log_in(ADA);
    let form = ada.get("/event?id=evt_n00000").field("form");
    let own = format!("http://{}", scene.server.metrics());
    for (name, value) in [
        ("origin", "http://evil.example"),
        ("origin", "null"),
        ("origin", "http://127.0.0.1:1"),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
    ] {
        // Even with the right form: a page of ours says where it comes from.
        let reply = decide(&ada.clone().with(name, value), &form);
        assert_eq!(reply, 403, "{name}: {value}");
        let login = scene.client().with(name, value);
        assert_eq!(login.post("/login", &[("token", ADA)]).status, 403);
    }
    for form in [
        "",
        "x",
        &form[1..],
        &scene.client().log_in(ADA).get("/").field("form"),
    ] {
        assert_eq!(decide(&ada, form), 403, "{form}");
        assert_eq!(decide(&ada.clone().with("origin", &own), form), 403);
    }
    assert_eq!(scene.parked(), 1);
    assert!(scene.trail().is_empty());
    let ours = ada
        .with("origin", &own)
        .with("sec-fetch-site", "same-origin");
    assert_eq!(decide(&ours, &form), 200);
    assert_eq!(scene.parked(), 0);
}

/// As nginx asks that was told nothing.
#[test]
fn a_proxy_that_asks_for_another_name_is_told_both() {
    let scene = Scene::configured(1, "hosts = [\"console.example.com\"]");
    let address = scene.server.metrics();
    let ada = scene.client().log_in(ADA);
    let form = ada.get("/event?id=evt_n00000").field("form");
    let through = |origin: &str| {
        let ada = ada.clone().with("origin", origin);
        let mut fields = FIELDS.to_vec();
        fields.push(("form", &form));
        ada.post("/review/decide", &fields)
    };
    let reply = through("https://console.example.com");
    reply.says(403, "`https://console.example.com` (Origin)");
    reply.says(403, &format!("`{address}` (Host)"));
    reply.says(403, "proxy_set_header Host $host;");
    assert!(reply.header("content-security-policy").is_some());
    let reply = through(&format!("https://<b>{}", "x".repeat(500)));
    reply.says(403, &format!("`https://&lt;b&gt;{}`", "x".repeat(89)));
    assert_eq!(scene.parked(), 1);
}

#[test]
fn what_decides_is_never_a_get() {
    let scene = Scene::start(1);
    let ada = scene.client().bearer(ADA);
    for path in [
        "/review/decide",
        "/review/preview",
        "/event/payload",
        "/logout",
    ] {
        let query = "?decision=discard&items=orders:1&reason=x&batch=b&id=evt_n00000&source=stripe";
        assert_eq!(ada.get(&format!("{path}{query}")).status, 405, "{path}");
    }
    assert_eq!(scene.parked(), 1);
    assert!(scene.trail().is_empty());
}

#[test]
fn every_answer_tells_the_browser_what_a_page_may_do() {
    let scene = Scene::start(0);
    let ada = scene.client().log_in(ADA);
    let nobody = Client::asking(scene.server.metrics(), "evil.example");
    let replies = [
        ada.get("/"),
        ada.get("/assets/console.js"),
        ada.get("/nothing"),
        ada.post("/review/decide", &[]),
        scene.client().get("/login"),
        nobody.get("/"),
    ];
    for reply in replies {
        let policy = reply.header("content-security-policy").unwrap();
        for part in [
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "form-action 'self'",
            "frame-ancestors 'none'",
            "base-uri 'none'",
        ] {
            assert!(policy.contains(part), "{part}: {policy}");
        }
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(reply.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(reply.header("referrer-policy"), Some("same-origin"));
        assert_eq!(reply.header("cache-control"), Some("no-store"));
        for inline in ["<script>", " style=", " onclick=", "javascript:"] {
            assert!(!reply.body.contains(inline), "{inline}: {}", reply.body);
        }
    }
}

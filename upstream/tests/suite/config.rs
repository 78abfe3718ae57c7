//! `hookgate.toml`: what goes before what, and how mistakes are told.

mod findings;

use std::{fs, path::PathBuf, process::Command};

use serde_json::Value;
use tempfile::TempDir;

use crate::{
    delivery::Delivery,
    harness::{Server, failure, hookgate, output},
};

/// A folder with a configuration.
struct Folder {
    folder: TempDir,
}

impl Folder {
    fn with(text: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("hookgate.toml"), text).unwrap();
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A command that runs there, and so finds the file.
    fn hookgate(&self) -> Command {
        let mut command = hookgate();
        command.current_dir(self.folder.path());
        command
    }

    /// The sequences that a log of this folder has.
    fn events(&self, log: &str) -> usize {
        if !self.path(log).exists() {
            return 0;
        }
        let log = format!("sqlite:{log}");
        let lines = output(self.hookgate().args(["events", "--json", "--log", &log]));
        String::from_utf8(lines).unwrap().lines().count()
    }
}

#[test]
fn a_flag_goes_before_the_environment_and_that_before_the_file() {
    let folder = Folder::with("log = \"sqlite:file.db\"\nmetrics = \"off\"\n");
    for (environment, flag, expected) in [
        (None, None, [1, 0, 0]),
        (Some("sqlite:environment.db"), None, [1, 1, 0]),
        (
            Some("sqlite:environment.db"),
            Some("sqlite:flag.db"),
            [1, 1, 1],
        ),
    ] {
        let mut command = folder.hookgate();
        command.arg("serve");
        if let Some(log) = environment {
            command.env("HOOKGATE_LOG", log);
        }
        if let Some(log) = flag {
            command.args(["--log", log]);
        }
        let server = Server::spawn(command);
        Delivery::new("evt_1").send(&server);
        drop(server);
        let found = ["file.db", "environment.db", "flag.db"].map(|log| folder.events(log));
        assert_eq!(found, expected);
    }
    // The other commands find it too, and prefer what is nearer.
    let lines = output(folder.hookgate().args(["events", "--json"]));
    assert_eq!(String::from_utf8(lines).unwrap().lines().count(), 1);
}

#[test]
fn the_file_is_named_by_flag_or_environment_and_must_then_be_there() {
    let folder = Folder::with("log = \"sqlite:other.db\"\n");
    fs::rename(folder.path("hookgate.toml"), folder.path("mine.toml")).unwrap();
    let message = failure(folder.hookgate().arg("events"));
    assert_eq!(
        message,
        "hookgate: found no log: give --log URL, set HOOKGATE_LOG, or write \
         `log = \"sqlite:./data/hookgate.db\"` in hookgate.toml\n"
    );
    let missing = "there is no log at `other.db`: `hookgate serve --log sqlite:other.db` makes it";
    let message = failure(folder.hookgate().args(["events", "--config", "mine.toml"]));
    assert_eq!(message, format!("hookgate: {missing}\n"));
    let mut command = folder.hookgate();
    let message = failure(command.arg("events").env("HOOKGATE_CONFIG", "mine.toml"));
    assert_eq!(message, format!("hookgate: {missing}\n"));
    let message = failure(
        folder
            .hookgate()
            .args(["events", "--config", "nowhere.toml"]),
    );
    assert!(message.contains("can't read `nowhere.toml`"), "{message}");
}

#[test]
fn settings_of_the_file_are_those_of_the_flags() {
    let folder = Folder::with("log = \"sqlite:log.db\"\nmetrics = \"off\"\nmax_body_bytes = 10\n");
    let mut command = folder.hookgate();
    command.arg("serve");
    let server = Server::spawn(command);
    assert_eq!(Delivery::new("evt_1").send(&server).status, 413);
    drop(server);
    let mut command = folder.hookgate();
    command
        .arg("serve")
        .env("HOOKGATE_MAX_BODY_BYTES", "100000");
    let server = Server::spawn(command);
    assert_eq!(Delivery::new("evt_1").send(&server).status, 200);
}

/// One destination with more lines.
fn destination(lines: &str) -> String {
    format!("[[destinations]]\nname = \"orders\"\nurl = \"http://127.0.0.1:9/\"\n{lines}\n")
}

#[test]
fn names_path_line_found_and_expected() {
    let duration = "expected a duration such as `500ms`, `10s`, `5m`, `2h` or `90d`";
    for (text, problem) in [
        (
            "quue = 1".to_owned(),
            "line 1, found the unknown field `quue`, expected one of",
        ),
        (
            "\nqueue = 0".to_owned(),
            "line 2, queue: found `0`, expected 1 to 1000000",
        ),
        (
            "queue = \"many\"".to_owned(),
            "line 1, queue: found a text, expected a whole number from 0",
        ),
        (
            "queue = -1".to_owned(),
            "line 1, queue: found `-1`, expected a whole number from 0",
        ),
        (
            "body_timeout = 5".to_owned(),
            "line 1, body_timeout: found `5`, expected a text",
        ),
        (
            "body_timeout = \"5 zz\"".to_owned(),
            &format!("line 1, body_timeout: found another text, {duration}"),
        ),
        (
            "body_timeout = \"2m\"".to_owned(),
            "line 1, body_timeout: found `2m`, expected 1ms to 1m",
        ),
        (
            "listen = \"8080\"".to_owned(),
            "line 1, listen: found another text, expected IP:PORT, for example `127.0.0.1:8080`",
        ),
        (
            "metrics = \"on\"".to_owned(),
            "line 1, metrics: found another text, expected IP:PORT, for example 127.0.0.1:9464, or `off`",
        ),
        (
            "log = \"events.db\"".to_owned(),
            "line 1, log: found another text, expected `sqlite:PATH`",
        ),
        (
            "log = \"nats://a:b@c\"".to_owned(),
            "line 1, log: found credentials, expected none in this file",
        ),
        (
            "log_format = \"xml\"".to_owned(),
            "line 1, log_format: found the unknown value `xml`, expected `text` or `json`",
        ),
        (
            "secrets = \"A\"".to_owned(),
            "line 1, secrets: found a text, expected a list",
        ),
        (
            "secrets = [\"stripe=whsec_x\"]".to_owned(),
            "line 1, secrets: found another text, expected `SOURCE=VARIABLE`",
        ),
        (
            "gate = \"g\"\ntolerance = \"1m\"".to_owned(),
            "line 2, tolerance: found it beside `gate`, expected one of them",
        ),
        (
            "keyrings = [\"k\"]".to_owned(),
            "line 1, keyrings: found keyrings and no `gate`, expected both",
        ),
        (
            "[retention]\nkeep = \"1ms\"".to_owned(),
            "line 2, retention.keep: found `1ms`, expected 1s to 36500d",
        ),
        (
            "[telemetry]\nmetrics = 1".to_owned(),
            "line 2, telemetry: found the unknown field `metrics`, expected `otlp` or `account_groups`",
        ),
        (
            "[[destinations]]\nname = \"orders\"".to_owned(),
            "line 1, destinations[0]: found no `url`, expected one",
        ),
        (
            destination("").replace("orders", "Orders"),
            "line 2, destinations[0].name: found another text, expected 1 to 64 of the characters a-z, 0-9 and -",
        ),
        (
            destination("").replace("http:", "ftp:"),
            "line 3, destinations[0].url: found another text, expected `http(s)://…`",
        ),
        (
            destination("").replace("127.0.0.1", "a:b@c"),
            "line 3, destinations[0].url: found credentials, expected none in this file",
        ),
        (
            destination("secondary = {enw = \"A\"}"),
            "line 4, destinations[0].secondary: found the unknown value `enw`, expected `env` or `file`",
        ),
        (
            destination("secrets = [\"whsec_x\"]"),
            "line 4, destinations[0].secrets[0]: found another text, expected the name of an environment variable",
        ),
        (
            destination("from = 0"),
            "line 4, destinations[0].from: found another text, expected `now`, `beginning`",
        ),
        (
            destination("rate = 0"),
            "line 4, destinations[0].rate: found `0`, expected 1 to 100000",
        ),
        (
            destination("order = \"type\""),
            "line 4, destinations[0].order: found the unknown value `type`, expected `none` or `object`",
        ),
        (
            destination("filter = {types = [\"a b\"]}"),
            "line 4, destinations[0].filter.types: found another text, expected event types",
        ),
        (
            destination("filter = {accounts = [\"\"]}"),
            "line 4, destinations[0].filter.accounts: found another text, expected the IDs of connected accounts",
        ),
        (
            destination("ca_file = \"ca.pem\""),
            "line 4, destinations[0].ca_file: found it without an address `https://…`, expected both",
        ),
        (
            destination("proxy = \"amqp://proxy/?exchange=a\""),
            "line 4, destinations[0].proxy: found another address, expected `http(s)://HOST:PORT`",
        ),
        (
            destination("proxy = \"http://user:password@proxy/\""),
            "line 4, destinations[0].proxy: found credentials, expected none in this file",
        ),
        (
            "[[destinations]]\nname = \"a\"\nurl = \"nats://a/b\"\nproxy = \"http://proxy/\"\n"
                .to_owned(),
            "line 4, destinations[0].proxy: found it without an address `http(s)://…`, expected both",
        ),
        (
            destination("[destinations.retry]\nfactor = 0.5"),
            "line 5, destinations[0].retry.factor: found `0.5`, expected 1 to 10",
        ),
        (
            destination("[destinations.retry]\ninitial = \"1h\"\nlongest = \"1m\""),
            "line 5, destinations[0].retry.initial: found `1h`, expected at most `longest`, `1m`",
        ),
        (
            destination("[destinations.breaker]\ninitial = \"1m\""),
            "line 5, destinations[0].breaker.initial: found `1m`, expected at most `longest`, `30s`",
        ),
        (
            destination("") + &destination(""),
            "line 6, destinations[1].name: found a name that an earlier destination has, expected another",
        ),
        ("queue = ".to_owned(), "line 1, "),
    ] {
        let folder = Folder::with(&text);
        let message = failure(folder.hookgate().arg("serve"));
        let expected = format!("hookgate: `hookgate.toml` {problem}");
        assert!(
            message.starts_with(&expected),
            "{text}\n{message}{expected}"
        );
        // The check says the same, there.
        let checked = folder
            .hookgate()
            .args(["check-config", "hookgate.toml", "--json"])
            .output()
            .unwrap();
        assert_eq!(checked.status.code(), Some(1), "{text}");
        let report: Value = serde_json::from_slice(&checked.stdout).unwrap();
        let findings = report["findings"].as_array().unwrap();
        let finding = findings
            .iter()
            .find(|finding| finding["code"] == "upstream_config")
            .unwrap();
        let line = format!("line {}, ", finding["line"]);
        assert!(problem.starts_with(&line), "{finding}");
    }
}

#[test]
fn shows_no_secret_that_stands_in_any_field() {
    let shipped = concat!(env!("CARGO_MANIFEST_DIR"), "/../envoy/hookgate.toml");
    let shipped = fs::read_to_string(shipped).unwrap();
    let mut table = String::new();
    let mut tried = 0;
    for line in shipped.lines() {
        let setting = line.strip_prefix('#').unwrap_or(line);
        if setting.starts_with('[') {
            table = setting.to_owned();
        }
        let Some((name, _)) = setting
            .split_once(" = ")
            .filter(|_| !setting.starts_with(' '))
        else {
            continue;
        };
        let around = match table.as_str() {
            "" => String::new(),
            "[[destinations]]" => "[[destinations]]\n".to_owned(),
            of_destination if of_destination.starts_with("[dest") => destination(of_destination),
            table => format!("{table}\n"),
        };
        for value in [
            "\"whsec_TOPSECRET\"",
            "\"TOPSECRET\"",
            "\"nats://gate:TOPSECRET@host:port\"",
            "\"http://gate:TOPSECRET@host/\"",
            "[\"whsec_TOPSECRET\"]",
            "[\"TOPSECRET=x\"]",
            "{TOPSECRET = \"x\"}",
            "{env = \"TOPSECRETx\"}",
            "{x = [\"TOPSECRET\", \"TOPSECRET\"]}",
        ] {
            let folder = Folder::with(&format!("{around}{name} = {value}\n"));
            let mut serve = folder.hookgate();
            // A file that is right all the same must not lead to a server.
            serve.args(["serve", "--listen", "192.0.2.1:1"]);
            let mut check = folder.hookgate();
            check.args(["check-config", "hookgate.toml"]);
            for command in [&mut serve, &mut check] {
                let output = command.output().unwrap();
                let text = [output.stdout, output.stderr].concat();
                let text = String::from_utf8(text).unwrap();
                let may_be_named = matches!(
                    name,
                    "gate"
                        | "gate_token_file"
                        | "keyrings"
                        | "accounts"
                        | "account_groups"
                        | "types"
                );
                assert!(
                    may_be_named || !text.contains("TOPSECRET"),
                    "{name} = {value}: {text}"
                );
            }
            tried += 1;
        }
    }
    assert!(tried > 200, "{tried}");
}

#[test]
fn a_destination_s_secret_and_address_come_from_the_environment_or_a_file() {
    let text = destination("secrets = [\"ORDERS_SECRET\"]")
        .replace("\"http://127.0.0.1:9/\"", "{env = \"ORDERS_URL\"}");
    let folder = Folder::with(&format!(
        "log = \"sqlite:log.db\"\nmetrics = \"off\"\n{text}"
    ));
    let serve = |variables: &[(&str, &str)]| {
        let mut command = folder.hookgate();
        command
            .args(["serve", "--listen", "192.0.2.1:1"])
            .envs(variables.iter().copied());
        failure(&mut command)
    };
    let url = ("ORDERS_URL", "http://orders:hunter2@127.0.0.1:9/");
    for (variables, problem) in [
        (
            &[][..],
            "destination `orders`, url: found no text in the environment variable `ORDERS_URL`: set it\n",
        ),
        (
            &[("ORDERS_URL", "hunter2")],
            "destination `orders`, url: the environment variable `ORDERS_URL`: expected `http(s)://…`",
        ),
        (
            &[url],
            "destination `orders`, secrets: found no text in the environment variable `ORDERS_SECRET`: set it\n",
        ),
        (
            &[url, ("ORDERS_SECRET", "whsec_hunter2!")],
            "destination `orders`, secrets: the environment variable `ORDERS_SECRET`: ",
        ),
    ] {
        let message = serve(variables);
        assert!(
            message.starts_with(&format!("hookgate: {problem}")),
            "{message}"
        );
        assert!(!message.contains("hunter2"), "{message}");
    }
    // All there: the next thing in the way is the address to listen on.
    let message = serve(&[url, ("ORDERS_SECRET", "whsec_aG9va2dhdGU=")]);
    assert!(message.contains("can't listen on"), "{message}");
}

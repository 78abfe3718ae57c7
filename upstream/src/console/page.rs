//! Pages as HTML. What comes from outside is text in them: `maud` escapes each
//! value, and no page has a script or a style of its own.

mod audit;
mod decision;
mod destination;
mod event;
mod expected;
mod overview;
mod queue;
mod reconciliation;
mod search;
mod time;

use maud::{DOCTYPE, Markup, html};

pub(super) use self::{
    audit::audit,
    decision::{Counted, decided, preview},
    destination::destination,
    event::{event, payload},
    overview::{live, overview},
    queue::review,
    reconciliation::reconciliation,
    search::{no_event, search},
    time::earlier,
};
use super::access::Caller;

/// Names a page in the navigation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    Overview,
    Review,
    Search,
    Reconciliation,
    Audit,
    Doctor,
    Elsewhere,
}

/// The navigation, in its order.
const PLACES: [(At, &str, &str); 6] = [
    (At::Overview, "/", "Overview"),
    (At::Review, "/review", "Review"),
    (At::Search, "/search", "Search"),
    (At::Reconciliation, "/reconciliation", "Reconciliation"),
    (At::Audit, "/audit", "Audit"),
    (At::Doctor, "/doctor", "Doctor"),
];

/// Puts a page's content into what all pages have.
fn layout(title: &str, at: At, caller: Option<&Caller>, content: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) " – Hookgate" }
                link rel="stylesheet" href="/assets/console.css";
                link rel="icon" href="/assets/icon.svg" type="image/svg+xml";
                @if at == At::Overview {
                    script src="/assets/console.js" defer {}
                    noscript { meta http-equiv="refresh" content="30"; }
                }
            }
            body {
                a.skip href="#content" { "Skip to the content" }
                header {
                    p.brand { a href="/" { "Hookgate" } }
                    @if let Some(caller) = caller {
                        nav aria-label="Pages" {
                            ul {
                                @for (place, address, name) in PLACES {
                                    li { a href=(address) aria-current=[(place == at).then_some("page")] { (name) } }
                                }
                            }
                        }
                        (who(caller))
                    }
                }
                main #content tabindex="-1" {
                    h1 { (title) }
                    (content)
                }
            }
        }
    }
}

/// Says who is looking, and lets them go.
fn who(caller: &Caller) -> Markup {
    html! {
        div.who {
            @match caller.person() {
                None => {
                    span { "Reading on this machine" }
                    a.button href="/login" { "Log in" }
                }
                Some(person) => {
                    span { strong { (person.name) } " (" (person.role) ")" }
                    @if caller.has_session() {
                        form method="post" action="/logout" {
                            (form_token(caller))
                            button type="submit" { "Log out" }
                        }
                    }
                }
            }
        }
    }
}

/// The field by which a form is known as ours.
fn form_token(caller: &Caller) -> Markup {
    html! {
        @if let Some(token) = caller.form_token() {
            input type="hidden" name="form" value=(token);
        }
    }
}

/// The form to log in with; `to` is where it leads.
pub(super) fn login(to: &str, mistake: Option<&str>) -> Markup {
    let content = html! {
        @if let Some(mistake) = mistake {
            p.problem role="alert" { (mistake) }
        }
        form.stack method="post" action="/login" {
            input type="hidden" name="to" value=(to);
            label for="token" { "Your token" }
            input #token name="token" type="password" autocomplete="current-password"
                required maxlength="512" spellcheck="false" aria-describedby="token-help";
            p.note #token-help {
                "Tokens are set up with the server: docs/console.md. Nothing is stored in this \
                 browser but a session that ends within 12 hours."
            }
            button.main type="submit" { "Log in" }
        }
    };
    layout("Log in", At::Elsewhere, None, &content)
}

/// What makes the first operator.
const FIRST_OPERATOR: &str = r#"[[console.operators]]
name = "ada"
role = "operate"
token = "CONSOLE_TOKEN_ADA"
"#;

/// Says how somebody can log in where nobody can yet.
pub(super) fn no_operators() -> Markup {
    let content = html! {
        p.problem role="alert" { "No operator is configured, so that nobody can log in." }
        p { "Add one to hookgate.toml:" }
        pre tabindex="0" { code { (FIRST_OPERATOR) } }
        p {
            "Put what " code { "openssl rand -hex 32" } " says into the variable "
            code { "CONSOLE_TOKEN_ADA" } " of the server's environment, and start it again. \
             docs/console.md says more."
        }
        p { a href="/" { "To the overview" } }
    };
    layout("Log in", At::Elsewhere, None, &content)
}

/// Says how the doctor's page comes here.
pub(super) fn no_doctor(caller: &Caller) -> Markup {
    let content = html! {
        p {
            "Here is a page that says why a webhook's signature doesn't verify, once this server \
             is told where it is. " code { "cargo xtask doctor" } " builds it; the container image \
             has it."
        }
        pre tabindex="0" { code { "hookgate serve --doctor-page target/doctor/doctor.html …" } }
        p { "The same on the command line: " code { "hookgate doctor --help" } "." }
    };
    layout("Signature doctor", At::Doctor, Some(caller), &content)
}

/// Says what went wrong.
pub(super) fn problem(title: &str, text: &str) -> Markup {
    let content = html! {
        p.problem role="alert" { (text) }
        p { a href="/" { "To the overview" } ", " a href="/login" { "log in" } }
    };
    layout(title, At::Elsewhere, None, &content)
}

/// A table that scrolls by itself where it is wider than the screen.
fn table(caption: &str, head: &[&str], rows: &Markup) -> Markup {
    html! {
        div.wide role="region" aria-label=(caption) tabindex="0" {
            table {
                caption { (caption) }
                thead { tr { @for name in head { th scope="col" { (name) } } } }
                tbody { (rows) }
            }
        }
    }
}

/// A state, by word and colour.
fn badge(kind: Kind, text: &str) -> Markup {
    html! { span.badge.(kind.class()) { (text) } }
}

/// Says how bad something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Bad,
    Warning,
    Good,
    Plain,
}

impl Kind {
    const fn class(self) -> &'static str {
        match self {
            Self::Bad => "bad",
            Self::Warning => "warning",
            Self::Good => "good",
            Self::Plain => "plain",
        }
    }
}

/// The end of an answer that a destination gave: for a list.
fn shortened(text: &str) -> String {
    const MOST: usize = 120;
    let mut short: String = text.chars().take(MOST).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

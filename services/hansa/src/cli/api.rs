//! The public API as the verbs call it.

use std::{fs, path::Path, time::Duration};

use anyhow::Context as _;
use hansa_core::{RequestId, Revision, Secret};
use hansa_types::Problem;
use reqwest::{Certificate, Client, Method, Response, StatusCode, Url, header};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

use super::failure::{Failure, Kind, Outcome};

/// How long one answer may take, beside what was asked to wait.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(100);
/// How long a connection may take.
const CONNECT_TIME_MAX: Duration = Duration::from_secs(5);
/// Bytes of one answer.
const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Pages read of one list.
const PAGES_MAX: usize = 1_000;
/// How often a request is sent, when the service is away or busy.
const ATTEMPTS_MAX: u32 = 5;
/// Longest pause between two attempts.
const PAUSE_MAX: Duration = Duration::from_secs(5);
/// The cookie that carries a session.
pub(crate) const SESSION_COOKIE: &str = "__Host-hansa_session";

/// Who is asking.
#[derive(Debug)]
pub(crate) enum Credential {
    /// An API key or an access token.
    Bearer(Secret),
    /// A session's secret.
    Session(Secret),
    /// Nobody yet: to sign in.
    None,
}

/// A client of one installation.
#[derive(Debug)]
pub(crate) struct Api {
    http: Client,
    base: Url,
    credential: Credential,
}

/// A page of any list.
#[derive(Deserialize)]
struct Page<T> {
    items: Vec<T>,
    #[serde(default)]
    next_page_token: Option<String>,
}

impl Api {
    pub(crate) fn new(base: &str, ca: Option<&Path>, credential: Credential) -> Outcome<Self> {
        let base = check_address(base)?;
        let mut builder = Client::builder()
            .user_agent(concat!("hansa/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT_TIME_MAX)
            .timeout(ANSWER_TIME_MAX);
        if let Some(path) = ca {
            let pem = fs::read(path).with_context(|| format!("reading {}", path.display()))?;
            let authority = Certificate::from_pem(&pem)
                .with_context(|| format!("{} is no PEM certificate", path.display()))?;
            builder = builder.tls_certs_merge([authority]);
        }
        let http = builder.build().context("preparing TLS")?;
        Ok(Self { http, base, credential })
    }

    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str) -> Outcome<T> {
        self.json(self.send(Method::GET, path, None, None).await?).await
    }

    /// A plain text.
    pub(crate) async fn text(&self, path: &str) -> Outcome<String> {
        let body = self.body(self.send(Method::GET, path, None, None).await?).await?;
        Ok(String::from_utf8_lossy(&body).into_owned())
    }

    /// All pages of a list.
    pub(crate) async fn list<T: DeserializeOwned>(&self, path: &str) -> Outcome<Vec<T>> {
        let separator = if path.contains('?') { '&' } else { '?' };
        let first = format!("{path}{separator}page_size={}", hansa_core::limits::PAGE_SIZE_MAX);
        let (mut all, mut token) = (Vec::new(), None::<String>);
        for _ in 0..PAGES_MAX {
            let address = match &token {
                Some(token) => format!("{first}&page_token={}", percent_encoded(token)),
                None => first.clone(),
            };
            let Page { items, next_page_token } = self.get::<Page<T>>(&address).await?;
            all.extend(items);
            token = next_page_token;
            if token.is_none() {
                return Ok(all);
            }
        }
        Err(Failure::failed(format!("the list {path} has more than {PAGES_MAX} pages")))
    }

    /// Makes or does something, once: a repetition after a lost answer has no second effect.
    pub(crate) async fn post<T: DeserializeOwned>(&self, path: &str, body: &Value) -> Outcome<T> {
        self.json(self.post_response(path, body).await?).await
    }

    pub(crate) async fn post_response(&self, path: &str, body: &Value) -> Outcome<Response> {
        self.send(Method::POST, path, Some(body), None).await
    }

    /// Changes what is at a revision.
    pub(crate) async fn patch<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &Value,
        revision: Revision,
    ) -> Outcome<T> {
        self.json(self.send(Method::PATCH, path, Some(body), Some(revision)).await?).await
    }

    /// Ends what is at a revision; the operation, where there is one.
    pub(crate) async fn delete(
        &self,
        path: &str,
        revision: Option<Revision>,
    ) -> Outcome<Option<Value>> {
        let answer = self.send(Method::DELETE, path, None, revision).await?;
        if answer.status() == StatusCode::NO_CONTENT {
            return Ok(None);
        }
        self.json(answer).await.map(Some)
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        revision: Option<Revision>,
    ) -> Outcome<Response> {
        let address = format!("{}{path}", self.base.as_str().trim_end_matches('/'));
        // Of this call: each attempt carries the same.
        let once = RequestId::new().to_string();
        let mut attempt = 0;
        loop {
            attempt += 1;
            let mut request = self.http.request(method.clone(), &address);
            request = match &self.credential {
                Credential::Bearer(token) => {
                    request.bearer_auth(token.expose_text().unwrap_or_default())
                }
                Credential::Session(secret) => {
                    let secret = secret.expose_text().unwrap_or_default();
                    request
                        .header(header::COOKIE, format!("{SESSION_COOKIE}={secret}"))
                        .header(header::ORIGIN, self.base.origin().ascii_serialization())
                }
                Credential::None => request,
            };
            if let Some(revision) = revision {
                request = request.header(header::IF_MATCH, format!("\"{revision}\""));
            }
            if let Some(body) = body {
                request = request.header("idempotency-key", &once).json(body);
            }
            let pause = match request.send().await {
                Ok(answer) if answer.status().is_success() => return Ok(answer),
                Ok(answer) => match retry_after(&answer) {
                    Some(pause) if attempt < ATTEMPTS_MAX => pause,
                    Some(_) | None => return Err(self.problem(answer).await),
                },
                Err(error) if error.is_connect() && attempt < ATTEMPTS_MAX => {
                    Duration::from_millis(100 << attempt)
                }
                Err(error) => return Err(self.unreachable(&error)),
            };
            tokio::time::sleep(pause.min(PAUSE_MAX)).await;
        }
    }

    fn unreachable(&self, error: &reqwest::Error) -> Failure {
        let cause = std::iter::successors(std::error::Error::source(error), |e| e.source()).last();
        let why = cause.map_or_else(|| error.to_string(), ToString::to_string);
        if error.is_timeout() && !error.is_connect() {
            let text = format!("the API at {} does not answer in time", self.base);
            return Failure::new(Kind::Timeout, text).next("look whether it was done, then repeat");
        }
        let text = format!("the API at {} does not answer: {why}", self.base);
        Failure::new(Kind::Service, text).next("is HANSA_API right, and does the service run?")
    }

    async fn problem(&self, answer: Response) -> Failure {
        let status = answer.status();
        match self.body(answer).await {
            Ok(body) => match serde_json::from_slice::<Problem>(&body) {
                Ok(problem) => Failure::Problem(Box::new(problem)),
                Err(_) => {
                    let text = format!("{} answers {status} and no reason", self.base);
                    Failure::new(Kind::Service, text)
                        .next("is HANSA_API the address of a Hansa API?")
                }
            },
            Err(failure) => failure,
        }
    }

    pub(crate) async fn json<T: DeserializeOwned>(&self, answer: Response) -> Outcome<T> {
        let body = self.body(answer).await?;
        serde_json::from_slice(&body).map_err(|error| {
            let text = format!("the API answers what this program does not understand: {error}");
            Failure::failed(text).next("use the `hansa` of the service's own release")
        })
    }

    async fn body(&self, mut answer: Response) -> Outcome<Vec<u8>> {
        let mut body = Vec::new();
        while let Some(part) = answer.chunk().await.map_err(|error| self.unreachable(&error))? {
            if body.len() + part.len() > ANSWER_BYTES_MAX {
                let text = format!("an answer of the API has more than {ANSWER_BYTES_MAX} bytes");
                return Err(Failure::failed(text));
            }
            body.extend_from_slice(&part);
        }
        Ok(body)
    }
}

/// How long to wait before the same request may succeed.
fn retry_after(answer: &Response) -> Option<Duration> {
    let later = [StatusCode::SERVICE_UNAVAILABLE, StatusCode::TOO_MANY_REQUESTS];
    if !later.contains(&answer.status()) {
        return None;
    }
    let seconds = answer.headers().get(header::RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds))
}

/// Credentials travel encrypted, or not beyond this machine.
fn check_address(base: &str) -> Outcome<Url> {
    let url = Url::parse(base)
        .map_err(|error| Failure::usage(format!("{base:?} is no address of an API: {error}")))?;
    let here = match url.host_str() {
        Some("localhost" | "[::1]") => true,
        Some(host) => host.parse::<std::net::Ipv4Addr>().is_ok_and(|ip| ip.is_loopback()),
        None => false,
    };
    match url.scheme() {
        "https" => Ok(url),
        "http" if here => Ok(url),
        "http" => {
            Err(Failure::usage(format!("{base} would carry the credential in clear: use https")))
        }
        other => Err(Failure::usage(format!("an API is reached by https, not by {other}"))),
    }
}

/// For a value in a query.
pub(crate) fn percent_encoded(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
    text.bytes()
        .map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A token over plain HTTP is a token for everybody on the way.
    #[test]
    fn credentials_do_not_travel_in_clear() {
        for good in [
            "https://hansa.example",
            "http://127.0.0.1:8080",
            "http://localhost:1",
            "http://[::1]:1",
        ] {
            assert!(check_address(good).is_ok(), "{good} must be accepted");
        }
        for bad in [
            "http://hansa.example",
            "http://10.0.0.1",
            "ftp://localhost",
            "hansa",
            "http://127.0.0.1.evil.example",
        ] {
            assert!(check_address(bad).is_err(), "{bad} must be refused");
        }
    }

    /// A page token is opaque: whatever it holds must arrive as it is.
    #[test]
    fn queries_are_encoded() {
        assert_eq!(percent_encoded("a-b_c.~9"), "a-b_c.~9");
        assert_eq!(percent_encoded("a+/=&ä"), "a%2B%2F%3D%26%C3%A4");
    }
}

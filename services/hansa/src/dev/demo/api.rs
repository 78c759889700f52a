//! The public API as the walk needs it.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use reqwest::{Client, RequestBuilder, StatusCode};
use serde_json::Value;

/// Pages of a list: the demo's lists are short.
const PAGE_SIZE: u16 = 200;

/// A caller of the API.
#[derive(Clone, Debug)]
pub(super) struct Api {
    client: Client,
    address: String,
    token: String,
}

/// An answer.
#[derive(Clone, Debug)]
pub(super) struct Answer(pub(super) Value);

impl Answer {
    pub(super) fn text(&self, pointer: &str) -> Result<String> {
        let text = self.0.pointer(pointer).and_then(Value::as_str);
        text.map(str::to_owned).with_context(|| format!("no {pointer} in {}", self.0))
    }
}

impl Api {
    pub(super) fn new(address: &str, token: &str) -> Result<Self> {
        let client = Client::builder().no_proxy().timeout(Duration::from_secs(90)).build()?;
        Ok(Self { client, address: address.to_owned(), token: token.to_owned() })
    }

    async fn answer(&self, what: &str, request: RequestBuilder) -> Result<Answer> {
        let answer =
            request.bearer_auth(&self.token).send().await.with_context(|| what.to_owned())?;
        let status = answer.status();
        let body: Value = match status {
            StatusCode::NO_CONTENT => Value::Null,
            _ => answer.json().await.with_context(|| what.to_owned())?,
        };
        if status.is_success() {
            return Ok(Answer(body));
        }
        let word = |pointer| body.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        bail!("{what}: {status} {}: {}", word("/code"), word("/detail"));
    }

    pub(super) async fn get(&self, path: &str) -> Result<Answer> {
        self.answer(&format!("GET {path}"), self.client.get(format!("{}{path}", self.address)))
            .await
    }

    pub(super) async fn post(&self, path: &str, body: &Value) -> Result<Answer> {
        let request = self.client.post(format!("{}{path}", self.address)).json(body);
        self.answer(&format!("POST {path}"), request).await
    }

    /// Deletes what was read as `found`, if it is still that.
    pub(super) async fn delete(&self, path: &str, found: &Answer) -> Result<Answer> {
        let revision = found.0.get("revision").context("a revision")?;
        let request = self.client.delete(format!("{}{path}", self.address));
        self.answer(
            &format!("DELETE {path}"),
            request.header("If-Match", format!("\"{revision}\"")),
        )
        .await
    }

    pub(super) async fn list(&self, path: &str) -> Result<Vec<Answer>> {
        let page = self.get(&format!("{path}?page_size={PAGE_SIZE}")).await?;
        let items = page.0.get("items").and_then(Value::as_array).context("a list has items")?;
        Ok(items.iter().cloned().map(Answer).collect())
    }

    /// Something in a list by its name.
    pub(super) async fn find(&self, path: &str, name: &str) -> Result<Option<Answer>> {
        let items = self.list(path).await?;
        Ok(items.into_iter().find(|item| item.text("/name").is_ok_and(|n| n == name)))
    }

    /// Follows an operation to its end.
    pub(super) async fn follow(&self, operation: &Answer, patience: Duration) -> Result<Answer> {
        let path = format!("/v1/operations/{}?wait=10", operation.text("/id")?);
        let began = Instant::now();
        loop {
            let now = self.get(&path).await?;
            match now.text("/state")?.as_str() {
                "succeeded" => return Ok(now),
                "pending" | "running" if began.elapsed() < patience => {}
                state => bail!(
                    "{}: {state}, {}; next: {}",
                    now.text("/kind")?,
                    now.text("/reason").unwrap_or_default(),
                    now.text("/next_action").unwrap_or_default()
                ),
            }
        }
    }
}

//! Reads answers, bounded.

use hansa_core::{Error, Result};
use reqwest::Response;
use serde::de::DeserializeOwned;

/// The body of an answer as JSON, at most `most` bytes of it.
pub(crate) async fn json<T: DeserializeOwned>(answer: Response, most: usize) -> Result<T> {
    serde_json::from_slice(&bytes(answer, most).await?).map_err(Error::unavailable)
}

/// The body of an answer, at most `most` bytes of it.
pub(crate) async fn bytes(mut answer: Response, most: usize) -> Result<Vec<u8>> {
    let mut body = Vec::new();
    while let Some(part) = answer.chunk().await.map_err(Error::unavailable)? {
        if body.len() + part.len() > most {
            return Err(Error::unavailable(format!("an answer is longer than {most} bytes")));
        }
        body.extend_from_slice(&part);
    }
    Ok(body)
}

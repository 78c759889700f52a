//! Questions for logs of nodes, from whoever does not reach them.

use futures::{StreamExt as _, stream};
use hansa_core::{Result, external_write, limits};
use hansa_store::{LogAnswer, OpenLogRequest};

use super::{Controller, log_failure};

/// Logs that are read at once.
const AT_ONCE: usize = 16;

impl Controller {
    /// Answers every question for a log of a node that this controller reaches.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn answer_logs(&self) -> Result<()> {
        let open = self.tx().await?.log_request_open().await?;
        stream::iter(open)
            .for_each_concurrent(AT_ONCE, |request| async move {
                if let Err(error) = self.answer_log(&request).await {
                    log_failure("logs", &error);
                }
            })
            .await;
        Ok(())
    }

    async fn answer_log(&self, request: &OpenLogRequest) -> Result<()> {
        let OpenLogRequest { id, node, cluster, lines } = *request;
        // Another controller may reach it.
        let Ok(runtime) = self.fleet.runtime(cluster) else { return Ok(()) };
        let answer: LogAnswer = match runtime.logs(node, lines).await {
            Ok(log) => Ok(kept(log)),
            Err(error) => Err(error.to_string()),
        };
        let mut tx = self.tx().await?;
        tx.log_request_answer(id, &answer).await?;
        external_write!(NodeLog, tx.commit().await)
    }
}

/// What is kept of a log: its end, without what PostgreSQL takes in no text.
fn kept(mut log: String) -> String {
    let mut start = log.len().saturating_sub(limits::LOG_BYTES_MAX);
    while !log.is_char_boundary(start) {
        start += 1;
    }
    log.drain(..start);
    log.replace('\0', "\u{fffd}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A node that writes binary lines without end must not fill the database, nor lose its answer.
    #[test]
    fn of_a_long_log_the_end_is_kept_and_no_zero_byte() {
        assert_eq!(kept("a\0b\n".to_owned()), "a\u{fffd}b\n");
        let long = "\u{1f980}".repeat(limits::LOG_BYTES_MAX) + "x";
        let end = kept(long);
        assert!(end.len() <= limits::LOG_BYTES_MAX && end.ends_with("\u{1f980}x"));
    }
}

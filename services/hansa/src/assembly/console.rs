//! The console's pages, beside the API on the same origin.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context as _, Result};
use axum::{
    Router,
    http::{HeaderName, HeaderValue, StatusCode, header},
    middleware,
    response::{Html, IntoResponse, Response},
    routing::get,
};
use hansa_core::Secret;
use tower_http::services::ServeDir;

/// What the built page has where each answer's own nonce belongs.
const NONCE_PLACE: &str = "__CSP_NONCE__";

/// The console in `folder`, as `npm run build` leaves it, beside `api`.
///
/// # Errors
/// When the folder holds no console.
pub(super) fn beside(api: Router, folder: &Path) -> Result<Router> {
    let index: PathBuf = folder.join("index.html");
    let page = fs::read_to_string(&index)
        .with_context(|| format!("{} is no built console", folder.display()))?;
    let page: Arc<str> = page.into();
    let shown = move || {
        let page = page.clone();
        async move { show(&page) }
    };
    // Names of assets hold a digest of their content.
    let assets = Router::new().fallback_service(ServeDir::new(folder.join("assets"))).layer(
        middleware::map_response(async |mut answer: Response| {
            let forever = HeaderValue::from_static("public, max-age=31536000, immutable");
            answer.headers_mut().insert(header::CACHE_CONTROL, forever);
            answer
        }),
    );
    let pages = Router::new()
        .route("/", get(shown.clone()))
        .route("/app/{*page}", get(shown))
        .nest("/assets", assets);
    Ok(pages.merge(api))
}

/// The page with a nonce of its own: the component kit writes styles, and nothing else may.
fn show(page: &str) -> Response {
    let Ok(nonce) = Secret::random(16).map(|nonce| nonce.to_hex()) else {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    };
    let nonce = nonce.expose_text().unwrap_or_default();
    let policy = format!(
        "default-src 'self'; style-src 'self' 'nonce-{nonce}'; style-src-attr 'unsafe-inline'; \
         img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; \
         frame-ancestors 'none'"
    );
    let headers = [
        (header::CONTENT_SECURITY_POLICY, policy),
        (header::CACHE_CONTROL, "no-store".to_owned()),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
        (HeaderName::from_static("referrer-policy"), "same-origin".to_owned()),
    ];
    (headers, Html(page.replace(NONCE_PLACE, nonce))).into_response()
}

#[cfg(test)]
mod tests {
    use super::show;

    /// A nonce that repeats, or a policy that allows inline scripts, protects nobody.
    #[test]
    fn each_page_has_a_nonce_of_its_own_and_allows_no_inline_script() {
        let policy = || {
            let answer = show("<meta content=\"__CSP_NONCE__\">");
            answer.headers()["content-security-policy"].to_str().map(str::to_owned)
        };
        let (first, second) = (policy().expect("text"), policy().expect("text"));
        assert_ne!(first, second);
        assert!(!first.contains("script-src") && first.starts_with("default-src 'self';"));
    }
}

//! A request token opens exactly the request it was made for.

use ledger_types::{LedgerId, RequestError, RequestLine, RequestToken};

use crate::fixture::{LEDGER, key};

const ASKED: RequestLine<'static> =
    RequestLine { method: "POST", target: "/v1/query?at=5", body: b"{\"sql\":\"SELECT 1\"}" };

#[test]
fn a_token_holds_for_its_request_only() {
    // Protects readers: a token seen by somebody else is worth nothing for another query.
    let token = RequestToken::sign(&key(1), LEDGER, ASKED, "audit by carol", 1_000);
    let header = token.to_header();
    let read = RequestToken::check(&header, LEDGER, ASKED, 2_000).unwrap();
    assert_eq!((read.key, read.purpose.as_str()), (key(1).public_key(), "audit by carol"));

    for (name, other) in [
        ("another method", RequestLine { method: "GET", ..ASKED }),
        ("another target", RequestLine { target: "/v1/query", ..ASKED }),
        ("another body", RequestLine { body: b"{}", ..ASKED }),
    ] {
        let error = RequestToken::check(&header, LEDGER, other, 2_000).expect_err(name);
        assert!(matches!(error, RequestError::Signature), "{name}: {error}");
    }
    let elsewhere = RequestToken::check(&header, LedgerId([1; 16]), ASKED, 2_000);
    assert!(matches!(elsewhere, Err(RequestError::Signature)), "another ledger must refuse it");
}

#[test]
fn tokens_expire_and_cannot_be_made_to_last() {
    let header = RequestToken::sign(&key(1), LEDGER, ASKED, "", 1_000).to_header();
    let late = RequestToken::check(&header, LEDGER, ASKED, 61_000);
    assert!(matches!(late, Err(RequestError::Expired)), "a minute later it is refused");
    let ahead = RequestToken::sign(&key(1), LEDGER, ASKED, "", 3_600_000).to_header();
    let early = RequestToken::check(&ahead, LEDGER, ASKED, 1_000);
    assert!(matches!(early, Err(RequestError::Expired)), "an hour ahead is refused");
}

#[test]
fn malformed_headers_are_named_as_such() {
    for header in
        ["", "Hansa", "Hansa ", "Hansa zz", "Bearer 00", "Hansa 00", &"Hansa 0".repeat(999)]
    {
        let error = RequestToken::check(header, LEDGER, ASKED, 0).expect_err(header);
        assert!(matches!(error, RequestError::Malformed(_)), "{header:?}: {error}");
    }
}

//! Runs tests one after the other on one thing that is dear to make, and ends it whatever happens.

use std::{
    env,
    panic::{AssertUnwindSafe, catch_unwind},
    process::ExitCode,
    time::Instant,
};

use anyhow::{Result, anyhow};

/// A test: its name, and what it does with what it is given.
pub type Test<T> = (&'static str, fn(&mut T) -> Result<()>);

/// Runs the tests, or those of the names that are the program's arguments.
pub fn run<T>(tests: &[Test<T>], start: impl FnOnce() -> Result<T>) -> ExitCode {
    let wanted: Vec<String> = env::args().skip(1).filter(|a| !a.starts_with('-')).collect();
    let chosen: Vec<&Test<T>> = tests
        .iter()
        .filter(|(name, _)| wanted.is_empty() || wanted.iter().any(|w| name.contains(w.as_str())))
        .collect();
    println!("\nrunning {} tests", chosen.len());
    let (mut passed, mut failed) = (0, 0);
    match start() {
        Ok(mut subject) => {
            for (name, test) in chosen {
                let began = Instant::now();
                let ran = catch_unwind(AssertUnwindSafe(|| test(&mut subject)))
                    .unwrap_or_else(|_| Err(anyhow!("it panicked; see above")));
                let seconds = began.elapsed().as_secs_f64();
                match ran {
                    Ok(()) => {
                        println!("test {name} ... ok ({seconds:.1} s)");
                        passed += 1;
                    }
                    Err(error) => {
                        println!("test {name} ... FAILED ({seconds:.1} s)\n{error:#}");
                        failed += 1;
                    }
                }
            }
        }
        Err(error) => {
            println!("test the_product_starts_and_walks ... FAILED\n{error:#}");
            failed += 1;
        }
    }
    let word = if failed == 0 { "ok" } else { "FAILED" };
    println!("\ntest result: {word}. {passed} passed; {failed} failed; 0 ignored");
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

//! The roles as programs, each with its file, over a PostgreSQL of their own.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Output, Stdio},
    time::{Duration, Instant},
};

use hansa_postgres::{Cluster, ClusterConfig, Installation, Login};
use hansa_store::{OWNER_ROLE, ROLES_SQL};
use rustix::process::{Pid, Signal, kill_process};
use sqlx::ConnectOptions as _;

const HANSA: &str = env!("CARGO_BIN_EXE_hansa");
/// How long a role may take to answer, and to end.
const TIME_MAX: Duration = Duration::from_secs(30);
const DATABASE: &str = "hansa";
const LOGINS: [Login; 5] = [
    Login { role: "hansa_migrate_login", group: OWNER_ROLE },
    Login { role: "hansa_api_login", group: "hansa_api" },
    Login { role: "hansa_identity_login", group: "hansa_identity" },
    Login { role: "hansa_controller_login", group: "hansa_controller" },
    Login { role: "hansa_vault_login", group: "hansa_vault" },
];

/// A machine on which somebody installs the roles.
struct Machine {
    folder: tempfile::TempDir,
    cluster: Cluster,
}

impl Machine {
    async fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let config = ClusterConfig::debian(folder.path().join("postgres"));
        let (cluster, _) = Cluster::ensure(config).await.expect("PostgreSQL is installed");
        let installation = Installation {
            roles: ROLES_SQL,
            logins: &LOGINS,
            database: DATABASE,
            owner: OWNER_ROLE,
        };
        cluster.install(&installation).await.expect("a database");
        Self { folder, cluster }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, mode: u32, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, text).expect("written");
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("a mode");
        path
    }

    /// A file with the whole address of a login, as `migrate` and `vault` take it.
    fn address(&self, login: usize) -> PathBuf {
        let address = self.cluster.login(LOGINS[login], DATABASE).to_url_lossy().to_string();
        self.write(LOGINS[login].role, 0o600, &address)
    }

    /// The same place without a user, as the files of the roles take it, and the login's password.
    fn database(&self, system: usize) -> String {
        let login = |login: usize| self.cluster.login(LOGINS[login], DATABASE).to_url_lossy();
        let mut place = login(1);
        let mut text = String::new();
        for (part, number) in [("tenant", 1), ("system", system)] {
            let role = LOGINS[number].role;
            text += &format!("[database.{part}]\nuser = \"{role}\"\n");
            if let Some(password) = login(number).password() {
                let file = self.write(&format!("{role}.password"), 0o600, password);
                text += &format!("password_file = \"{}\"\n", file.display());
            }
        }
        place.set_username("").expect("an address has a place for a user");
        place.set_password(None).expect("an address has a place for a password");
        format!("[database]\nurl = \"{place}\"\n{text}")
    }

    fn start(&self, arguments: &[&str], files: &[&Path]) -> Running {
        let log = self.path(&format!("{}.log", arguments[0]));
        let log = fs::File::options().append(true).create(true).open(log).expect("a log");
        let child = Command::new(HANSA)
            .args(interleaved(arguments, files))
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a handle"))
            .stderr(log)
            .spawn()
            .expect("the program");
        Running(child)
    }

    fn run(&self, arguments: &[&str], files: &[&Path]) -> Output {
        Command::new(HANSA).args(interleaved(arguments, files)).output().expect("the program")
    }

    fn logs(&self) -> String {
        let read = |name: &str| fs::read_to_string(self.path(name)).unwrap_or_default();
        ["vault.log", "api.log", "controller.log"].map(read).join("\n")
    }
}

impl Drop for Machine {
    /// A test that failed leaves no server behind.
    fn drop(&mut self) {
        let text = fs::read_to_string(self.path("postgres/data/postmaster.pid"));
        let pid = text.ok().and_then(|text| text.lines().next()?.parse().ok());
        if let Some(pid) = pid.and_then(Pid::from_raw) {
            let _ = kill_process(pid, Signal::QUIT);
        }
    }
}

/// The first argument is the verb; each of the others is a flag whose value is a file.
fn interleaved(arguments: &[&str], files: &[&Path]) -> Vec<String> {
    let mut words = vec![arguments[0].to_owned()];
    for (flag, file) in arguments[1..].iter().zip(files) {
        words.extend([(*flag).to_owned(), file.display().to_string()]);
    }
    words
}

struct Running(Child);

impl Running {
    /// Asks it to end, as a service manager does.
    fn end(&mut self) -> ExitStatus {
        let pid = i32::try_from(self.0.id()).ok().and_then(Pid::from_raw).expect("a pid");
        kill_process(pid, Signal::TERM).expect("it runs");
        let began = Instant::now();
        loop {
            if let Some(status) = self.0.try_wait().expect("a child") {
                return status;
            }
            assert!(began.elapsed() < TIME_MAX, "it does not end at SIGTERM");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("bound").port()
}

async fn get(url: &str) -> Option<(u16, String)> {
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    let answer = client.get(url).send().await.ok()?;
    let status = answer.status().as_u16();
    Some((status, answer.text().await.ok()?))
}

async fn until(machine: &Machine, url: &str, holds: impl Fn(u16, &str) -> bool) -> String {
    let began = Instant::now();
    loop {
        let seen = get(url).await;
        if let Some((_, text)) = seen.clone().filter(|(status, text)| holds(*status, text)) {
            return text;
        }
        let late = began.elapsed() > TIME_MAX;
        assert!(!late, "{url} never came right; last {seen:?}\n{}", machine.logs());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// The way of docs/howto/run-in-production.md: roles, migrations, vault, API and controller as
/// programs of their own; metrics apart from the public port; an orderly end at SIGTERM.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_roles_run_as_programs_from_their_files() {
    let machine = Machine::new().await;
    let (listen, api_metrics, metrics) = (free_port(), free_port(), free_port());
    let migrate = machine.address(0);
    for _ in 0..2 {
        let done = machine.run(&["migrate", "--database"], &[&migrate]);
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }
    let socket = machine.path("vault.sock");
    let (root_key, database) = (machine.path("root.key"), machine.address(4));
    let mut vault = machine.start(
        &["vault", "--database", "--root-key", "--socket"],
        &[&database, &root_key, &socket],
    );
    let key = |name| machine.write(name, 0o600, &format!("{}\n", "5a".repeat(32)));
    let (credential, page) = (key("credential.key"), key("page.key"));
    let node = machine.write("hansa-node", 0o755, "#!/bin/sh\n");
    let vault_socket = format!("[vault]\nsocket = \"{}\"\n", socket.display());
    let api_file = machine.write(
        "api.toml",
        0o644,
        &format!(
            "listen = \"127.0.0.1:{listen}\"\nmetrics = \"127.0.0.1:{api_metrics}\"\n\
             public_url = \"http://127.0.0.1:{listen}\"\n{}{vault_socket}[secrets]\n\
             credential_key = \"{}\"\npage_key = \"{}\"\n",
            machine.database(2),
            credential.display(),
            page.display()
        ),
    );
    let controller_file = machine.write(
        "controller.toml",
        0o644,
        &format!(
            "metrics = \"127.0.0.1:{metrics}\"\nenrolment_url = \"http://127.0.0.1:{listen}\"\n\
             {}{vault_socket}[secrets]\ncredential_key = \"{}\"\n[runtime.process]\nfolder = \"{}\"\n\
             program = \"{}\"\n",
            machine.database(3),
            credential.display(),
            machine.path("runtime").display(),
            node.display()
        ),
    );
    for (role, file) in [("api", &api_file), ("controller", &controller_file)] {
        let file = file.to_str().expect("text");
        let checked = Command::new(HANSA).args(["config", "check", role, file]).output();
        let checked = checked.expect("the program");
        assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
    }
    let password = machine.write("operator.password", 0o600, "correct horse battery staple\n");
    let platform = || {
        let mut command = Command::new(HANSA);
        command.args(["platform", "--email", "root@platform.example", "--config"]).arg(&api_file);
        command.arg("--password").arg(&password).arg("--api-key");
        command
    };
    let key_file = machine.path("platform.key");
    let made = platform().arg(&key_file).output().expect("the program");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let again = platform().arg(machine.path("second.key")).output().expect("the program");
    assert!(!again.status.success(), "there is one platform");
    assert!(!machine.path("second.key").exists(), "an empty key file helps nobody");
    let mut api = machine.start(&["api", "--config"], &[&api_file]);
    let mut controller = machine.start(&["controller", "--config"], &[&controller_file]);
    let public = format!("http://127.0.0.1:{listen}");
    until(&machine, &format!("{public}/readyz"), |status, _| status == 200).await;
    get(&format!("{public}/v1/me")).await;
    let token = fs::read_to_string(&key_file).expect("a key");
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    let me = client.get(format!("{public}/v1/me")).bearer_auth(token).send().await;
    assert!(me.expect("an answer").status().is_success(), "the platform's key works");
    let shown = until(&machine, &format!("http://127.0.0.1:{api_metrics}/metrics"), |_, text| {
        text.contains("hansa_api_requests_total{operation=\"me_get\",status=\"4xx\"} 1")
    })
    .await;
    assert!(shown.contains("hansa_build_info{version="), "{shown}");
    assert!(shown.contains("hansa_database_connections{pool=\"tenant\",role=\"api\""), "{shown}");
    let shown = until(&machine, &format!("http://127.0.0.1:{metrics}/metrics"), |_, text| {
        let passes = "hansa_reconciler_passes_total{reconciler=\"nodes\"} ";
        text.lines().any(|line| line.strip_prefix(passes).is_some_and(|n| n != "0"))
    })
    .await;
    let failures = shown.lines().filter(|line| line.starts_with("hansa_reconciler_failures_total"));
    for line in failures {
        assert!(line.ends_with(" 0"), "{line}\n{}", machine.logs());
    }
    let (status, _) = get(&format!("{public}/metrics")).await.expect("an answer");
    assert_eq!(status, 404, "S-65: metrics must not be on the public port");
    let text = fs::read_to_string(&controller_file).expect("it was written");
    let elsewhere = text.replace(&format!(":{metrics}\""), &format!(":{}\"", free_port()));
    let second = machine.write("second.toml", 0o644, &elsewhere);
    let second = machine.run(&["controller", "--config"], &[&second]);
    let said = String::from_utf8_lossy(&second.stderr);
    assert!(said.contains("another controller"), "two would start every node twice: {said}");
    for (name, role) in [("api", &mut api), ("controller", &mut controller), ("vault", &mut vault)]
    {
        let status = role.end();
        assert!(status.success(), "{name} ended with {status}\n{}", machine.logs());
    }
    machine.cluster.stop().await.expect("PostgreSQL ends");
}

/// The files that the documentation shows are files that the roles take: only the secrets that they
/// name are missing here.
#[test]
fn the_documented_files_are_what_the_roles_read() {
    // Relative to the package, where tests run: a build may be shared between checkouts.
    for role in ["api", "controller"] {
        let file = format!("../../infra/config/{role}.toml");
        let text = fs::read_to_string(&file).expect("a documented file");
        let folder = tempfile::tempdir().expect("a folder");
        let secrets = folder.path().to_str().expect("text");
        for name in [
            "api.password",
            "identity.password",
            "controller.password",
            "credential.key",
            "page.key",
        ] {
            let path = folder.path().join(name);
            fs::write(&path, "5a".repeat(32)).expect("written");
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("a mode");
        }
        let text = text
            .replace("/etc/hansa/secrets", secrets)
            .replace("# program = \"/usr/bin/hansa-node\"", &format!("program = \"{HANSA}\""));
        let here = folder.path().join("file.toml");
        let check = |text: &str| {
            fs::write(&here, text).expect("written");
            let run = Command::new(HANSA).args(["config", "check", role]).arg(&here).output();
            let run = run.expect("the program");
            (run.status.success(), String::from_utf8_lossy(&run.stderr).into_owned())
        };
        let (well, said) = check(&text);
        assert!(well, "{file}: {said}");
        let (well, said) = check(&text.replace("metrics = ", "metricz = "));
        assert!(!well && said.contains("metricz"), "an unknown key must be named: {said}");
        let key = folder.path().join("credential.key");
        fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).expect("a mode");
        let (well, said) = check(&text);
        assert!(!well && said.contains("chmod 600"), "S-78: {said}");
    }
}

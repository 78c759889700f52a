#!/usr/bin/env bash
# Measures what a team might run instead; one line a run. README.md says what is compared.
#
#   run.sh comet [RATE...]      four CometBFT validators, transactions offered in a second
#   run.sh etcd [CLIENTS...]    three etcd members, concurrent writers
#   run.sh postgres [CLIENTS..] one PostgreSQL
set -euo pipefail
cd "$(dirname "$0")"

programs=${HANSA_PEERS_BIN:-$HOME/.cache/hansa/peers}
work=$(mktemp -d)
running=()

finish() {
  for process in "${running[@]}"; do kill "$process" 2>/dev/null || true; done
  wait 2>/dev/null || true
  rm -rf "$work"
}
trap finish EXIT

build() {
  command -v go >/dev/null || { echo "Go 1.26 is needed: https://go.dev/dl" >&2; exit 1; }
  mkdir -p "$programs"
  CGO_ENABLED=0 go build -o "$programs/" ./etcdput ./cometsigned ./cometload \
    github.com/cometbft/cometbft/cmd/cometbft
  CGO_ENABLED=0 go build -o "$programs/etcd" go.etcd.io/etcd/server/v3
}

# Looks until the command succeeds.
until_ready() {
  for _ in $(seq 300); do "$@" >/dev/null 2>&1 && return; sleep 0.1; done
  echo "not ready in 30 s: $*" >&2
  exit 1
}

comet() {
  local home n config
  "$programs/cometbft" testnet --v 4 --o "$work/comet" --starting-ip-address 127.0.0.1 \
    >/dev/null 2>&1
  for n in 0 1 2 3; do
    home=$work/comet/node$n config=$work/comet/node$n/config/config.toml
    # Its fastest honest settings: no pause between blocks, no indexer, no recheck, a large mempool.
    sed -i \
      -e "s|^laddr = \"tcp://127.0.0.1:26657\"|laddr = \"tcp://127.0.0.$((n + 1)):26657\"|" \
      -e "s|^laddr = \"tcp://0.0.0.0:26656\"|laddr = \"tcp://127.0.0.$((n + 1)):26656\"|" \
      -e 's|^timeout_commit = .*|timeout_commit = "0ms"|' \
      -e 's|^create_empty_blocks = .*|create_empty_blocks = false|' \
      -e 's|^indexer = .*|indexer = "null"|' \
      -e 's|^addr_book_strict = .*|addr_book_strict = false|' \
      -e 's|^allow_duplicate_ip = .*|allow_duplicate_ip = true|' \
      -e 's|^size = 5000|size = 200000|' \
      -e 's|^recheck = .*|recheck = false|' \
      -e 's|^max_request_batch_size = .*|max_request_batch_size = 1000|' "$config"
    "$programs/cometsigned" --home "$home" >/dev/null 2>&1 & running+=($!)
  done
  for n in 1 2 3 4; do until_ready curl -sf "http://127.0.0.$n:26657/status"; done
  # They answer before they have found one another.
  until_ready sh -c 'curl -sf http://127.0.0.1:26657/net_info | grep -q "\"n_peers\": *\"3\""'
  for rate in "${@:-2000}"; do "$programs/cometload" -rate "$rate" -seconds 10; done
}

etcd() {
  local port=22 members="a=http://127.0.0.1:22380,b=http://127.0.0.1:23380,c=http://127.0.0.1:24380"
  local endpoints=127.0.0.1:22379,127.0.0.1:23379,127.0.0.1:24379
  for name in a b c; do
    "$programs/etcd" --name $name --data-dir "$work/$name" --initial-cluster "$members" \
      --listen-client-urls "http://127.0.0.1:${port}379" \
      --advertise-client-urls "http://127.0.0.1:${port}379" \
      --listen-peer-urls "http://127.0.0.1:${port}380" \
      --initial-advertise-peer-urls "http://127.0.0.1:${port}380" \
      --log-level error >/dev/null 2>&1 & running+=($!)
    port=$((port + 1))
  done
  for port in 22 23 24; do until_ready curl -sf "http://127.0.0.1:${port}379/health"; done
  for clients in "${@:-64}"; do "$programs/etcdput" -endpoints $endpoints -clients "$clients"; done
}

postgres() {
  local binaries as=() at
  binaries=$(ls -d /usr/lib/postgresql/*/bin | tail -1)
  if [ "$(id -u)" = 0 ]; then
    as=(setpriv --reuid=postgres --regid=postgres --clear-groups)
    chmod 755 "$work" && install -d -o postgres "$work/pg"
  else
    install -d "$work/pg"
  fi
  at=(-h "$work/pg" -U postgres)
  "${as[@]}" "$binaries/initdb" -D "$work/pg/data" -A trust -U postgres >/dev/null
  "${as[@]}" "$binaries/pg_ctl" -D "$work/pg/data" -l "$work/pg/log" -w start >/dev/null \
    -o "-k $work/pg -c listen_addresses= -c shared_buffers=512MB"
  psql "${at[@]}" -q <<'SQL'
CREATE TABLE account (id bigint PRIMARY KEY, balance bigint);
INSERT INTO account SELECT n, 1000000 FROM generate_series(1, 100000) n;
CREATE TABLE transfer (id bigserial PRIMARY KEY, debtor bigint, creditor bigint, amount bigint, memo text);
SQL
  cat >"$work/transfer.sql" <<'SQL'
\set debtor random(1, 100000)
\set creditor random(1, 100000)
BEGIN;
UPDATE account SET balance = balance - 1 WHERE id = :debtor;
UPDATE account SET balance = balance + 1 WHERE id = :creditor;
INSERT INTO transfer (debtor, creditor, amount, memo) VALUES (:debtor, :creditor, 1, repeat('m', 100));
COMMIT;
SQL
  for clients in "${@:-32}"; do
    echo "postgres transfer clients=$clients $(
      "$binaries/pgbench" "${at[@]}" -n -M prepared -c "$clients" -j 2 -T 8 \
        -f "$work/transfer.sql" postgres 2>/dev/null | grep -E 'tps|latency average' | tr '\n' ' '
    )"
  done
  "${as[@]}" "$binaries/pg_ctl" -D "$work/pg/data" -m fast stop >/dev/null
}

case ${1:-} in
  comet | etcd) build && "$@" ;;
  postgres) "$@" ;;
  *) sed -n '2,6s/^# \{0,1\}//p' "$0" >&2 && exit 2 ;;
esac

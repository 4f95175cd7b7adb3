#!/bin/sh
# A Docker engine of its own on Debian, as root: `engine.sh start` and `engine.sh stop`.
set -eu

HOME_DIR=${STAND_IN_ENGINE:-/tmp/agentic-hooks-docker}
PID_FILE=$HOME_DIR/docker.pid

start() {
  command -v dockerd >/dev/null || {
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends docker.io iptables >/dev/null
  }
  mkdir -p "$HOME_DIR"
  dockerd --host "unix://$HOME_DIR/docker.sock" --data-root "$HOME_DIR/data" --exec-root "$HOME_DIR/exec" \
    --pidfile "$PID_FILE" >"$HOME_DIR/dockerd.log" 2>&1 &
  for _ in $(seq 60); do
    if docker --host "unix://$HOME_DIR/docker.sock" info >/dev/null 2>&1; then
      echo "DOCKER_HOST=unix://$HOME_DIR/docker.sock"
      return
    fi
    sleep 1
  done
  tail -n 20 "$HOME_DIR/dockerd.log" >&2
  exit 1
}

stop() {
  [ ! -f "$PID_FILE" ] || kill "$(cat "$PID_FILE")"
}

"$1"

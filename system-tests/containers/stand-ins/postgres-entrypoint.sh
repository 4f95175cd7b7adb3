#!/bin/sh
# As much of the official image's entry point as the compose files use: POSTGRES_USER, POSTGRES_DB,
# POSTGRES_PASSWORD and POSTGRES_PASSWORD_FILE on the first start, and then the server as the user postgres.
set -eu

bin=/usr/lib/postgresql/18/bin
password=${POSTGRES_PASSWORD:-$(cat "${POSTGRES_PASSWORD_FILE:-/dev/null}")}
user=${POSTGRES_USER:-postgres}

if [ "$(id -u)" = 0 ]; then
  mkdir -p "$PGDATA"
  chown -R postgres:postgres "$(dirname "$PGDATA")" /var/run/postgresql
  exec setpriv --reuid=postgres --regid=postgres --init-groups "$0" "$@"
fi

if [ ! -f "$PGDATA/PG_VERSION" ]; then
  [ -n "$password" ] || { echo 'POSTGRES_PASSWORD or POSTGRES_PASSWORD_FILE must be set' >&2; exit 1; }
  printf '%s' "$password" >/tmp/password
  "$bin/initdb" --username="$user" --pwfile=/tmp/password --auth=scram-sha-256 --encoding=UTF8 --locale=C -D "$PGDATA"
  rm /tmp/password
  echo 'host all all all scram-sha-256' >>"$PGDATA/pg_hba.conf"
  [ "${POSTGRES_DB:-$user}" = postgres ] ||
    echo "CREATE DATABASE \"${POSTGRES_DB:-$user}\"" | "$bin/postgres" --single -D "$PGDATA" postgres >/dev/null
fi

[ "$1" = postgres ] && shift
exec "$bin/postgres" -D "$PGDATA" -c listen_addresses='*' "$@"

#!/bin/sh
# The roles of the compose files. PostgreSQL's image runs this once, when it makes an empty volume. It may be run again,
# after a password has changed or on a volume from before there were roles:
#
#   docker compose exec postgres /docker-entrypoint-initdb.d/roles.sh
#
# hooks_owner    the receiver: makes the tables and partitions, which belong to it, and stores events
# hooks_reader   Grafana: reads
#
# Passwords come from HOOKS_OWNER_PASSWORD and HOOKS_READER_PASSWORD, or from the files that these names with _FILE name.
set -eu

password() {
  eval "value=\${$1:-} file=\${$1_FILE:-}"
  [ -z "$file" ] || value="$(cat "$file")"
  [ -n "$value" ] || { echo "roles.sh: $1 or $1_FILE must be set" >&2; exit 1; }
  printf '%s' "$value"
}

owner_password="$(password HOOKS_OWNER_PASSWORD)"
reader_password="$(password HOOKS_READER_PASSWORD)"

# In the environment, not among the arguments, which everybody sees in the list of processes.
export HOOKS_OWNER_PASSWORD="$owner_password" HOOKS_READER_PASSWORD="$reader_password"

exec psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 \
  --username "${POSTGRES_USER:-postgres}" --dbname "${POSTGRES_DB:-hooks}" <<'SQL'
\getenv owner_password HOOKS_OWNER_PASSWORD
\getenv reader_password HOOKS_READER_PASSWORD
BEGIN;
SELECT format('CREATE ROLE %I', name)
FROM unnest(ARRAY['hooks_owner', 'hooks_reader']) AS name WHERE to_regrole(name) IS NULL
\gexec
ALTER ROLE hooks_owner LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS PASSWORD :'owner_password';
ALTER ROLE hooks_reader LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS PASSWORD :'reader_password';
REVOKE ALL ON DATABASE :"DBNAME" FROM PUBLIC;
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT CONNECT ON DATABASE :"DBNAME" TO hooks_owner, hooks_reader;
GRANT TEMPORARY ON DATABASE :"DBNAME" TO hooks_owner;
GRANT CREATE, USAGE ON SCHEMA public TO hooks_owner;
GRANT USAGE ON SCHEMA public TO hooks_reader;

-- Tables of a volume from before there were roles.
SELECT format('ALTER %s %s OWNER TO hooks_owner', CASE relkind WHEN 'v' THEN 'VIEW' ELSE 'TABLE' END, oid::regclass)
FROM pg_class
WHERE relnamespace = 'public'::regnamespace AND relname LIKE 'hook\_%' AND relkind IN ('r', 'p', 'v')
  AND relowner <> 'hooks_owner'::regrole
\gexec
GRANT SELECT ON ALL TABLES IN SCHEMA public TO hooks_reader;
ALTER DEFAULT PRIVILEGES FOR ROLE hooks_owner IN SCHEMA public GRANT SELECT ON TABLES TO hooks_reader;
COMMIT;
SQL

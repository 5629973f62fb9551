#!/bin/sh
# Makes a database on the first start, as the well-known PostgreSQL images do: POSTGRES_USER,
# POSTGRES_PASSWORD, POSTGRES_DB, POSTGRES_INITDB_ARGS, POSTGRES_HOST_AUTH_METHOD, and the scripts
# in /docker-entrypoint-initdb.d (*.sql, *.sql.gz, *.sh).
set -eu
export PGDATA="${PGDATA:-/var/lib/postgresql/data}"
user="${POSTGRES_USER:-postgres}"
database="${POSTGRES_DB:-$user}"

case "${1:-postgres}" in -*) set -- postgres "$@" ;; esac
[ "${1:-postgres}" = postgres ] || exec "$@"

if [ "$(id -u)" = 0 ]; then
    mkdir -p "$PGDATA" /var/run/postgresql
    chown -R postgres:postgres "$PGDATA" /var/run/postgresql
    chmod 700 "$PGDATA"
    exec su -m -s "$(command -v "$0")" postgres "$@"
fi

if [ ! -s "$PGDATA/PG_VERSION" ]; then
    method="${POSTGRES_HOST_AUTH_METHOD:-scram-sha-256}"
    if [ -z "${POSTGRES_PASSWORD:-}" ] && [ "$method" != trust ]; then
        echo "error: set POSTGRES_PASSWORD, or POSTGRES_HOST_AUTH_METHOD=trust" >&2
        exit 1
    fi
    secret=$(mktemp)
    printf '%s\n' "${POSTGRES_PASSWORD:-unused}" > "$secret"
    # shellcheck disable=SC2086 the arguments are words on purpose
    initdb --username="$user" --pwfile="$secret" --auth-local=trust --encoding=UTF8 \
        --locale=C.UTF-8 --no-sync ${POSTGRES_INITDB_ARGS:-}
    rm -f "$secret"
    printf 'host all all all %s\n' "$method" >> "$PGDATA/pg_hba.conf"
    printf "listen_addresses = '*'\njit = off\n" >> "$PGDATA/postgresql.conf"
    pg_ctl --pgdata="$PGDATA" --options="-c listen_addresses=''" --wait --silent start
    query="psql --set=ON_ERROR_STOP=1 --no-psqlrc --username=$user"
    if [ "$database" != postgres ]; then
        $query --dbname=postgres --command="CREATE DATABASE \"$database\""
    fi
    for script in /docker-entrypoint-initdb.d/*; do
        case "$script" in
        *.sh) sh "$script" ;;
        *.sql) $query --dbname="$database" --file="$script" ;;
        *.sql.gz) gunzip -c "$script" | $query --dbname="$database" ;;
        esac
    done
    pg_ctl --pgdata="$PGDATA" --mode=fast --wait --silent stop
    echo "database $database is ready for user $user"
fi
exec "$@"

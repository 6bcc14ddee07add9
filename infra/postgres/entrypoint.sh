#!/bin/sh
# Becomes the server. At the first start it makes the cluster before, whole or not at all, with a superuser whom
# only this container's own socket lets in, and with the role and the database that Emily uses.
set -eu

config=/etc/postgresql/postgresql.conf

main() {
    case ${1:-postgres} in
    postgres) [ $# -eq 0 ] || shift ;;
    -*) ;;
    *) exec "$@" ;;
    esac
    if [ ! -e "$PGDATA/PG_VERSION" ]; then
        check_volume
        read_password
        check_names
        initialise
    fi
    unset POSTGRES_PASSWORD
    exec postgres -D "$PGDATA" -c config_file="$config" "$@"
}

fail() {
    printf '%s\n' "$@" >&2
    exit 2
}

check_volume() {
    folder=$(dirname "$PGDATA")
    if ! { mkdir -p "$folder" && [ -w "$folder" ]; } 2>/dev/null; then
        fail "$folder can't be written by user $(id -u); mount a named volume on $HOME, or give it to that user."
    fi
}

read_password() {
    [ -z "${POSTGRES_PASSWORD:-}" ] ||
        fail "POSTGRES_PASSWORD is seen by too many; put the password into a file, POSTGRES_PASSWORD_FILE."
    [ -r "$POSTGRES_PASSWORD_FILE" ] ||
        fail "POSTGRES_PASSWORD_FILE=$POSTGRES_PASSWORD_FILE is missing, or user $(id -u) can't read it." "$(remedy)"
    POSTGRES_PASSWORD=$(cat "$POSTGRES_PASSWORD_FILE")
    [ -n "$POSTGRES_PASSWORD" ] || fail "POSTGRES_PASSWORD_FILE=$POSTGRES_PASSWORD_FILE is empty." "$(remedy)"
    export POSTGRES_PASSWORD
}

remedy() {
    cat <<'REMEDY'
There is no default password. Make one where compose.yaml is, once:
  mkdir -p -m 700 .emily/secrets
  od -An -N24 -tx1 /dev/urandom | tr -d ' \n' > .emily/secrets/postgres_password
  chmod 644 .emily/secrets/postgres_password
The folder keeps others out; the file itself must be readable, since the server is not root.
REMEDY
}

check_names() {
    for name in "$POSTGRES_USER" "$POSTGRES_DB"; do
        case $name in
        postgres | template0 | template1 | '' | [!a-z_]* | *[!a-z0-9_]*)
            fail "POSTGRES_USER, POSTGRES_DB: '$name' won't do; use a-z, 0-9, _, and no name of PostgreSQL's own."
            ;;
        esac
    done
}

initialise() {
    fresh=$PGDATA.new
    echo "first start: making the database $POSTGRES_DB of $POSTGRES_USER"
    rm -rf "$fresh"
    initdb -D "$fresh" --username=postgres --auth-local=peer --auth-host=scram-sha-256 \
        --encoding=UTF8 --locale=C.UTF-8 >/dev/null
    pg_ctl -D "$fresh" --silent --wait \
        -o "-c config_file=$config -c listen_addresses='' -c log_min_messages=fatal" start
    psql --quiet --no-psqlrc --set ON_ERROR_STOP=1 --username=postgres --dbname=template1 \
        --file=/etc/postgresql/first_start.sql
    pg_ctl -D "$fresh" --silent --wait --mode=fast stop
    mv "$fresh" "$PGDATA"
}

main "$@"

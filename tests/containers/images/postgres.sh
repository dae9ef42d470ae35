#!/bin/bash
# As the official image does: a database is made at the first start, with the user, name and password of the environment, and is not
# reached by TCP before it is complete.
set -euo pipefail
if [ "$1" != postgres ]; then
    exec "$@"
fi
if [ -n "${POSTGRES_PASSWORD_FILE:-}" ]; then
    POSTGRES_PASSWORD=$(cat "$POSTGRES_PASSWORD_FILE")
    export POSTGRES_PASSWORD
    unset POSTGRES_PASSWORD_FILE
fi
if [ "$(id -u)" = 0 ]; then
    install --directory --owner postgres --group postgres --mode 700 "$PGDATA"
    install --directory --owner postgres --group postgres /var/run/postgresql
    exec setpriv --reuid postgres --regid postgres --init-groups "$0" "$@"
fi
if [ ! -s "$PGDATA/PG_VERSION" ]; then
    initdb --username "$POSTGRES_USER" --pwfile <(printf %s "$POSTGRES_PASSWORD") --auth-host scram-sha-256 --auth-local trust --encoding UTF8
    echo "host all all all scram-sha-256" >>"$PGDATA/pg_hba.conf"
    pg_ctl --wait --options "-c listen_addresses=''" start
    createdb --username "$POSTGRES_USER" "${POSTGRES_DB:-$POSTGRES_USER}" || true
    pg_ctl --wait stop
fi
exec "$@" -c listen_addresses='*'

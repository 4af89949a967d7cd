#!/bin/sh
# As the official image's: makes the database where there is none, then runs the command.
set -eu
if [ ! -s "$PGDATA/PG_VERSION" ]; then
    initdb --username=postgres --auth=trust >/dev/null
    printf "listen_addresses = '*'\n" >>"$PGDATA/postgresql.conf"
    printf 'host all all all trust\n' >>"$PGDATA/pg_hba.conf"
    pg_ctl --wait --options="-c listen_addresses=''" start >/dev/null
    createdb --username=postgres shop
    pgbench --username=postgres --initialize --scale=15 --quiet shop 2>/dev/null # 225 MB
    pg_ctl --wait stop >/dev/null
fi
exec "$@"

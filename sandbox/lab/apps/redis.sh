#!/bin/sh
# The password reaches Redis by a file only it can read: an argument would show in every process list.
set -eu
[ -n "${REDIS_PASSWORD:-}" ] || { echo "redis: REDIS_PASSWORD must be set" >&2; exit 1; }
mkdir -p /run/redis /data
umask 077
cat > /run/redis/redis.conf <<CONF
bind 0.0.0.0
protected-mode yes
port 6379
dir /data
appendonly yes
save ""
daemonize no
requirepass "$REDIS_PASSWORD"
CONF
chown -R redis:redis /run/redis /data
unset REDIS_PASSWORD
exec setpriv --reuid=redis --regid=redis --init-groups redis-server /run/redis/redis.conf

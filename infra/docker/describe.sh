#!/bin/sh
# Writes what an image says of itself: how its service starts, and its settings in a container. The environment has
# the last word, as always.
set -eu
name=$1 model=$2 module=${3:-emily_$(printf %s "$1" | tr - _)}

mkdir -p /opt/emily/bin
cat >/opt/emily/bin/start <<START
#!/bin/sh
exec /usr/bin/python3 -m $module "\$@"
START
chmod 755 /opt/emily/bin/start

{
    printf '[%s]\n' "$name"
    echo 'http_host = "0.0.0.0"'
    echo 'http_port = 8080'
    echo 'state_dir = "/var/lib/emily"'
    [ "$model" = none ] || echo "model = \"/opt/emily/models/$model.npz\""
} >/opt/emily/settings.toml

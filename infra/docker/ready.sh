#!/bin/bash
# Whether the service in this container is ready, by its /readyz; what it lacks is told. Bash opens the connection
# by itself: an interpreter started every few seconds would cost more than the service.
set -euo pipefail
exec 3<>/dev/tcp/127.0.0.1/8080
printf 'GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n' >&3
IFS= read -r -t 3 status <&3
if [[ $status != *" 200 "* ]]; then
    timeout 1 tail -n 1 <&3
    exit 1
fi

#!/bin/sh
# nginx under wrk: static files, compression and proxying to itself, two workers; then some pages. nginx.sh [PREFIX...]
set -eu
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"
PATH=$PATH:/usr/sbin:/usr/local/sbin
need nginx
need wrk
need python3

port=$(free_port)
mkdir -p "$scratch/html" "$scratch/tmp"
python3 - "$scratch/html" <<'PYTHON'
import pathlib, sys
html = pathlib.Path(sys.argv[1])
(html / "index.html").write_text("<title>small</title>\n" + "a paragraph\n" * 50)
(html / "large.html").write_text("".join(f"<p>line {i} of a large page</p>\n" for i in range(5000)))
PYTHON
user_line=
if [ "$(id -u)" -eq 0 ]; then
    user_line="user root;"
fi
cat >"$scratch/nginx.conf" <<CONF
$user_line
daemon off;
worker_processes 2;
pid $scratch/nginx.pid;
error_log stderr crit;
events { worker_connections 512; }
http {
    access_log off;
    client_body_temp_path $scratch/tmp/body;
    proxy_temp_path $scratch/tmp/proxy;
    fastcgi_temp_path $scratch/tmp/fastcgi;
    uwsgi_temp_path $scratch/tmp/uwsgi;
    scgi_temp_path $scratch/tmp/scgi;
    default_type text/html;
    gzip on;
    server {
        listen 127.0.0.1:$port;
        root $scratch/html;
        location /proxied/ { proxy_pass http://127.0.0.1:$port/; }
    }
}
CONF

"$@" nginx -p "$scratch" -e stderr -c "$scratch/nginx.conf" >"$scratch/log" &
server=$!
wait_for_port "$port"

share=$((seconds / 3 > 0 ? seconds / 3 : 1))
for page in index.html large.html proxied/index.html; do
    wrk -t 1 -c 16 -d "${share}s" -H 'Accept-Encoding: gzip' "http://127.0.0.1:$port/$page" >"$scratch/wrk" 2>&1 ||
        fail "wrk: $(tail -n 1 "$scratch/wrk")"
    if grep -E 'Non-2xx|Socket errors' "$scratch/wrk" >&2; then
        fail "wrk met errors on /$page"
    fi
done

python3 - "$port" <<'PYTHON'
import hashlib, http.client, sys
for page in ("index.html", "large.html", "proxied/large.html", "absent.html"):
    connection = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]), timeout=10)
    connection.request("GET", "/" + page)
    answer = connection.getresponse()
    body = answer.read()
    print(page, answer.status, len(body), hashlib.sha256(body).hexdigest()[:16])
    connection.close()
PYTHON

stop_server
echo "nginx: $status"
exit "$status"

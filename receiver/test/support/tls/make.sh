#!/bin/sh -e
# Makes the certificates of the tests anew: an authority, and a server and a client that it signed.
cd "$(dirname "$0")"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 36500 \
  -subj '/CN=agentic-hooks test authority' -keyout ca-key.pem -out ca.pem
for name in server client; do
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "/CN=$name" \
    -keyout "$name-key.pem" -out "$name.csr"
  printf 'subjectAltName=DNS:localhost,IP:127.0.0.1\n' >extensions
  openssl x509 -req -in "$name.csr" -CA ca.pem -CAkey ca-key.pem -CAcreateserial -days 36500 \
    -extfile extensions -out "$name.pem"
done
rm -f ./*.csr ./*.srl extensions ca-key.pem

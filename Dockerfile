# The receiver. `docker build -t agentic-hooks-receiver .`, then docs/operate/deployment.md.

FROM node:24-bookworm-slim AS manifests
WORKDIR /app
COPY package.json package-lock.json ./
COPY bench/package.json bench/
COPY durable-files/package.json durable-files/
COPY events/package.json events/
COPY exporters/jsonl/package.json exporters/jsonl/
COPY exporters/postgres/package.json exporters/postgres/
COPY instrumentation/package.json instrumentation/
COPY receiver/package.json receiver/
COPY system-tests/package.json system-tests/
COPY testing/package.json testing/

# Without scripts: the one that builds after npm ci needs sources, which come later.
FROM manifests AS build
RUN npm ci --no-audit --no-fund --ignore-scripts
COPY . .
RUN npx tsc -b receiver/tsconfig.build.json

FROM manifests AS dependencies
RUN npm ci --no-audit --no-fund --ignore-scripts --omit=dev --omit=optional --workspace receiver

FROM node:24-bookworm-slim
WORKDIR /app
COPY --from=dependencies /app/node_modules node_modules
COPY --from=build /app/durable-files/package.json durable-files/
COPY --from=build /app/durable-files/dist durable-files/dist
COPY --from=build /app/events/package.json events/
COPY --from=build /app/events/dist events/dist
COPY --from=build /app/exporters/jsonl/package.json exporters/jsonl/
COPY --from=build /app/exporters/jsonl/dist exporters/jsonl/dist
COPY --from=build /app/exporters/postgres/package.json exporters/postgres/
COPY --from=build /app/exporters/postgres/dist exporters/postgres/dist
COPY --from=build /app/receiver/package.json receiver/
COPY --from=build /app/receiver/dist receiver/dist
COPY --from=build /app/receiver/wasm/otlp-protobuf.wasm receiver/wasm/
COPY deploy/docker/healthcheck.mjs ./
# The only folder that is written to, and only by the JSONL exporter and the spool.
RUN mkdir /data && chown node:node /data
ENV NODE_ENV=production \
    HOST=0.0.0.0 \
    ADMIN_HOST=0.0.0.0 \
    JSONL_PATH=/data/events.jsonl
USER node
VOLUME /data
EXPOSE 4318
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 CMD ["node", "healthcheck.mjs"]
# Without the limit its young generation grows to 128 MiB (docs/decisions/0108).
ENTRYPOINT ["node", "--max-semi-space-size=16", "receiver/dist/main.js"]

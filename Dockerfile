# syntax=docker/dockerfile:1

FROM rust:1.95-slim-bookworm AS build
WORKDIR /build

# The dependencies get a layer of their own, built around empty crates in place of ours. It stays
# cached until a Cargo.toml or Cargo.lock changes.
COPY Cargo.toml Cargo.lock ./
COPY stand-ins/Cargo.toml stand-ins/
RUN mkdir src stand-ins/src \
    && echo 'fn main() {}' > src/main.rs \
    && touch src/lib.rs stand-ins/src/lib.rs \
    && cargo build --release --locked \
    && rm -r src stand-ins/src

COPY manifest.yml ./
COPY migrations migrations
COPY stand-ins stand-ins
COPY src src
# COPY keeps the files' own dates, which may be older than those of the empty crates. Without the
# touch, cargo would see nothing to rebuild.
RUN touch src/main.rs src/lib.rs stand-ins/src/lib.rs \
    && cargo build --release --locked \
    && mkdir /data

# glibc, libgcc, CA certificates and an unprivileged user; no shell, no package manager.
FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /build/target/release/connect-card /usr/local/bin/connect-card
# A new volume takes its owner from this folder.
COPY --from=build --chown=65532:65532 /data /data
VOLUME /data
ENV HOST=0.0.0.0 PORT=3000 DATABASE_URL=sqlite:/data/connect-card.db
EXPOSE 3000
# A number, so that an orchestrator can see that it is not root.
USER 65532:65532
# No HEALTHCHECK, since there is no client in the image to run one with. Let the orchestrator probe
# GET /healthz (the process is alive) and GET /readyz (it can accept a command now).
ENTRYPOINT ["/usr/local/bin/connect-card"]
CMD ["serve"]

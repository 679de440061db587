# syntax=docker/dockerfile:1

FROM rust:1.95-slim-bookworm AS build
WORKDIR /build

# The dependencies in a layer of their own, which stays cached until a Cargo.toml or Cargo.lock
# changes: they are compiled with an empty program in place of ours.
COPY Cargo.toml Cargo.lock ./
COPY stand-ins/Cargo.toml stand-ins/
RUN mkdir src stand-ins/src \
    && echo 'fn main() {}' > src/main.rs \
    && touch src/lib.rs stand-ins/src/lib.rs \
    && cargo build --release --locked \
    && rm -r src stand-ins/src

COPY manifest.yml ./
COPY stand-ins stand-ins
COPY src src
# COPY keeps the files' own dates, which may be older than the empty program's; without the touch
# cargo would think that nothing has changed.
RUN touch src/main.rs src/lib.rs stand-ins/src/lib.rs \
    && cargo build --release --locked \
    && mkdir /data

# glibc, libgcc, CA certificates and a user without privileges; no shell, no package manager.
FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /build/target/release/connect-card /usr/local/bin/connect-card
# A new volume takes its owner from here.
COPY --from=build --chown=65532:65532 /data /data
VOLUME /data
ENV HOST=0.0.0.0 PORT=3000 DATABASE_URL=sqlite:/data/connect-card.db
EXPOSE 3000
# 65532 by number, so that an orchestrator can see that it is not root.
USER 65532:65532
# There is no HEALTHCHECK: it would need a client inside the image. Let the orchestrator probe
# GET /healthz (the process lives) and GET /readyz (a command could be accepted now).
ENTRYPOINT ["/usr/local/bin/connect-card"]
CMD ["serve"]
